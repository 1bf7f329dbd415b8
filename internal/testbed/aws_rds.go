package testbed

import (
	"cmp"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mysql-secret-store-rds/internal/server"
)

// Servers is what RDS has in an account and region. Where AWS fills in what isn't said, so does the
// test server: an empty status is "available", a port of 0 is 3306, and an ARN is made from the
// name. A server without a host has no endpoint yet.
type Servers struct {
	Instances        []DBInstance
	Clusters         []DBCluster
	ClusterEndpoints []ClusterEndpoint // custom ones; a cluster has the others itself
	Proxies          []DBProxy
	ProxyEndpoints   []ProxyEndpoint
	Globals          []GlobalCluster // shown in each region with a member
}

// DBInstance is an instance: alone, or in a cluster.
type DBInstance struct {
	Identifier, ARN, ResourceID   string // ResourceID: db-…
	Cluster                       string // its identifier, if it is in one
	Engine, EngineVersion, Status string
	Host                          string
	Port                          int
	IAM                           bool
	MasterUsername                string
	MasterSecretARN               string
	MasterSecretStatus            string // creating, rotating, impaired; "": active
	Tags                          map[string]string
}

// DBCluster is an Aurora or a Multi-AZ DB cluster.
type DBCluster struct {
	Identifier, ARN, ResourceID   string // ResourceID: cluster-…
	Engine, EngineVersion, Status string
	Host, ReaderHost              string
	Port                          int
	IAM                           bool
	MasterUsername                string
	MasterSecretARN               string
	MasterSecretStatus            string // creating, rotating, impaired; "": active
	Tags                          map[string]string
}

// ClusterEndpoint is a custom endpoint of a cluster.
type ClusterEndpoint struct {
	Identifier, Cluster, Host, Status string
	Type                              string // ANY or READER
}

// DBProxy is a proxy. Its resource id, prx-…, is only in its ARN.
type DBProxy struct {
	Name, ResourceID, Status string
	EngineFamily             string // MYSQL, POSTGRESQL or SQLSERVER
	Host                     string
	IAMAuth                  []string // of each of its Auth: REQUIRED, ENABLED or DISABLED
	DefaultAuthScheme        string   // NONE or IAM_AUTH; "": not said
}

// ProxyEndpoint is an endpoint of a proxy.
type ProxyEndpoint struct {
	Name, Proxy, Host, Status string
	TargetRole                string // READ_WRITE, the default, or READ_ONLY
	Default                   bool   // the one that comes with the proxy
}

// GlobalCluster is an Aurora global database.
type GlobalCluster struct {
	Identifier, ResourceID        string
	Engine, EngineVersion, Status string
	Host                          string // the writer endpoint
	Members                       []GlobalMember
	Tags                          map[string]string
}

// GlobalMember is a cluster of a global database, with its region in its ARN.
type GlobalMember struct {
	ClusterARN string
	Writer     bool
}

// SetServers says what RDS has in an account and region, in place of what it had.
func (a *AWS) SetServers(account, region string, servers Servers) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.servers[place{account, region}] = servers
}

// AddFleet adds the accounts and regions of a fleet.
func (a *AWS) AddFleet(f Fleet) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fleets = append(a.fleets, f)
}

// serversAt is all that RDS shows at a place.
func (a *AWS) serversAt(at place) Servers {
	a.mu.Lock()
	s, ok := a.servers[at]
	s.Globals = a.globalsAt(at)
	fleets := a.fleets
	a.mu.Unlock()
	for _, f := range fleets {
		if ok {
			break
		}
		globals := s.Globals
		s, ok = f.Servers(at.account, at.region)
		s.Globals = globals
	}
	return s
}

// globalsAt are the account's global clusters that have a member in the region, each once.
func (a *AWS) globalsAt(at place) (list []GlobalCluster) {
	for p, s := range a.servers {
		if p.account != at.account {
			continue
		}
		for _, g := range s.Globals {
			here := func(m GlobalMember) bool {
				return strings.Contains(m.ClusterARN,
					":rds:"+at.region+":"+at.account+":")
			}
			known := func(k GlobalCluster) bool { return k.Identifier == g.Identifier }
			if slices.ContainsFunc(g.Members, here) && !slices.ContainsFunc(list, known) {
				list = append(list, g)
			}
		}
	}
	slices.SortFunc(list, func(g, h GlobalCluster) int { return cmp.Compare(g.Identifier, h.Identifier) })
	return list
}

// A row writes the elements of one server.
type row func(x xmlOut, at place)

func rows[T any](servers []T, write func(T, xmlOut, place)) []row {
	list := make([]row, len(servers))
	for i, s := range servers {
		list[i] = func(x xmlOut, at place) { write(s, x, at) }
	}
	return list
}

// The operations of RDS, the names of their elements, and the parameter that asks for one by its
// name, which "isn't case-sensitive" for instances, clusters and global clusters (RDS API reference).
var rdsOperations = map[string]struct {
	list, item   string
	rows         func(Servers) []row
	name, absent string // the parameter, and the code for a name that nothing has
	only         func(*Servers, string)
}{
	"DescribeDBInstances": {"DBInstances", "DBInstance",
		func(s Servers) []row { return rows(s.Instances, DBInstance.write) },
		"DBInstanceIdentifier", "DBInstanceNotFound", func(s *Servers, name string) {
			s.Instances = named(s.Instances, func(i DBInstance) bool { return strings.EqualFold(i.Identifier, name) })
		}},
	"DescribeDBClusters": {"DBClusters", "DBCluster", clusterRows,
		"DBClusterIdentifier", "DBClusterNotFoundFault", func(s *Servers, name string) {
			s.Clusters = named(s.Clusters, func(c DBCluster) bool { return strings.EqualFold(c.Identifier, name) })
		}},
	"DescribeDBClusterEndpoints": {"DBClusterEndpoints", "DBClusterEndpointList", clusterEndpointRows,
		"DBClusterEndpointIdentifier", "DBClusterEndpointNotFoundFault", func(s *Servers, name string) {
			s.Clusters = nil // their own endpoints have no names
			s.ClusterEndpoints = named(s.ClusterEndpoints, func(e ClusterEndpoint) bool { return e.Identifier == name })
		}},
	"DescribeDBProxies": {"DBProxies", "member", func(s Servers) []row { return rows(s.Proxies, DBProxy.write) },
		"DBProxyName", "DBProxyNotFoundFault", func(s *Servers, name string) {
			s.Proxies = named(s.Proxies, func(p DBProxy) bool { return p.Name == name })
		}},
	"DescribeDBProxyEndpoints": {"DBProxyEndpoints", "member",
		func(s Servers) []row { return rows(s.ProxyEndpoints, ProxyEndpoint.write) },
		"DBProxyEndpointName", "DBProxyEndpointNotFoundFault", func(s *Servers, name string) {
			s.ProxyEndpoints = named(s.ProxyEndpoints, func(e ProxyEndpoint) bool { return e.Name == name })
		}},
	"DescribeGlobalClusters": {"GlobalClusters", "GlobalClusterMember",
		func(s Servers) []row { return rows(s.Globals, GlobalCluster.write) },
		"GlobalClusterIdentifier", "GlobalClusterNotFoundFault", func(s *Servers, name string) {
			s.Globals = named(s.Globals, func(g GlobalCluster) bool { return strings.EqualFold(g.Identifier, name) })
		}},
}

// named leaves others out of a list, which is somebody else's.
func named[T any](list []T, is func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(s T) bool { return !is(s) })
}

func (a *AWS) rds(w io.Writer, operation string, form url.Values, at place) *failure {
	o, ok := rdsOperations[operation]
	if !ok {
		return &failure{400, "InvalidAction", operation}
	}
	// A filter that is passed over would be a wrong answer.
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if !slices.Contains([]string{"Action", "Version", "Marker", "MaxRecords", o.name}, name) {
			return &failure{400, "InvalidParameterValue", "the test server doesn't know the parameter " + name}
		}
	}
	servers := a.serversAt(at)
	if form.Has(o.name) {
		o.only(&servers, form.Get(o.name))
		if len(o.rows(servers)) == 0 {
			return &failure{404, o.absent, form.Get(o.name) + " not found"}
		}
	}
	list := o.rows(servers)
	from, size := 0, a.PageSize
	if form.Has("MaxRecords") {
		n, err := strconv.Atoi(form.Get("MaxRecords"))
		if err != nil || n < 20 || n > 100 {
			return &failure{400, "InvalidParameterValue", "MaxRecords is not from 20 to 100"}
		}
		size = min(size, n)
	}
	if form.Has("Marker") {
		text, ok := strings.CutPrefix(form.Get("Marker"), operation+"/")
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n < 0 || n > len(list) {
			return &failure{400, "InvalidParameterValue", "no such Marker"}
		}
		from = n
	}
	to := min(from+size, len(list))
	x := xmlOut{w}
	x.root(operation+"Response", "rds")
	x.open(operation+"Result", o.list)
	for _, write := range list[from:to] {
		x.open(o.item)
		write(x, at)
		x.close(o.item)
	}
	x.close(o.list)
	if to < len(list) {
		x.text("Marker", operation+"/"+strconv.Itoa(to))
	}
	x.close(operation+"Result", operation+"Response")
	return nil
}

// arn is what is given, or made from the place and the rest of it.
func (at place) arn(given, rest string) string {
	partition := cmp.Or(server.Partition(at.region), "aws")
	return cmp.Or(given, "arn:"+partition+":rds:"+at.region+":"+at.account+":"+rest)
}

func (x xmlOut) secret(arn, status string) {
	if arn != "" {
		x.open("MasterUserSecret")
		x.text("SecretArn", arn)
		x.text("SecretStatus", cmp.Or(status, "active"))
		x.close("MasterUserSecret")
	}
}

func (x xmlOut) tags(tags map[string]string) {
	x.open("TagList")
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		x.open("Tag")
		x.text("Key", key)
		x.text("Value", tags[key])
		x.close("Tag")
	}
	x.close("TagList")
}

func (d DBInstance) write(x xmlOut, at place) {
	x.text("DBInstanceIdentifier", d.Identifier)
	x.text("DBInstanceArn", at.arn(d.ARN, "db:"+d.Identifier))
	x.text("DbiResourceId", d.ResourceID)
	x.text("DBClusterIdentifier", d.Cluster)
	x.text("Engine", d.Engine)
	x.text("EngineVersion", d.EngineVersion)
	x.text("DBInstanceStatus", cmp.Or(d.Status, "available"))
	if d.Host != "" {
		x.open("Endpoint")
		x.text("Address", d.Host)
		x.number("Port", cmp.Or(d.Port, 3306))
		x.close("Endpoint")
	}
	x.flag("IAMDatabaseAuthenticationEnabled", d.IAM)
	x.text("MasterUsername", d.MasterUsername)
	x.secret(d.MasterSecretARN, d.MasterSecretStatus)
	x.tags(d.Tags)
}

// clusterRows are the clusters with the custom endpoints of each.
func clusterRows(s Servers) []row {
	return rows(s.Clusters, func(c DBCluster, x xmlOut, at place) {
		c.write(x, at)
		x.open("CustomEndpoints")
		for _, e := range s.ClusterEndpoints {
			if e.Cluster == c.Identifier {
				x.text("member", e.Host)
			}
		}
		x.close("CustomEndpoints")
	})
}

func (c DBCluster) write(x xmlOut, at place) {
	x.text("DBClusterIdentifier", c.Identifier)
	x.text("DBClusterArn", at.arn(c.ARN, "cluster:"+c.Identifier))
	x.text("DbClusterResourceId", c.ResourceID)
	x.text("Engine", c.Engine)
	x.text("EngineVersion", c.EngineVersion)
	x.text("Status", cmp.Or(c.Status, "available"))
	x.text("Endpoint", c.Host)
	x.text("ReaderEndpoint", c.ReaderHost)
	x.number("Port", cmp.Or(c.Port, 3306))
	x.flag("IAMDatabaseAuthenticationEnabled", c.IAM)
	x.text("MasterUsername", c.MasterUsername)
	x.secret(c.MasterSecretARN, c.MasterSecretStatus)
	x.tags(c.Tags)
}

// clusterEndpointRows are the custom endpoints after the clusters' own.
func clusterEndpointRows(s Servers) (list []row) {
	for _, c := range s.Clusters {
		for _, own := range []struct{ kind, host string }{{"WRITER", c.Host}, {"READER", c.ReaderHost}} {
			if own.host == "" {
				continue
			}
			list = append(list, func(x xmlOut, _ place) {
				x.text("DBClusterIdentifier", c.Identifier)
				x.text("Endpoint", own.host)
				x.text("EndpointType", own.kind)
				x.text("Status", cmp.Or(c.Status, "available"))
			})
		}
	}
	return append(list, rows(s.ClusterEndpoints, ClusterEndpoint.write)...)
}

func (e ClusterEndpoint) write(x xmlOut, at place) {
	x.text("DBClusterEndpointIdentifier", e.Identifier)
	x.text("DBClusterEndpointArn", at.arn("", "cluster-endpoint:"+e.Identifier))
	x.text("DBClusterIdentifier", e.Cluster)
	x.text("Endpoint", e.Host)
	x.text("EndpointType", "CUSTOM")
	x.text("CustomEndpointType", cmp.Or(e.Type, "ANY"))
	x.text("Status", cmp.Or(e.Status, "available"))
}

func (p DBProxy) write(x xmlOut, at place) {
	x.text("DBProxyName", p.Name)
	x.text("DBProxyArn", at.arn("", "db-proxy:"+p.ResourceID))
	x.text("EngineFamily", p.EngineFamily)
	x.text("Status", cmp.Or(p.Status, "available"))
	x.text("Endpoint", p.Host)
	x.text("DefaultAuthScheme", p.DefaultAuthScheme)
	x.open("Auth")
	for _, auth := range p.IAMAuth {
		x.open("member")
		x.text("AuthScheme", "SECRETS")
		x.text("IAMAuth", auth)
		x.close("member")
	}
	x.close("Auth")
}

func (e ProxyEndpoint) write(x xmlOut, at place) {
	x.text("DBProxyEndpointName", e.Name)
	x.text("DBProxyEndpointArn", at.arn("", "db-proxy-endpoint:prx-endpoint-"+e.Name))
	x.text("DBProxyName", e.Proxy)
	x.text("Endpoint", e.Host)
	x.text("TargetRole", cmp.Or(e.TargetRole, "READ_WRITE"))
	x.text("Status", cmp.Or(e.Status, "available"))
	x.flag("IsDefault", e.Default)
}

func (g GlobalCluster) write(x xmlOut, at place) {
	x.text("GlobalClusterIdentifier", g.Identifier)
	x.text("GlobalClusterArn", "arn:"+cmp.Or(server.Partition(at.region),
		"aws")+":rds::"+at.account+":global-cluster:"+g.Identifier)
	x.text("GlobalClusterResourceId", g.ResourceID)
	x.text("Engine", g.Engine)
	x.text("EngineVersion", g.EngineVersion)
	x.text("Status", cmp.Or(g.Status, "available"))
	x.text("Endpoint", g.Host)
	x.open("GlobalClusterMembers")
	for _, m := range g.Members {
		x.open("GlobalClusterMember")
		x.text("DBClusterArn", m.ClusterARN)
		x.flag("IsWriter", m.Writer)
		x.close("GlobalClusterMember")
	}
	x.close("GlobalClusterMembers")
	x.tags(g.Tags)
}
