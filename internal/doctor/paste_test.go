package doctor

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

func TestSQL(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		"dba":   "ALTER USER 'dba'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;",
		`o'n\e`: `ALTER USER 'o''n\\e'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;`,
		"50%d":  "ALTER USER '50%d'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;",
	} {
		if got := changeUser(user); got != "-- the password that it has stops working, for everybody who uses it\n"+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	want := "CREATE USER '50%d'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;\n" +
		"GRANT SELECT, INSERT, UPDATE, DELETE ON `"
	for database, end := range map[string]string{"": "DATABASE`.* TO '50%d'@'%'; -- the name of yours", "sh`op": "sh``op`.* TO '50%d'@'%';"} {
		if got := createUser("50%d", database); got != want+end {
			t.Errorf("got %s, want %s", got, want+end)
		}
	}
}

func TestFindResource(t *testing.T) {
	t.Parallel()
	const by = " --output text --region eu-west-1 --profile prod"
	for _, tc := range []struct {
		ep      server.Endpoint
		cluster string
		want    string
	}{
		{server.Endpoint{Name: "a"}, "", "aws rds describe-db-instances --db-instance-identifier a --query 'DBInstances[0].[DbiResourceId,DBClusterIdentifier]'" + by},
		{server.Endpoint{Name: "a"}, "c", "aws rds describe-db-clusters --db-cluster-identifier c --query 'DBClusters[0].DbClusterResourceId'" + by},
		{server.Endpoint{Name: "c", Kind: server.Reader}, "", "aws rds describe-db-clusters --db-cluster-identifier c --query 'DBClusters[0].DbClusterResourceId'" + by},
		{server.Endpoint{Name: "p", Kind: server.Proxy}, "", "aws rds describe-db-proxies --db-proxy-name p --query 'DBProxies[0].DBProxyArn'" + by},
		{server.Endpoint{Name: "x", Kind: server.Custom}, "", ""},
	} {
		if diff := cmp.Diff(tc.want, findResource(tc.ep, inventory.Server{Region: "eu-west-1", Cluster: tc.cluster}, "prod")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestPolicyIsJSON(t *testing.T) {
	t.Parallel()
	arn := connectARN(inventory.Server{Partition: "aws-cn", Region: "cn-north-1", Account: "1"}, "db-X", `d"ba`)
	var got struct {
		Version   string
		Statement []struct{ Effect, Action, Resource string }
	}
	if err := json.Unmarshal([]byte(policy(arn)), &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Statement[0]; s.Resource != `arn:aws-cn:rds-db:cn-north-1:1:dbuser:db-X/d"ba` || s.Effect != "Allow" || s.Action != "rds-db:connect" {
		t.Errorf("got %+v", got)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	for caller, want := range map[string]string{
		"arn:aws:iam::1:user/team/dba":           "arn:aws:iam::1:user/team/dba",
		"arn:aws:sts::1:assumed-role/reader/dba": "the role reader",
		"arn:aws:sts::1:assumed-role/AWSReservedSSO_DB_Admin_0123456789abcdef/dba@example.com": "the permission set DB_Admin of IAM Identity Center " +
			"(role AWSReservedSSO_DB_Admin_0123456789abcdef)",
	} {
		if got := holder(caller); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestEnableIAM(t *testing.T) {
	t.Parallel()
	const on = " --enable-iam-database-authentication --apply-immediately --region eu-west-1"
	for _, tc := range []struct {
		server  inventory.Server
		profile string
		want    string
	}{
		{inventory.Server{Name: "a"}, "", "aws rds modify-db-instance --db-instance-identifier a" + on},
		{inventory.Server{Name: "a", Cluster: "c"}, "my profile", "aws rds modify-db-cluster --db-cluster-identifier c" + on + " --profile 'my profile'"},
		{inventory.Server{Name: "w", Cluster: "c", Kind: server.GlobalWriter}, "", "aws rds modify-db-cluster --db-cluster-identifier c" + on},
		{inventory.Server{Name: "e", Cluster: "p", Kind: server.ProxyEndpoint}, "", "aws rds modify-db-proxy --db-proxy-name p --region eu-west-1 --auth " +
			`"$(aws rds describe-db-proxies --db-proxy-name p --region eu-west-1 --query 'DBProxies[0].Auth' --output json | sed 's/"DISABLED"/"REQUIRED"/')"`},
	} {
		tc.server.Region = "eu-west-1"
		if diff := cmp.Diff(tc.want, enableIAM(tc.server, tc.profile)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
