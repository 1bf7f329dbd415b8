package sso

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/testbed"
)

// TestSeconds: what a server gives counts only as far as it makes sense.
func TestSeconds(t *testing.T) {
	t.Parallel()
	for given, want := range map[int32]time.Duration{
		-1 << 31: defaultInterval, -1: defaultInterval, 0: defaultInterval, 1: time.Second, 7: 7 * time.Second,
		1e9: maxInterval, 1<<31 - 1: maxInterval,
	} {
		if got := seconds(given, defaultInterval, maxInterval); got != want {
			t.Errorf("%d: %v, not %v", given, got, want)
		}
	}
}

// TestOddIntervals: a server that names one which is no interval, or one beyond the code's life, is
// asked seldom, and no longer than the code holds.
func TestOddIntervals(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, interval := range []time.Duration{-time.Second, 1e9 * time.Second} {
		keys := &testbed.Keys{}
		a := testbed.StartAWS(keys)
		defer a.Close()
		a.DeviceInterval, a.DeviceLife = interval, 2*time.Second
		start := time.Now()
		_, err := Login(t.Context(), aws.Config{BaseEndpoint: &a.URL, Region: "eu-west-1"}, profiles.SSOSession{
			Name: filepath.Base(t.TempDir()), StartURL: "https://example.awsapps.com/start", Region: "eu-west-1",
		}, func(Verification) error { return nil })
		if took := time.Since(start); !errors.Is(err, ErrCodeExpired) || took > 10*time.Second || a.Calls("CreateToken") > 1 {
			t.Errorf("%v: %v after %v and %d polls", interval, err, took, a.Calls("CreateToken"))
		}
	}
}
