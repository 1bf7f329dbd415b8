package discover

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/smithy-go"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// reading is what one account said in one region.
type reading struct {
	some      bool // something was answered
	full      bool // everything was
	ids       []string
	servers   []packed
	globals   []inventory.Server // global writers, without what their clusters' region knows of them
	resources []string           // resource ids to ask IAM about, a few
}

// packed is a server as JSON, which takes a quarter of the memory: there may be tens of thousands.
type packed struct {
	host     string
	resource string // its resource id, if IAM authentication is on
	json     []byte
}

// maxResources is how many resource ids of one account and region are kept to ask IAM about. One is enough as
// a rule: policies name all, or none, or those with a common beginning.
const maxResources = 20

// gathered is what the operations put together; some name what others know more of.
type gathered struct {
	run      *run
	pair     *pair
	only     string            // the one name to ask for; "": all
	servers  map[string]packed // by host
	ids      map[string]bool
	clusters map[string]inventory.Server // by name, of every engine
	custom   []inventory.Server
	proxies  map[string]inventory.Server // by name, of every engine
	extra    []inventory.Server          // proxies' endpoints
}

func newGathered(r *run, p *pair) *gathered {
	return &gathered{
		run: r, pair: p, servers: map[string]packed{}, ids: map[string]bool{},
		clusters: map[string]inventory.Server{}, proxies: map[string]inventory.Server{},
	}
}

// name is what to ask for, in the SDK's form.
func (g *gathered) name() *string {
	if g.only == "" {
		return nil
	}
	return &g.only
}

// operation is one of RDS's, all pages of it.
type operation struct {
	name string
	read func(*gathered, context.Context, *rds.Client) error
}

var operations = []operation{
	{"DescribeDBClusters", (*gathered).readClusters},
	{"DescribeDBClusterEndpoints", (*gathered).readClusterEndpoints},
	{"DescribeDBInstances", (*gathered).readInstances},
	{"DescribeDBProxies", (*gathered).readProxies},
	{"DescribeDBProxyEndpoints", (*gathered).readProxyEndpoints},
	{"DescribeGlobalClusters", (*gathered).readGlobalClusters},
}

// read asks, with one profile's credentials, for what nobody has read yet of an account and region.
func (r *run) read(ctx context.Context, p *pair, by *reach) {
	client := rds.NewFromConfig(by.config, func(o *rds.Options) { o.Region, o.Retryer = p.region, newRetryer() })
	var broken error // what every operation would say
	p.pending = slices.DeleteFunc(p.pending, func(op operation) bool {
		err := broken
		if err == nil {
			err = op.read(p.gathered, ctx, client)
		}
		if err == nil || isNotOffered(err) {
			p.reading.some = true
			return true
		}
		if isHopeless(err) {
			broken = err
		}
		if f, ok := p.failures[op.name]; !ok || by.place < f.by.place {
			p.failures[op.name] = failure{by, err}
		}
		return false
	})
	if p.reading.full = len(p.pending) == 0; p.reading.full {
		p.gathered.finish()
		p.gathered = nil
	}
}

// close ends the reading of an account and region: what could be read is kept, and what nobody could read is a problem.
func (r *run) close(ctx context.Context, p *pair) {
	if p.reading.full {
		return
	}
	p.gathered.finish()
	for _, op := range p.pending {
		f, tried := p.failures[op.name]
		if !tried || p.guessed && isDisabled(f.err) { // nobody said that the region was enabled
			continue
		}
		by := f.by.profile.Name
		name := op.name
		if !isDenied(f.err) {
			name = ""
		}
		if isDisabled(f.err) && ctx.Err() == nil { // STS has just taken these credentials elsewhere
			r.problems.add(by, p.account, p.region, "", "the region is not enabled in the account ("+code(f.err)+")",
				"aws account enable-region --region-name "+advice.Word(p.region)+" --profile "+advice.Word(by), "disabled "+p.region)
			continue
		}
		r.failed(ctx, by, p.account, p.region, name, f.err)
	}
}

// isNotOffered recognises an operation that a region doesn't have: there is nothing to read then. The second form
// is what RDS says of global clusters where it has none.
func isNotOffered(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "InvalidAction" || api.ErrorCode() == "InvalidParameterValue" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "access denied to api version"))
}

// isHopeless says that other operations would fail the same way: credentials that aren't taken in this region or any
// more, no patience, no answer at all.
func isHopeless(err error) bool {
	var api smithy.APIError
	return !errors.As(err, &api) || isDisabled(err) || strings.HasPrefix(code(err), "Throttling") || slices.Contains([]string{
		"ExpiredToken", "ExpiredTokenException", "RequestExpired", "SignatureDoesNotMatch", "RequestLimitExceeded",
	}, code(err))
}

// isMySQL recognises the engines that speak MySQL's protocol; "aurora" was Aurora MySQL 1.
func isMySQL(engine string) bool {
	return slices.Contains([]string{"mysql", "mariadb", "aurora-mysql", "aurora"}, engine)
}

// add notes an endpoint: its id, whatever the engine, and the server if it speaks MySQL.
func (g *gathered) add(s inventory.Server) {
	if s.Host == "" {
		return // still being created
	}
	s.Account, s.Partition, s.Region, s.Seen = g.pair.account, g.pair.partition, g.pair.region, g.run.in.Now
	e, ok := server.ParseEndpoint(s.Host)
	s.Host = server.NormalHost(s.Host)
	if ok && e.Region == s.Region {
		g.ids[e.ID] = true
		s.Kind, s.ID = e.Kind, e.ID
	}
	if isMySQL(s.Engine) {
		g.servers[s.Host] = pack(s)
	}
}

// finish joins what belongs together, and packs it.
func (g *gathered) finish() {
	for _, c := range g.custom {
		of := g.clusters[c.Cluster]
		c.Port, c.Engine, c.EngineVersion, c.ResourceID, c.IAM = of.Port, of.Engine, of.EngineVersion, of.ResourceID, of.IAM
		c.MasterUser, c.MasterSecretARN, c.Tags = of.MasterUser, of.MasterSecretARN, of.Tags
		g.add(c)
	}
	for _, e := range g.extra {
		of := g.proxies[e.Cluster]
		e.Port, e.Engine, e.ResourceID, e.IAM = of.Port, of.Engine, of.ResourceID, of.IAM
		g.add(e)
	}
	r := &g.pair.reading
	r.ids = slices.Sorted(maps.Keys(g.ids))
	r.some = r.some || len(r.ids) > 0 // a first page, perhaps
	for _, host := range slices.Sorted(maps.Keys(g.servers)) {
		s := g.servers[host]
		if s.resource != "" && len(r.resources) < maxResources {
			include(&r.resources, s.resource)
		}
		r.servers = append(r.servers, s)
	}
	g.run.mu.Lock()
	g.run.servers += len(r.servers)
	g.run.mu.Unlock()
}

// pager is a paginator of the SDK.
type pager[Page any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*rds.Options)) (*Page, error)
}

// eachPage goes through all pages. A region that doesn't answer must not hold the others up, so that each page has to
// come in time.
func eachPage[Page any](ctx context.Context, timeout time.Duration, pages pager[Page], do func(*Page)) error {
	for pages.HasMorePages() {
		inTime, cancel := context.WithTimeout(ctx, timeout)
		page, err := pages.NextPage(inTime)
		cancel()
		if err != nil {
			return err
		}
		do(page)
	}
	return nil
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

func secretARN(s *types.MasterUserSecret) string {
	if s == nil {
		return ""
	}
	return aws.ToString(s.SecretArn)
}

func (g *gathered) readClusters(ctx context.Context, client *rds.Client) error {
	ask := &rds.DescribeDBClustersInput{DBClusterIdentifier: g.name()}
	return eachPage(ctx, g.run.in.Timeout, rds.NewDescribeDBClustersPaginator(client, ask), func(page *rds.DescribeDBClustersOutput) {
		for _, c := range page.DBClusters {
			name := aws.ToString(c.DBClusterIdentifier)
			s := inventory.Server{
				Kind: server.Writer, Name: name, Cluster: name,
				Host: aws.ToString(c.Endpoint), Port: int(aws.ToInt32(c.Port)),
				Engine: aws.ToString(c.Engine), EngineVersion: aws.ToString(c.EngineVersion), Status: aws.ToString(c.Status),
				ResourceID: aws.ToString(c.DbClusterResourceId), IAM: aws.ToBool(c.IAMDatabaseAuthenticationEnabled),
				MasterUser: aws.ToString(c.MasterUsername), MasterSecretARN: secretARN(c.MasterUserSecret), Tags: tags(c.TagList),
			}
			g.clusters[name] = s
			g.add(s)
			s.Kind, s.Host = server.Reader, aws.ToString(c.ReaderEndpoint)
			g.add(s)
		}
	})
}

func (g *gathered) readClusterEndpoints(ctx context.Context, client *rds.Client) error {
	ask := &rds.DescribeDBClusterEndpointsInput{DBClusterEndpointIdentifier: g.name()}
	return eachPage(ctx, g.run.in.Timeout, rds.NewDescribeDBClusterEndpointsPaginator(client, ask), func(page *rds.DescribeDBClusterEndpointsOutput) {
		for _, e := range page.DBClusterEndpoints {
			if aws.ToString(e.EndpointType) != "CUSTOM" {
				continue // the cluster itself names its writer and reader
			}
			g.custom = append(g.custom, inventory.Server{
				Kind: server.Custom, Name: aws.ToString(e.DBClusterEndpointIdentifier),
				Cluster: aws.ToString(e.DBClusterIdentifier), Host: aws.ToString(e.Endpoint), Status: aws.ToString(e.Status),
			})
		}
	})
}

func (g *gathered) readInstances(ctx context.Context, client *rds.Client) error {
	ask := &rds.DescribeDBInstancesInput{DBInstanceIdentifier: g.name()}
	return eachPage(ctx, g.run.in.Timeout, rds.NewDescribeDBInstancesPaginator(client, ask), func(page *rds.DescribeDBInstancesOutput) {
		for _, i := range page.DBInstances {
			if i.Endpoint == nil {
				continue // still being created
			}
			g.add(inventory.Server{
				Kind: server.Instance, Name: aws.ToString(i.DBInstanceIdentifier), Cluster: aws.ToString(i.DBClusterIdentifier),
				Host: aws.ToString(i.Endpoint.Address), Port: int(aws.ToInt32(i.Endpoint.Port)),
				Engine: aws.ToString(i.Engine), EngineVersion: aws.ToString(i.EngineVersion), Status: aws.ToString(i.DBInstanceStatus),
				ResourceID: aws.ToString(i.DbiResourceId), IAM: aws.ToBool(i.IAMDatabaseAuthenticationEnabled),
				MasterUser: aws.ToString(i.MasterUsername), MasterSecretARN: secretARN(i.MasterUserSecret), Tags: tags(i.TagList),
			})
		}
	})
}

func (g *gathered) readProxies(ctx context.Context, client *rds.Client) error {
	ask := &rds.DescribeDBProxiesInput{DBProxyName: g.name()}
	return eachPage(ctx, g.run.in.Timeout, rds.NewDescribeDBProxiesPaginator(client, ask), func(page *rds.DescribeDBProxiesOutput) {
		for _, p := range page.DBProxies {
			arn := aws.ToString(p.DBProxyArn)
			s := inventory.Server{
				Kind: server.Proxy, Name: aws.ToString(p.DBProxyName),
				Host: aws.ToString(p.Endpoint), Port: server.DefaultPort,
				Engine: strings.ToLower(aws.ToString(p.EngineFamily)), Status: string(p.Status),
				ResourceID: arn[strings.LastIndexByte(arn, ':')+1:],
				IAM: aws.ToString(p.DefaultAuthScheme) == string(types.DefaultAuthSchemeIamAuth) ||
					slices.ContainsFunc(p.Auth, takesIAM),
			}
			g.proxies[s.Name] = s
			g.add(s)
		}
	})
}

func takesIAM(a types.UserAuthConfigInfo) bool {
	return a.IAMAuth == types.IAMAuthModeRequired || a.IAMAuth == types.IAMAuthModeEnabled
}

func (g *gathered) readProxyEndpoints(ctx context.Context, client *rds.Client) error {
	ask := &rds.DescribeDBProxyEndpointsInput{DBProxyEndpointName: g.name()}
	return eachPage(ctx, g.run.in.Timeout, rds.NewDescribeDBProxyEndpointsPaginator(client, ask), func(page *rds.DescribeDBProxyEndpointsOutput) {
		for _, e := range page.DBProxyEndpoints {
			if aws.ToBool(e.IsDefault) {
				continue // the proxy's own
			}
			g.extra = append(g.extra, inventory.Server{
				Kind: server.ProxyEndpoint, Name: aws.ToString(e.DBProxyEndpointName), Cluster: aws.ToString(e.DBProxyName),
				Host: aws.ToString(e.Endpoint), Status: string(e.Status),
			})
		}
	})
}

// readGlobalClusters notes global writers. RDS lists them in every region that has a member.
func (g *gathered) readGlobalClusters(ctx context.Context, client *rds.Client) error {
	ask := &rds.DescribeGlobalClustersInput{GlobalClusterIdentifier: g.name()}
	return eachPage(ctx, g.run.in.Timeout, rds.NewDescribeGlobalClustersPaginator(client, ask), func(page *rds.DescribeGlobalClustersOutput) {
		for _, c := range page.GlobalClusters {
			s := inventory.Server{
				Account: g.pair.account, Partition: g.pair.partition, Region: g.pair.region, Seen: g.run.in.Now,
				Kind: server.GlobalWriter, Name: aws.ToString(c.GlobalClusterIdentifier), Host: aws.ToString(c.Endpoint),
				Engine: aws.ToString(c.Engine), EngineVersion: aws.ToString(c.EngineVersion), Status: aws.ToString(c.Status),
				Tags: tags(c.TagList),
			}
			for _, m := range c.GlobalClusterMembers {
				// arn:aws:rds:<region>:<account>:cluster:<name>
				if arn := strings.Split(aws.ToString(m.DBClusterArn), ":"); aws.ToBool(m.IsWriter) && len(arn) == 7 {
					s.Region, s.Cluster = arn[3], arn[6]
				}
			}
			if s.Host = server.NormalHost(s.Host); s.Host != "" && isMySQL(s.Engine) {
				g.pair.reading.globals = append(g.pair.reading.globals, s)
			}
		}
	})
}

func pack(s inventory.Server) packed {
	data, err := json.Marshal(s)
	if err != nil {
		panic("discover: a server that is no JSON: " + err.Error()) // it is made of text and the kinds there are
	}
	p := packed{host: strings.Clone(s.Host), json: data}
	if s.IAM {
		p.resource = strings.Clone(s.ResourceID)
	}
	return p
}

// unpack gives a packed server back.
func unpack(p packed) (inventory.Server, error) {
	var s inventory.Server
	err := json.Unmarshal(p.json, &s)
	return s, err
}
