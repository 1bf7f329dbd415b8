package credentials

import (
	"os"
	"path/filepath"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/profiles"
)

// TestClient: all profiles have the same connections, but for those with certificate authorities of
// their own, which share theirs.
func TestClient(t *testing.T) {
	newHome(t, "")
	dir := t.TempDir()
	bundle, file := filepath.Join(dir, "bundle.pem"), filepath.Join(dir, "config")
	if err := cabundle.Write(bundle); err != nil {
		t.Fatal(err)
	}
	const keys = "region = eu-west-1\naws_access_key_id = AKIATEST\naws_secret_access_key = secret\n"
	text := "[profile a]\n" + keys + "[profile b]\n" + keys
	for _, own := range []string{"own1", "own2"} {
		text += "[profile " + own + "]\n" + keys + "ca_bundle = " + bundle + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := profiles.Load(profiles.Files{Config: file, Credentials: filepath.Join(dir, "none")})
	if err != nil {
		t.Fatal(err)
	}
	clients := map[any][]string{}
	options := Options{Client: NewClient(16), Files: func() (*profiles.Set, error) { return set, nil }}
	for _, profile := range set.Names() {
		cfg, err := New(Source{Profile: profile}, options).Config(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The SDK's clients copy a BuildableClient without its connections.
		if _, copied := cfg.HTTPClient.(*awshttp.BuildableClient); copied {
			t.Errorf("%s has connections of its own", profile)
		}
		clients[cfg.HTTPClient] = append(clients[cfg.HTTPClient], profile)
	}
	if len(clients) != 2 {
		t.Errorf("the clients are %v", clients)
	}
}
