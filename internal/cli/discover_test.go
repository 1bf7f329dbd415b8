package cli

import (
	"os"
	"path/filepath"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/profiles"
)

// TestDiscoverSharesConnections: the clients of all profiles have the same connections, but for those
// of a profile with certificate authorities of its own.
func TestDiscoverSharesConnections(t *testing.T) {
	dir := t.TempDir()
	bundle := filepath.Join(dir, "bundle.pem")
	if err := cabundle.Write(bundle); err != nil {
		t.Fatal(err)
	}
	const keys = "region = eu-west-1\naws_access_key_id = AKIATEST\naws_secret_access_key = secret\n"
	file := filepath.Join(dir, "config")
	text := "[profile a]\n" + keys + "[profile b]\n" + keys + "[profile own]\n" + keys + "ca_bundle = " + bundle + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_CA_BUNDLE", "")
	set, err := profiles.Load(profiles.Default())
	if err != nil {
		t.Fatal(err)
	}
	access := newAccess(set, cache.Store{}, &credentials.Dialogue{}, 16)
	for profile, shared := range map[string]bool{"a": true, "b": true, "own": false} {
		cfg, err := access.config(t.Context(), profile, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		// The SDK's clients copy a BuildableClient without its connections.
		_, copied := cfg.HTTPClient.(*awshttp.BuildableClient)
		if same := cfg.HTTPClient == access.shared; same != shared || copied == shared {
			t.Errorf("%s: it is %v that the connections are shared", profile, same)
		}
	}
}
