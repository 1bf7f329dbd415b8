// What RDS lists of an account in a region, as servers of the inventory.

package discover

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// listing is what RDS's operations list of an account in a region. What one of them says is not
// always all: an endpoint of a cluster or proxy has its port, engine and resource id from that.
type listing struct {
	regionKey
	partition string
	timeout   time.Duration // of one page
	now       time.Time
	only      *string // the one name to ask for; nil: all
	sample    *int32  // how many to ask for, of those there are; nil: all

	servers  map[string]inventory.Server // by host
	hostIDs  map[string]bool
	clusters map[string]inventory.Server // by name, of every engine
	proxies  map[string]inventory.Server // the same
	parts    []inventory.Server          // custom endpoints of clusters, and endpoints of proxies
	globals  []inventory.Server          // global writers, without what the region of their cluster knows of them
	leftOut  []string                    // hosts of servers that can't be kept
}

func newListing(key regionKey, partition string, timeout time.Duration, now time.Time) *listing {
	return &listing{
		regionKey: key, partition: partition, timeout: timeout, now: now,
		servers: map[string]inventory.Server{}, hostIDs: map[string]bool{},
		clusters: map[string]inventory.Server{}, proxies: map[string]inventory.Server{},
	}
}

// add notes an endpoint: its host id, whatever the engine, and the server if it speaks MySQL.
func (l *listing) add(s inventory.Server) {
	if s.Host == "" {
		return // still being created
	}
	s.Account, s.Partition, s.Region, s.Seen = l.account, l.partition, l.region, l.now
	e, ok := server.ParseEndpoint(s.Host)
	ok = ok && e.Kind == s.Kind && e.Region == s.Region
	if ok {
		l.hostIDs[e.HostID] = true
		s.Host, s.HostID = e.Host, e.HostID
	}
	if l.keeps(s, ok) {
		l.servers[s.Host] = s
	}
}

// keeps reports whether a server is one to keep: it speaks MySQL, its host has such a name as RDS
// gives, and it isn't larger than any that there is. A host that RDS doesn't name can't be signed
// for, and may be anybody's.
func (l *listing) keeps(s inventory.Server, named bool) bool {
	// "aurora" was Aurora MySQL 1.
	if !slices.Contains([]string{"mysql", "mariadb", "aurora-mysql", "aurora"}, s.Engine) {
		return false
	}
	if !named || s.TooLarge() {
		l.leftOut = append(l.leftOut, s.Host)
		return false
	}
	return true
}

// join adds the endpoints that have something from a cluster or proxy, and the cluster's master
// user to its instances: RDS names the secret with the password at the cluster alone.
func (l *listing) join() {
	for host, s := range l.servers {
		if of, ok := l.clusters[s.Cluster]; ok && s.Kind == server.Instance && s.MasterSecretARN == "" {
			takeMaster(&s, of)
			l.servers[host] = s
		}
	}
	for _, e := range l.parts {
		of := l.clusters[e.Cluster]
		if e.Kind == server.ProxyEndpoint {
			of = l.proxies[e.Cluster]
		}
		e.Port, e.Engine, e.EngineVersion = of.Port, of.Engine, of.EngineVersion
		e.ResourceID, e.IAM = of.ResourceID, of.IAM
		e.Tags = of.Tags
		takeMaster(&e, of)
		l.add(e)
	}
}

// takeMaster gives a server the master user of its cluster.
func takeMaster(s *inventory.Server, of inventory.Server) {
	s.MasterUser = cmp.Or(of.MasterUser, s.MasterUser)
	s.MasterSecretARN, s.MasterSecretStatus = of.MasterSecretARN, of.MasterSecretStatus
}

type pager[Page any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*rds.Options)) (*Page, error)
}

// eachPage goes through all pages, or the first one for a sample. A region that doesn't answer must
// not hold the others up, so that each page has to come in time.
func eachPage[Page any](ctx context.Context, l *listing, pages pager[Page], do func(*Page)) error {
	for more := true; more && pages.HasMorePages(); more = l.sample == nil {
		inTime, cancel := context.WithTimeout(ctx, l.timeout)
		page, err := pages.NextPage(inTime)
		cancel()
		if err != nil {
			return err
		}
		do(page)
	}
	return nil
}

// minRecords is the least that RDS gives on a page, if asked to.
const minRecords = 20

// ofAccount takes the account's number from an ARN, arn:aws:rds:<region>:<account>:…, where the
// caller hasn't told it.
func (l *listing) ofAccount(arn *string) {
	if l.account != "" {
		return
	}
	if parts := strings.SplitN(aws.ToString(arn), ":", 6); len(parts) == 6 && server.IsAccountNumber(parts[4]) {
		l.account = parts[4]
	}
}

func (l *listing) readClusters(ctx context.Context, client *rds.Client) error {
	input := &rds.DescribeDBClustersInput{DBClusterIdentifier: l.only, MaxRecords: l.sample}
	pages := rds.NewDescribeDBClustersPaginator(client, input)
	return eachPage(ctx, l, pages, func(page *rds.DescribeDBClustersOutput) {
		for _, c := range page.DBClusters {
			l.ofAccount(c.DBClusterArn)
			name := aws.ToString(c.DBClusterIdentifier)
			s := inventory.Server{
				Kind: server.Writer, Name: name, Cluster: name,
				Host: aws.ToString(c.Endpoint), Port: int(aws.ToInt32(c.Port)),
				Engine: aws.ToString(c.Engine), EngineVersion: aws.ToString(c.EngineVersion),
				ResourceID: aws.ToString(c.DbClusterResourceId), IAM: aws.ToBool(c.IAMDatabaseAuthenticationEnabled),
				MasterUser: aws.ToString(c.MasterUsername),
				Status:     aws.ToString(c.Status), Tags: tags(c.TagList),
			}
			setSecret(&s, c.MasterUserSecret)
			l.clusters[name] = s
			l.add(s)
			s.Kind, s.Host = server.Reader, aws.ToString(c.ReaderEndpoint)
			l.add(s)
		}
	})
}

func (l *listing) readClusterEndpoints(ctx context.Context, client *rds.Client) error {
	input := &rds.DescribeDBClusterEndpointsInput{DBClusterEndpointIdentifier: l.only}
	pages := rds.NewDescribeDBClusterEndpointsPaginator(client, input)
	return eachPage(ctx, l, pages, func(page *rds.DescribeDBClusterEndpointsOutput) {
		for _, e := range page.DBClusterEndpoints {
			l.ofAccount(e.DBClusterEndpointArn)
			if aws.ToString(e.EndpointType) != "CUSTOM" {
				continue // the cluster itself names its writer and reader
			}
			l.parts = append(l.parts, inventory.Server{
				Kind: server.Custom, Name: aws.ToString(e.DBClusterEndpointIdentifier),
				Cluster: aws.ToString(e.DBClusterIdentifier),
				Host:    aws.ToString(e.Endpoint), Status: aws.ToString(e.Status),
			})
		}
	})
}

func (l *listing) readInstances(ctx context.Context, client *rds.Client) error {
	input := &rds.DescribeDBInstancesInput{DBInstanceIdentifier: l.only, MaxRecords: l.sample}
	pages := rds.NewDescribeDBInstancesPaginator(client, input)
	return eachPage(ctx, l, pages, func(page *rds.DescribeDBInstancesOutput) {
		for _, i := range page.DBInstances {
			l.ofAccount(i.DBInstanceArn)
			if i.Endpoint == nil {
				continue // still being created
			}
			s := inventory.Server{
				Kind: server.Instance, Name: aws.ToString(i.DBInstanceIdentifier),
				Cluster: aws.ToString(i.DBClusterIdentifier),
				Host:    aws.ToString(i.Endpoint.Address), Port: int(aws.ToInt32(i.Endpoint.Port)),
				Engine: aws.ToString(i.Engine), EngineVersion: aws.ToString(i.EngineVersion),
				ResourceID: aws.ToString(i.DbiResourceId), IAM: aws.ToBool(i.IAMDatabaseAuthenticationEnabled),
				MasterUser: aws.ToString(i.MasterUsername),
				Status:     aws.ToString(i.DBInstanceStatus), Tags: tags(i.TagList),
			}
			setSecret(&s, i.MasterUserSecret)
			l.add(s)
		}
	})
}

func (l *listing) readProxies(ctx context.Context, client *rds.Client) error {
	pages := rds.NewDescribeDBProxiesPaginator(client, &rds.DescribeDBProxiesInput{DBProxyName: l.only})
	return eachPage(ctx, l, pages, func(page *rds.DescribeDBProxiesOutput) {
		for _, p := range page.DBProxies {
			l.ofAccount(p.DBProxyArn)
			arn := aws.ToString(p.DBProxyArn)
			s := inventory.Server{
				Kind: server.Proxy, Name: aws.ToString(p.DBProxyName),
				Host: aws.ToString(p.Endpoint), Port: server.DefaultPort,
				Engine: strings.ToLower(aws.ToString(p.EngineFamily)), Status: string(p.Status),
				ResourceID: arn[strings.LastIndexByte(arn, ':')+1:],
				IAM: aws.ToString(p.DefaultAuthScheme) == string(types.DefaultAuthSchemeIamAuth) ||
					slices.ContainsFunc(p.Auth, takesIAM),
			}
			l.proxies[s.Name] = s
			l.add(s)
		}
	})
}

func takesIAM(a types.UserAuthConfigInfo) bool {
	return a.IAMAuth == types.IAMAuthModeRequired || a.IAMAuth == types.IAMAuthModeEnabled
}

func (l *listing) readProxyEndpoints(ctx context.Context, client *rds.Client) error {
	input := &rds.DescribeDBProxyEndpointsInput{DBProxyEndpointName: l.only}
	pages := rds.NewDescribeDBProxyEndpointsPaginator(client, input)
	return eachPage(ctx, l, pages, func(page *rds.DescribeDBProxyEndpointsOutput) {
		for _, e := range page.DBProxyEndpoints {
			l.ofAccount(e.DBProxyEndpointArn)
			if aws.ToBool(e.IsDefault) {
				continue // the proxy's own
			}
			l.parts = append(l.parts, inventory.Server{
				Kind: server.ProxyEndpoint, Name: aws.ToString(e.DBProxyEndpointName),
				Cluster: aws.ToString(e.DBProxyName),
				Host:    aws.ToString(e.Endpoint), Status: string(e.Status),
			})
		}
	})
}

// readGlobalClusters notes global writers. RDS lists them in every region that has a member.
func (l *listing) readGlobalClusters(ctx context.Context, client *rds.Client) error {
	input := &rds.DescribeGlobalClustersInput{GlobalClusterIdentifier: l.only}
	pages := rds.NewDescribeGlobalClustersPaginator(client, input)
	return eachPage(ctx, l, pages, func(page *rds.DescribeGlobalClustersOutput) {
		for _, c := range page.GlobalClusters {
			l.ofAccount(c.GlobalClusterArn)
			s := inventory.Server{
				Account: l.account, Partition: l.partition, Region: l.region, Seen: l.now,
				Kind: server.GlobalWriter, Name: aws.ToString(c.GlobalClusterIdentifier),
				Host:   aws.ToString(c.Endpoint),
				Engine: aws.ToString(c.Engine), EngineVersion: aws.ToString(c.EngineVersion),
				Status: aws.ToString(c.Status), Tags: tags(c.TagList),
			}
			for _, m := range c.GlobalClusterMembers {
				// arn:aws:rds:<region>:<account>:cluster:<name>
				arn := strings.Split(aws.ToString(m.DBClusterArn), ":")
				if aws.ToBool(m.IsWriter) && len(arn) == 7 && server.Partition(arn[3]) == l.partition {
					s.Region, s.Cluster = arn[3], arn[6]
				}
			}
			if s.Host == "" {
				continue // an older engine's has none
			}
			e, ok := server.ParseEndpoint(s.Host)
			if ok = ok && e.Kind == server.GlobalWriter && e.Partition == l.partition; ok {
				s.Host = e.Host
			}
			if l.keeps(s, ok) {
				l.globals = append(l.globals, s)
			}
		}
	})
}

func tags(list []types.Tag) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, len(list))
	for _, t := range list {
		m[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return m
}

// setSecret notes what keeps the master user's password.
func setSecret(s *inventory.Server, of *types.MasterUserSecret) {
	if of == nil {
		return
	}
	s.MasterSecretARN = aws.ToString(of.SecretArn)
	if status := aws.ToString(of.SecretStatus); status != "active" {
		s.MasterSecretStatus = status
	}
}

// Find asks RDS about one endpoint: in its region, or in the given one if its name has none. The
// account is that of cfg's credentials. Unlike in the inventory, the resource id of an instance in
// a cluster is the cluster's, which is the one that rds-db:connect is allowed on (Aurora user
// guide, "Creating and using an IAM policy for IAM database access"). found is false when RDS has
// no such server there, or one that doesn't speak MySQL's protocol. Errors are the SDK's.
func Find(
	ctx context.Context, cfg aws.Config, e server.Endpoint, region, account string, now time.Time,
) (s inventory.Server, found bool, err error) {
	region = cmp.Or(e.Region, region)
	client := rds.NewFromConfig(cfg, func(o *rds.Options) { o.Region = region })
	l := newListing(regionKey{account, region}, e.Partition, time.Minute, now)
	l.only = &e.Name
	switch e.Kind {
	case server.Instance:
		if err = l.readInstances(ctx, client); err == nil && l.servers[e.Host].Cluster != "" {
			s = l.servers[e.Host]
			l.only = &s.Cluster
			err = l.readClusters(ctx, client)
			takeMaster(&s, l.clusters[s.Cluster])
			s.ResourceID = l.clusters[s.Cluster].ResourceID
			return s, err == nil, err
		}
	case server.GlobalWriter:
		return l.findGlobal(ctx, cfg, client, e.Host)
	}
	for _, read := range readsToFind[e.Kind] {
		if err = read(l, ctx, client); err != nil || len(l.parts) == 0 {
			break
		}
		l.only = &l.parts[0].Cluster
	}
	if isNotFound(err) {
		err = nil
	}
	l.join()
	s, found = l.servers[e.Host]
	return s, found && err == nil, err
}

// readsToFind are the operations that tell all of an endpoint. What the first one finds names what
// the second one is to ask about.
var readsToFind = map[server.EndpointKind][]func(*listing, context.Context, *rds.Client) error{
	server.Writer:        {(*listing).readClusters},
	server.Reader:        {(*listing).readClusters},
	server.Custom:        {(*listing).readClusterEndpoints, (*listing).readClusters},
	server.Proxy:         {(*listing).readProxies},
	server.ProxyEndpoint: {(*listing).readProxyEndpoints, (*listing).readProxies},
}

// findGlobal asks for a global writer, and then for the cluster that it leads to.
func (l *listing) findGlobal(
	ctx context.Context, cfg aws.Config, client *rds.Client, host string,
) (s inventory.Server, found bool, err error) {
	err = l.readGlobalClusters(ctx, client)
	switch {
	case isNotFound(err):
		return s, false, nil
	case err != nil || len(l.globals) == 0 || l.globals[0].Host != host:
		return s, false, err
	}
	s = l.globals[0]
	l.only = &s.Cluster
	if err = l.readClusters(ctx, rds.NewFromConfig(cfg, func(o *rds.Options) { o.Region = s.Region })); err != nil {
		return s, false, err
	}
	addCluster(&s, l.clusters[s.Cluster])
	return s, true, nil
}
