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
	refused := j.Cache.Note(refusedKey(j.req.ID)).Holds("", time.Now(), rotationTime)
	p, err := managed.Get(ctx, j.res.Secret.Secret, j.res.Target.Region, j.res.Target.User, provider, refused)
	if err != nil {
		return Answer{}, failed(err)
	}
	t := j.res.Target
	decision := "password of a secret"
	if p.Pending {
		decision = "pending password of a secret, as the server has refused the current one"
	}
	j.Log.Info(decision, "host", t.Host, "port", t.Port, "user", t.User, "secret", j.res.Secret.ID,
		"region", t.Region, "aws_profile", provider.Profile(), "role_arn", t.RoleARN)
	return Answer{Outcome: resolve.ToSecret, Managed: p.Value}, nil
}

// Refused notes that the server has refused the password of a secret: a rotation may be under way.
func (e *Engine) Refused(req Request) error {
	return e.Cache.PutNote(cache.Note{Key: refusedKey(req.ID), At: time.Now()})
}

// refusedKey stands in the cache's folder for the refusal of a Server URL's password.
func refusedKey(id string) string { return id + " refused" }
