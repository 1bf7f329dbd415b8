package credentials

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/profiles"
)

// SessionKeysError is temporary keys that somebody wrote into an AWS file or exported, and that are
// over. What is there has no expiry that AWS's tools agree on.
type SessionKeysError struct {
	Profile string        // "": they are in the environment
	File    string        // where they are
	Age     time.Duration // since the file was written; 0 when that can't be told
}

func (e *SessionKeysError) Error() string {
	if e.Profile == "" {
		return "the session keys in the environment (AWS_SESSION_TOKEN) have expired"
	}
	text := fmt.Sprintf("the session keys of AWS profile %q have expired", e.Profile)
	if e.File == "" {
		return text
	}
	return fmt.Sprintf("%s; %s, where they are, was written %s ago", text, e.File, advice.Span(e.Age))
}

const (
	// askKeys bounds the question whether session keys are still good: without an answer they are
	// used.
	askKeys = 2 * time.Second
	// believeKeys is how long the answer is believed.
	believeKeys = 5 * time.Minute
)

// checkSessionKeys asks STS whether session keys from an AWS file or the environment are still
// good: expired ones sign without complaint, and then it's the server that says no, and not why.
func (p *Provider) checkSessionKeys(ctx context.Context, keys aws.Credentials) error {
	if !p.plan.sessionKeys() || !p.exportedUntil().IsZero() {
		return nil
	}
	if p.Store.Note(p.key).Holds("", time.Now(), believeKeys) {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, askKeys)
	defer cancel()
	cfg, err := p.config()
	if err == nil {
		cfg.Credentials = awscreds.StaticCredentialsProvider{Value: keys}
		client := sts.NewFromConfig(p.plan.AWS.of(cfg, "STS", ""), func(o *sts.Options) { o.RetryMaxAttempts = 1 })
		_, err = client.GetCallerIdentity(asking, nil)
	}
	if keysOver(err) {
		return newSessionKeysError(p.plan.Base)
	}
	if err != nil {
		p.Log.Warn("session keys used unchecked", "reason", p.explain(ctx, err))
	} else if err := p.Store.PutNote(cache.Note{Key: p.key, At: time.Now()}); err != nil {
		p.Log.Warn("session keys will be checked again", "reason", err)
	}
	return nil
}

// exportedUntil is when session keys in the environment end, as the program that exported them says
// ("aws configure export-credentials --format env" does); zero when none does, or when it is over:
// it may be left of others.
func (p *Provider) exportedUntil() time.Time {
	end := p.plan.keysEnd()
	if p.plan.Origin != ofEnvironmentKeys || len(p.plan.Roles) > 0 || !end.After(time.Now()) {
		return time.Time{}
	}
	return end
}

func keysOver(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "ExpiredToken" || api.ErrorCode() == "ExpiredTokenException")
}

// newSessionKeysError says since when session keys may be over.
func newSessionKeysError(b profiles.Base) error {
	e := &SessionKeysError{Profile: b.Profile, File: b.KeysFile}
	if info, err := os.Stat(e.File); err == nil {
		e.Age = time.Since(info.ModTime())
	}
	return e
}
