package doctor

import (
	"fmt"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/learn"
	"mysql-secret-store-rds/internal/resolve"
)

// whose says what came of asking AWS whose a server is that nobody knew.
func whose(res resolve.Resolution, r learn.Report) Finding {
	const name = "account"
	if !r.Found {
		return Finding{name, Warn, fmt.Sprintf("nobody knows account id %s (%s): %s", res.Endpoint.HostID,
			res.Target.Region, r.Line()), []string{about.Name + " discover"}}
	}
	return Finding{name, OK, fmt.Sprintf("%s is of account %s, as profile %s says; it was asked just now",
		res.Endpoint.Host, r.Account.Number, r.Account.Profile), nil}
}
