package doctor

import (
	"encoding/json"
	"fmt"
	"strings"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// connectARN names what rds-db:connect has to be allowed on (RDS user guide, "Creating and using an
// IAM policy for IAM database access"). The user's name is case-sensitive in it.
func connectARN(s inventory.Server, resource, user string) string {
	return fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:%s/%s", s.Partition, s.Region, s.Account, resource, user)
}

// policy is a document that allows a connection, and nothing else.
func policy(arn string) string {
	type statement struct{ Effect, Action, Resource string }
	document, _ := json.MarshalIndent(struct { // made of text, which can't fail
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", "rds-db:connect", arn}}}, "", "  ")
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

// createUser makes a database user one that logs in with a token (RDS user guide, "Creating a
// database account using IAM authentication"), and may work in a database; "" is one to fill in.
func createUser(user, database string) string {
	name, note := sqlText(user), ""
	if database == "" {
		database, note = "DATABASE", " -- the name of yours"
	}
	return fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;\n"+
		"GRANT SELECT, INSERT, UPDATE, DELETE ON `%s`.* TO %s@'%%';%s",
		name, strings.ReplaceAll(database, "`", "``"), name, note)
}

// changeUser does so with one that is there.
func changeUser(user string) string {
	return fmt.Sprintf("-- the password that it has stops working, for everybody who uses it\n"+
		"ALTER USER %s@'%%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;", sqlText(user))
}

func sqlText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

// findResource is the command that gives the id which rds-db:connect is allowed on, or "" where one
// command doesn't. Of s it needs the region and, if it is known, the cluster.
func findResource(ep server.Endpoint, s inventory.Server, profile string) string {
	what, name, query := "", "", ""
	switch {
	case ep.Kind == server.Proxy:
		what, name, query = "db-proxies --db-proxy-name", ep.Name, "DBProxies[0].DBProxyArn"
	case ep.Kind == server.Writer, ep.Kind == server.Reader:
		what, name, query = "db-clusters --db-cluster-identifier", ep.Name, "DBClusters[0].DbClusterResourceId"
	case ep.Kind == server.Instance && s.Cluster != "":
		what, name, query = "db-clusters --db-cluster-identifier", s.Cluster, "DBClusters[0].DbClusterResourceId"
	case ep.Kind == server.Instance: // whose name doesn't tell whether it is in a cluster
		what, name = "db-instances --db-instance-identifier", ep.Name
		query = "DBInstances[0].[DbiResourceId,DBClusterIdentifier]"
	default:
		return ""
	}
	return fmt.Sprintf("aws rds describe-%s %s --query %s --output text",
		what, advice.Word(name), advice.Word(query)) + in(s.Region, profile)
}

// in is the end of a command for a region and, unless it is "", a profile.
func in(region, profile string) string {
	if profile != "" {
		profile = " --profile " + advice.Word(profile)
	}
	return " --region " + advice.Word(region) + profile
}

// whatItGives says which part of findResource's answer is the id.
func whatItGives(ep server.Endpoint, s inventory.Server) string {
	switch {
	case ep.Kind == server.Proxy:
		return "the end of what the command gives, prx-…, for RESOURCE_ID"
	case ep.Kind == server.Instance && s.Cluster == "":
		return "what the command gives for RESOURCE_ID, or, where it names a cluster, too, " +
			"with that one's DbClusterResourceId"
	}
	return "what the command gives for RESOURCE_ID"
}

// enableIAM is the command that switches IAM authentication on. An instance in a cluster has the
// cluster's setting.
func enableIAM(s inventory.Server, profile string) string {
	where, what, name := in(s.Region, profile), "db-cluster", s.Cluster
	switch {
	case s.Kind == server.Proxy:
		return enableIAMOfProxy(s.Name, where)
	case s.Kind == server.ProxyEndpoint:
		return enableIAMOfProxy(s.Cluster, where)
	case s.Kind == server.Instance && s.Cluster == "":
		what, name = "db-instance", s.Name
	}
	const command = "aws rds modify-%s --%s-identifier %s --enable-iam-database-authentication --apply-immediately"
	return fmt.Sprintf(command, what, what, advice.Word(name)) + where
}

// enableIAMOfProxy sets the list of its secrets as a whole, so that it has to be read first.
func enableIAMOfProxy(name, where string) string {
	proxy := " --db-proxy-name " + advice.Word(name) + where
	return fmt.Sprintf("aws rds modify-db-proxy%s --auth \"$(aws rds describe-db-proxies%s "+
		"--query 'DBProxies[0].Auth' --output json | sed 's/\"DISABLED\"/\"REQUIRED\"/')\"", proxy, proxy)
}
