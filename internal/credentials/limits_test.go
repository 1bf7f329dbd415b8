package credentials

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/smithy-go/middleware"
)

// TestCircle: an AWS that redirects in a circle is left after a few rounds.
func TestCircle(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	circle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 100 { // for the program without the limit
			return
		}
		w.Header().Set("Location", r.URL.String())
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	t.Cleanup(circle.Close)
	client := sso.NewFromConfig(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(circle.URL),
		APIOptions: []func(*middleware.Stack) error{limitAnswers},
	})
	_, err := client.GetRoleCredentials(t.Context(), &sso.GetRoleCredentialsInput{
		AccessToken: aws.String("x"), AccountId: aws.String("123456789012"), RoleName: aws.String("dba"),
	})
	if !errors.Is(err, errRedirects) {
		t.Errorf("got %v", err)
	}
	if n := requests.Load(); n > maxHops+1 {
		t.Errorf("%d requests", n)
	}
}
