package discover

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// Find asks RDS about one endpoint: in its region, or in the given one if its name has none. The account is that of
// cfg's credentials. Unlike in the inventory, the resource id of an instance in a cluster is the cluster's, which is the
// one that rds-db:connect is allowed on (Aurora user guide, "Creating and using an IAM policy for IAM database access").
// found is false when RDS has no such server there, or one that doesn't speak MySQL's protocol. Errors are the SDK's.
func Find(ctx context.Context, cfg aws.Config, e server.Endpoint, region, account string, now time.Time) (s inventory.Server, found bool, err error) {
	if e.Region != "" {
		region = e.Region
	}
	client := rds.NewFromConfig(cfg, func(o *rds.Options) { o.Region = region })
	g := newGathered(&run{in: Input{Timeout: time.Minute, Now: now}}, &pair{account: account, partition: e.Partition, region: region})
	g.only = e.Name
	switch e.Kind {
	case server.Instance:
		if err = g.readInstances(ctx, client); err == nil {
			if s, _ = g.server(e.Host); s.Cluster != "" {
				g.only = s.Cluster
				err = g.readClusters(ctx, client)
				s.ResourceID = g.clusters[s.Cluster].ResourceID
				return s, err == nil, err
			}
		}
	case server.Writer, server.Reader:
		err = g.readClusters(ctx, client)
	case server.Custom:
		if err = g.readClusterEndpoints(ctx, client); err == nil && len(g.custom) > 0 {
			g.only = g.custom[0].Cluster
			err = g.readClusters(ctx, client)
		}
	case server.Proxy:
		err = g.readProxies(ctx, client)
	case server.ProxyEndpoint:
		if err = g.readProxyEndpoints(ctx, client); err == nil && len(g.extra) > 0 {
			g.only = g.extra[0].Cluster
			err = g.readProxies(ctx, client)
		}
	case server.GlobalWriter:
		return g.findGlobal(ctx, cfg, client, e.Host)
	}
	if isNotFound(err) {
		err = nil
	}
	g.finish()
	s, found = g.server(e.Host)
	return s, found && err == nil, err
}

// findGlobal asks for a global writer, and then for the cluster that it leads to.
func (g *gathered) findGlobal(ctx context.Context, cfg aws.Config, client *rds.Client, host string) (s inventory.Server, found bool, err error) {
	if err = g.readGlobalClusters(ctx, client); err != nil || len(g.pair.reading.globals) == 0 {
		if isNotFound(err) {
			err = nil
		}
		return s, false, err
	}
	s = g.pair.reading.globals[0]
	if s.Host != host {
		return s, false, nil
	}
	g.only = s.Cluster
	if err = g.readClusters(ctx, rds.NewFromConfig(cfg, func(o *rds.Options) { o.Region = s.Region })); err != nil {
		return s, false, err
	}
	inherit(&s, g.clusters[s.Cluster])
	return s, true, nil
}

// isNotFound says that there is nothing of that name.
func isNotFound(err error) bool {
	switch code(err) {
	case "DBInstanceNotFound", "DBClusterNotFoundFault", "DBClusterEndpointNotFoundFault", "DBProxyNotFoundFault",
		"DBProxyEndpointNotFoundFault", "GlobalClusterNotFoundFault":
		return true
	}
	return false
}

// server gives one of those that were gathered.
func (g *gathered) server(host string) (s inventory.Server, found bool) {
	p, found := g.servers[host]
	if found {
		s, _ = unpack(p) // which add has packed
	}
	return s, found
}
