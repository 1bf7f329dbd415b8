package profiles

import (
	"cmp"
	"os"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/server"
)

// Changed returns when the files were last written; the zero time when there is none.
func (s *Set) Changed() (at time.Time) {
	for _, file := range []string{s.files.Config, s.files.Credentials} {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at
}

// Account says which AWS account a profile's credentials are of, and the account's partition, as
// far as its settings tell: by the role that it assumes, the account that it names, its sign-in.
// Each is "" when they don't.
func (s *Set) Account(name string) (number, partition string) {
	chain, _ := s.Chain(name) // what is there of it
	base := chain.Base
	arn := cmp.Or(base.RoleARN, base.Login)
	if n := len(chain.Roles); n > 0 {
		arn = chain.Roles[n-1].ARN
	}
	own, _ := s.Profile(name)
	switch parts := strings.SplitN(arn, ":", 6); {
	case len(parts) == 6: // arn:aws:iam::<account>:role/<name>
		number, partition = parts[4], parts[1]
	case len(chain.Roles) > 0:
	case base.Kind == SSO, base.Kind == LegacySSO:
		number = base.AccountID
	default: // who wrote the keys or the program says so
		number = own.Get("aws_account_id")
	}
	if !server.IsAccountNumber(number) {
		number = ""
	}
	return number, cmp.Or(partition, server.Partition(base.Session.Region), server.Partition(own.Get("region")))
}
