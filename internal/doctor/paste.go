package doctor

import (
	"encoding/json"
	"fmt"
	"strings"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/serverurl"
)

// connectARN names what rds-db:connect has to be allowed on (RDS user guide, "Creating and using an IAM
// policy for IAM database access"). The user's name is case-sensitive in it.
func connectARN(s inventory.Server, resource, user string) string {
	return fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:%s/%s", s.Partition, s.Region, s.Account, resource, user)
}

// policy is a document that allows a connection, and nothing else.
func policy(arn string) string {
	type statement struct{ Effect, Action, Resource string }
	document, err := json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", "rds-db:connect", arn}}}, "", "  ")
	if err != nil {
		panic("doctor: a policy that is no JSON: " + err.Error()) // it is made of text
	}
	return string(document)
}

// holder says whose policies are a caller's.
func holder(caller string) string {
	_, rest, ok := strings.Cut(caller, ":assumed-role/")
	if !ok {
		return caller
	}
	role, _, _ := strings.Cut(rest, "/")
	if set, ok := strings.CutPrefix(role, "AWSReservedSSO_"); ok {
		if i := strings.LastIndexByte(set, '_'); i > 0 {
			set = set[:i] // what follows is a number
		}
		return fmt.Sprintf("the permission set %s of IAM Identity Center (role %s)", set, role)
	}
	return "the role " + role
}

// createUser makes a database user one that logs in with a token (RDS user guide, "Creating a database
// account using IAM authentication").
func createUser(user string) string {
	name := sqlText(user)
	return fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;\n"+
		"GRANT SELECT, INSERT, UPDATE, DELETE ON `DATABASE`.* TO %s@'%%';", name, name)
}

// changeUser does so with one that is there.
func changeUser(user string) string {
	return fmt.Sprintf("ALTER USER %s@'%%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;", sqlText(user))
}

func sqlText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

// enableIAM is the command that switches IAM authentication on. An instance in a cluster has the cluster's setting.
func enableIAM(s inventory.Server, profile string) string {
	where := " --region " + paste.Word(s.Region)
	if profile != "" {
		where += " --profile " + paste.Word(profile)
	}
	switch s.Kind {
	case serverurl.Proxy, serverurl.ProxyEndpoint:
		proxy := s.Name
		if s.Kind == serverurl.ProxyEndpoint {
			proxy = s.Cluster
		}
		proxy = " --db-proxy-name " + paste.Word(proxy) + where
		// The list of secrets is set as a whole, so that it has to be read first.
		return fmt.Sprintf("aws rds modify-db-proxy%s --auth \"$(aws rds describe-db-proxies%s "+
			"--query 'DBProxies[0].Auth' --output json | sed 's/\"DISABLED\"/\"REQUIRED\"/')\"", proxy, proxy)
	case serverurl.Instance:
		if s.Cluster == "" {
			return "aws rds modify-db-instance --db-instance-identifier " + paste.Word(s.Name) +
				" --enable-iam-database-authentication --apply-immediately" + where
		}
	}
	return "aws rds modify-db-cluster --db-cluster-identifier " + paste.Word(s.Cluster) +
		" --enable-iam-database-authentication --apply-immediately" + where
}
