// Package identity tells whether the AWS identity has changed, without finding out whose it is:
// that would take the AWS SDK, its configuration and perhaps a call to AWS.
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// variables choose the credentials: where they are, whose they are, and which server
// gives them out. Source: env_config.go and the service endpoint settings of the AWS SDK for Go v2.
var variables = [...]string{
	"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_LOGIN_CACHE_DIRECTORY",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"AWS_REGION", "AWS_DEFAULT_REGION",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
	"AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_SIGNIN",
}

// Current stands for the AWS identity that the environment gives: a hash over the variables
// that choose credentials and over place, time and size of the AWS config and credentials files.
// As long as it stays the same, so does who a token would be signed for. It reads no file.
func Current() string {
	h := sha256.New()
	put := func(s string) {
		_, _ = io.WriteString(h, strconv.Itoa(len(s)))
		_, _ = io.WriteString(h, ":"+s)
	}
	for _, name := range variables {
		value, ok := os.LookupEnv(name)
		put(name + "=" + strconv.FormatBool(ok))
		put(value)
	}
	for _, f := range []struct{ variable, file string }{
		{"AWS_CONFIG_FILE", "config"},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		file := os.Getenv(f.variable)
		if file == "" {
			file = filepath.Join(home(), ".aws", f.file)
		}
		put(file)
		if info, err := os.Stat(file); err == nil {
			put(strconv.FormatInt(info.ModTime().UnixNano(), 10))
			put(strconv.FormatInt(info.Size(), 10))
		} else {
			put("none")
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// home is the user's home folder, found as the SDK does.
func home() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return dir
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return ""
}
