// One question to RDS about one server, where nobody knows whose it is.

package discover

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// Sight is what RDS shows one caller of an endpoint whose account isn't known.
type Sight struct {
	Has       bool     // the account has that very endpoint; for [Sight.List], one with its id
	Account   string   // the caller's, by its number; "" where RDS has shown nothing of it
	Region    string   // that was asked; after [Sight.Complete], the server's
	Partition string   // of the region
	HostIDs   []string // that the account has in Region, as far as RDS has shown; one, as a rule

	endpoint server.Endpoint
	config   aws.Config
	listing  *listing
}

// looks are the operations that say with one call whether an account has an endpoint.
var looks = map[server.EndpointKind]operation{
	server.Instance:      {"DescribeDBInstances", (*listing).readInstances},
	server.Writer:        {"DescribeDBClusters", (*listing).readClusters},
	server.Reader:        {"DescribeDBClusters", (*listing).readClusters},
	server.Custom:        {"DescribeDBClusterEndpoints", (*listing).readClusterEndpoints},
	server.Proxy:         {"DescribeDBProxies", (*listing).readProxies},
	server.ProxyEndpoint: {"DescribeDBProxyEndpoints", (*listing).readProxyEndpoints},
	server.GlobalWriter:  {"DescribeGlobalClusters", (*listing).readGlobalClusters},
}

// Operation is the one of RDS that [Look] calls for a kind of endpoint, or "" when there is none.
func Operation(kind server.EndpointKind) string { return looks[kind].name }

// lookAttempts is how often a call of Look and of the methods of [Sight] is tried: many accounts
// are asked, and a person waits.
const lookAttempts = 2

// Look asks RDS with one call whether cfg's caller has an endpoint: in its region, or in the given
// one if its name has none. That it has none of the name is no error; errors are the SDK's. A name
// alone says nothing: several accounts may have servers of one name.
func Look(ctx context.Context, cfg aws.Config, e server.Endpoint, region string, now time.Time) (*Sight, error) {
	s := &Sight{Region: cmp.Or(e.Region, region), Partition: e.Partition, endpoint: e, config: cfg}
	s.listing = newListing(regionKey{"", s.Region}, s.Partition, time.Minute, now)
	s.listing.only = &e.Name
	op, ok := looks[e.Kind]
	if !ok {
		return s, nil
	}
	err := op.read(s.listing, ctx, s.client())
	if isNotFound(err) || isNotOffered(err) {
		err = nil
	}
	s.take()
	return s, err
}

func (s *Sight) client() *rds.Client {
	return rds.NewFromConfig(s.config, func(o *rds.Options) {
		o.Region, o.RetryMaxAttempts = s.Region, lookAttempts
	})
}

// take takes over what the listing has got.
func (s *Sight) take() {
	l := s.listing
	for _, part := range l.parts {
		if e, ok := server.ParseEndpoint(part.Host); ok && e.Kind == part.Kind && e.Region == l.region {
			l.hostIDs[e.HostID] = true
		}
	}
	s.Account, s.HostIDs = l.account, slices.Sorted(maps.Keys(l.hostIDs))
	if s.endpoint.Kind == server.GlobalWriter {
		s.Has = slices.ContainsFunc(l.globals, func(g inventory.Server) bool { return g.Host == s.endpoint.Host })
	} else {
		s.Has = l.hostIDs[s.endpoint.HostID]
	}
}

// List asks for a few servers of the account, whichever they are: instances, or clusters when it
// has none. Any of them has the account's id in the region.
func (s *Sight) List(ctx context.Context) error {
	l := s.listing
	l.only, l.sample = nil, aws.Int32(minRecords)
	for _, read := range []func(*listing, context.Context, *rds.Client) error{
		(*listing).readInstances, (*listing).readClusters,
	} {
		if err := read(l, ctx, s.client()); err != nil {
			return err
		}
		if s.take(); len(s.HostIDs) > 0 {
			break
		}
	}
	return nil
}

// Complete returns the server as [Run] would keep it, if Look has found it: where one call doesn't
// tell all, it makes a second one. found is false when RDS hasn't shown that very server, or it
// doesn't speak MySQL's protocol. With an error, the SDK's, there is as much as is known.
func (s *Sight) Complete(ctx context.Context) (srv inventory.Server, found bool, err error) {
	l, host := s.listing, s.endpoint.Host
	switch s.endpoint.Kind {
	case server.GlobalWriter:
		return s.completeGlobal(ctx)
	case server.Custom, server.ProxyEndpoint:
		if i := slices.IndexFunc(l.parts, func(p inventory.Server) bool { return p.Host == host }); i >= 0 {
			l.only = &l.parts[i].Cluster
			err = readsToFind[s.endpoint.Kind][1](l, ctx, s.client())
		}
	case server.Instance:
		if srv = l.servers[host]; srv.Cluster != "" && srv.MasterSecretARN == "" {
			l.only = &srv.Cluster
			err = l.readClusters(ctx, s.client())
		}
	}
	if isNotFound(err) {
		err = nil
	}
	l.join()
	srv, found = l.servers[host]
	return srv, found, err
}

// completeGlobal asks for the cluster that a global writer leads to. It may be in another region.
func (s *Sight) completeGlobal(ctx context.Context) (srv inventory.Server, found bool, err error) {
	i := slices.IndexFunc(s.listing.globals, func(g inventory.Server) bool { return g.Host == s.endpoint.Host })
	if i < 0 {
		return srv, false, nil
	}
	srv = s.listing.globals[i]
	s.Region = srv.Region
	l := newListing(regionKey{s.Account, s.Region}, s.Partition, time.Minute, s.listing.now)
	l.only = &srv.Cluster
	err = l.readClusters(ctx, s.client())
	addCluster(&srv, l.clusters[srv.Cluster])
	s.HostIDs = slices.Sorted(maps.Keys(l.hostIDs))
	if len(s.HostIDs) > 0 {
		srv.HostID = s.HostIDs[0]
	}
	return srv, true, err
}
