package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/managed"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
)

// ofSecret reports whether the password is one that AWS Secrets Manager keeps.
func (v *visit) ofSecret() bool { return v.Resolution.Outcome == resolve.ToSecret }

// given is what opens the server, in a word.
func (v *visit) given() string {
	if v.ofSecret() {
		return "password"
	}
	return "token"
}

// checkSecret reads the password, and says what RDS says of a secret that it manages.
func (v *visit) checkSecret(ctx context.Context) {
	const name = "secret"
	switch {
	case !v.ofSecret():
		return
	case v.config == nil:
		v.warn(name, "not checked: there are no valid credentials")
		return
	}
	inTime, cancel := credentials.WithTimeout(ctx, v.Patience)
	defer cancel()
	v.Waiting("AWS Secrets Manager: " + v.Resolution.Secret.ID)
	p, err := managed.Get(inTime, v.Resolution.Secret.Secret, v.t.Region, v.t.User, v.Provider, false)
	if err != nil {
		text, do := described(password.Failed(v.Resolution, v.Config, err))
		v.fail(name, text, do...)
		return
	}
	v.password = &p.Value
	text := fmt.Sprintf("%s, the password of %s, may be read", v.Resolution.Secret.ID, v.t.User)
	if s := v.server; v.Resolution.Secret.Managed && s != nil && s.MasterSecretStatus != "" {
		v.warn(name, fmt.Sprintf("%s; RDS says that its status is %s: %s", text, s.MasterSecretStatus,
			cmp.Or(meanings[s.MasterSecretStatus], "it should be active")))
		return
	}
	v.ok(name, text)
}

// meanings are what a managed secret's status means (RDS API reference, "MasterUserSecret").
var meanings = map[string]string{
	"creating": "RDS is making it",
	"rotating": "the password is being changed, which takes about a minute",
	"impaired": "it can be read, and not be rotated: is its KMS key there, and may RDS use it?",
}

// checkPassword says what became of a login with a password.
func (v *visit) checkPassword(a attempt) {
	const name = "password"
	refused, answered := errors.AsType[*mysql.MySQLError](a.err)
	switch {
	case v.loggedIn(name, a):
	case answered && refused.Number == errAccessDenied:
		v.fail(name, fmt.Sprintf("refused (1045): perhaps the server has no database user %s, or another password, as "+
			"while a rotation is under way; try again in a minute", v.t.User), v.token()...)
	case answered:
		v.fail(name, fmt.Sprintf("the server refuses the login: %d: %s", refused.Number, refused.Message))
	case errors.Is(a.err, mysql.ErrCleartextPassword):
		v.fail(name, fmt.Sprintf("the server wants it in clear: the database user %s has tokens and no password",
			v.t.User), v.token()...)
	default:
		v.fail(name, "the server ended the login: "+a.err.Error())
	}
}

// token is the setting that has tokens made instead, where a secret was not asked for.
func (v *visit) token() []string {
	if !v.Resolution.Secret.Managed {
		return nil
	}
	return []string{"if this user has tokens: " + v.setting("credential", "iam")}
}
