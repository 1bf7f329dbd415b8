// One endpoint that a person asks about, without the inventory.

package discover

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// Find asks RDS about one endpoint: in its region, or in the given one if its name has none. The
// account is that of cfg's credentials. Unlike in the inventory, the resource id of an instance in
// a cluster is the cluster's, which is the one that rds-db:connect is allowed on (Aurora user
// guide, "Creating and using an IAM policy for IAM database access"). found is false when RDS has
// no such server there, or one that doesn't speak MySQL's protocol. Errors are the SDK's.
func Find(
	ctx context.Context, cfg aws.Config, e server.Endpoint, region, account string, now time.Time,
) (s inventory.Server, found bool, err error) {
	if e.Region != "" {
		region = e.Region
	}
	client := rds.NewFromConfig(cfg, func(o *rds.Options) { o.Region = region })
	l := newListing(regionKey{account, region}, e.Partition, time.Minute, now)
	l.only = e.Name
	switch e.Kind {
	case server.Instance:
		if err = l.readInstances(ctx, client); err == nil {
			if s = l.servers[e.Host]; s.Cluster != "" {
				l.only = s.Cluster
				err = l.readClusters(ctx, client)
				s.ResourceID = l.clusters[s.Cluster].ResourceID
				return s, err == nil, err
			}
		}
	case server.Writer, server.Reader:
		err = l.readClusters(ctx, client)
	case server.Custom:
		if err = l.readClusterEndpoints(ctx, client); err == nil && len(l.customEndpoints) > 0 {
			l.only = l.customEndpoints[0].Cluster
			err = l.readClusters(ctx, client)
		}
	case server.Proxy:
		err = l.readProxies(ctx, client)
	case server.ProxyEndpoint:
		if err = l.readProxyEndpoints(ctx, client); err == nil && len(l.proxyEndpoints) > 0 {
			l.only = l.proxyEndpoints[0].Cluster
			err = l.readProxies(ctx, client)
		}
	case server.GlobalWriter:
		return l.findGlobal(ctx, cfg, client, e.Host)
	}
	if isNotFound(err) {
		err = nil
	}
	l.join()
	s, found = l.servers[e.Host]
	return s, found && err == nil, err
}

// findGlobal asks for a global writer, and then for the cluster that it leads to.
func (l *listing) findGlobal(
	ctx context.Context, cfg aws.Config, client *rds.Client, host string,
) (s inventory.Server, found bool, err error) {
	if err = l.readGlobalClusters(ctx, client); err != nil || len(l.globals) == 0 {
		if isNotFound(err) {
			err = nil
		}
		return s, false, err
	}
	s = l.globals[0]
	if s.Host != host {
		return s, false, nil
	}
	l.only = s.Cluster
	if err = l.readClusters(ctx, rds.NewFromConfig(cfg, func(o *rds.Options) { o.Region = s.Region })); err != nil {
		return s, false, err
	}
	addCluster(&s, l.clusters[s.Cluster])
	return s, true, nil
}
