package testbed

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// Fleet is a lot of accounts with servers, worked out whenever somebody asks. Its names are always
// the same. Beside the MySQL-family endpoints there are PostgreSQL ones, which don't count.
type Fleet struct {
	Accounts           int
	Regions            []string // of amazonaws.com
	EndpointsPerRegion int      // MySQL-family ones
}

const firstAccount = 100000000001

// Account is the number of the i-th account, from 0.
func (f Fleet) Account(i int) string { return strconv.Itoa(firstAccount + i) }

// Role is the role of an account that the profiles of Config assume.
func (f Fleet) Role(account string) string { return "arn:aws:iam::" + account + ":role/fleet" }

// Count is how many MySQL-family endpoints there are.
func (f Fleet) Count() int { return f.Accounts * len(f.Regions) * f.EndpointsPerRegion }

// HostID is the label of an account and region in the names of its hosts.
func (f Fleet) HostID(account, region string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	sum := sha256.Sum256([]byte(account + " " + region))
	id := make([]byte, 12)
	for i := range id {
		id[i] = letters[int(sum[i])%len(letters)]
	}
	return string(id)
}

// Servers is what an account has in a region; false if the fleet isn't there. Of six endpoints
// three are an Aurora cluster's: its writer's, its readers' and its instance's; the rest are
// instances that stand alone.
func (f Fleet) Servers(account, region string) (Servers, bool) {
	n, err := strconv.Atoi(account)
	if err != nil || n < firstAccount || n >= firstAccount+f.Accounts || !slices.Contains(f.Regions, region) {
		return Servers{}, false
	}
	id := f.HostID(account, region)
	host := func(name, kind string) string { return name + "." + kind + id + "." + region + ".rds.amazonaws.com" }
	tags := map[string]string{"env": "prod"}
	var s Servers
	clusters := f.EndpointsPerRegion / 6
	for i := range clusters {
		name := fmt.Sprintf("cl%04d", i)
		s.Clusters = append(s.Clusters, DBCluster{
			Identifier: name, ResourceID: "cluster-" + id +
				name, Engine: "aurora-mysql", EngineVersion: "8.0.mysql_aurora.3.08.2",
			Host: host(name, "cluster-"), ReaderHost: host(name,
				"cluster-ro-"), IAM: true, MasterUsername: "admin", Tags: tags,
		})
		s.Instances = append(s.Instances, DBInstance{
			Identifier: name + "-1", Cluster: name, ResourceID: "db-" + id +
				name, Engine: "aurora-mysql", EngineVersion: "8.0.mysql_aurora.3.08.2",
			Host: host(name+"-1", ""), IAM: true, MasterUsername: "admin", Tags: tags,
		})
	}
	for i := range f.EndpointsPerRegion - 3*clusters {
		engine, version := "mysql", "8.4.6"
		if i%4 == 3 {
			engine, version = "mariadb", "11.8.3"
		}
		name := fmt.Sprintf("db%04d", i)
		s.Instances = append(s.Instances, DBInstance{
			Identifier: name, ResourceID: "db-" + id + name, Engine: engine, EngineVersion: version,
			Host: host(name, ""), IAM: i%2 == 0, MasterUsername: "admin", Tags: tags,
		})
	}
	for i := range 1 + f.EndpointsPerRegion/10 {
		name := fmt.Sprintf("pg%04d", i)
		s.Instances = append(s.Instances, DBInstance{
			Identifier: name, ResourceID: "db-" + id + name, Engine: "postgres", EngineVersion: "17.6",
			Host: host(name, ""), Port: 5432, MasterUsername: "postgres", Tags: tags,
		})
	}
	return s, true
}

// Endpoints are the MySQL-family endpoints.
func (f Fleet) Endpoints() iter.Seq[Endpoint] {
	return func(yield func(Endpoint) bool) {
		for i := range f.Accounts {
			for _, region := range f.Regions {
				s, _ := f.Servers(f.Account(i), region)
				var hosts []string
				for _, c := range s.Clusters {
					hosts = append(hosts, c.Host, c.ReaderHost)
				}
				for _, d := range s.Instances {
					if d.Engine != "postgres" {
						hosts = append(hosts, d.Host)
					}
				}
				for _, h := range hosts {
					if !yield(Endpoint{Host: h, Port: 3306, Region: region}) {
						return
					}
				}
			}
		}
	}
}

// Config is the content of an AWS configuration file that reaches the fleet: profiles p000, p001
// and so on, one for each account in order, which assume its role with the source's keys.
func (f Fleet) Config(source Key) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "[profile source]\naws_access_key_id = %s\naws_secret_access_key = %s\n", source.ID, source.Secret)
	if source.SessionToken != "" {
		fmt.Fprintf(&b, "aws_session_token = %s\n", source.SessionToken)
	}
	for i := range f.Accounts {
		fmt.Fprintf(&b, "[profile p%03d]\nrole_arn = %s\nsource_profile = source\n", i, f.Role(f.Account(i)))
		if len(f.Regions) > 0 {
			fmt.Fprintf(&b, "region = %s\n", f.Regions[0])
		}
	}
	return b.Bytes()
}
