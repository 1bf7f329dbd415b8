// A password that AWS Secrets Manager keeps.

package password

import (
	"context"
	"time"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/managed"
	"mysql-secret-store-rds/internal/resolve"
)

// rotationTime is how long after a refusal a password counts that a rotation has already set on the
// server. A rotation takes a minute or so (RDS user guide, "Rotating the master user password
// secret").
const rotationTime = 5 * time.Minute

// readSecret reads the password, which is not kept.
func (j *job) readSecret(ctx context.Context, saved *question) (Answer, error) {
	provider, failed := j.provider(saved)
	note := j.Cache.Note(refusedKey(j.req.ID))
	refused := note.Holds("", time.Now(), rotationTime) && note.Text != pendingRefused
	p, err := managed.Get(ctx, j.res.Secret.Secret, j.res.Target.Region, j.res.Target.User, provider, refused)
	if err != nil {
		return Answer{}, failed(err)
	}
	t := j.res.Target
	decision := "password of a secret"
	if p.Pending {
		decision = "pending password of a secret, as the server has refused the current one"
		note.Text = pendingGiven
		if err := j.Cache.PutNote(note); err != nil {
			j.Log.Warn("it isn't known at the next call that the pending password was tried", "reason", err)
		}
	}
	j.Log.Info(decision, "host", t.Host, "port", t.Port, "user", t.User, "secret", j.res.Secret.ID,
		"region", t.Region, "aws_profile", provider.Profile(), "role_arn", t.RoleARN)
	return Answer{Outcome: resolve.ToSecret, Managed: p.Value}, nil
}

// What a note of a refusal says of the pending password.
const (
	pendingGiven   = "the pending password was given"
	pendingRefused = "the pending password was refused" // as it isn't set on the server yet
)

// Refused notes that the server has refused what it was given: a rotation of the secret may be under
// way, or the server be another one than a token opens.
func (e *Engine) Refused(req Request) error {
	note := cache.Note{Key: refusedKey(req.ID), At: time.Now()}
	if before := e.Cache.Note(note.Key); before.Text == pendingGiven && before.Holds("", note.At, rotationTime) {
		note.Text = pendingRefused
	}
	return e.Cache.PutNote(note)
}

// refusedKey stands in the cache's folder for the refusal of a Server URL's password.
func refusedKey(id string) string { return id + " refused" }
