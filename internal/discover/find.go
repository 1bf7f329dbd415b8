// One endpoint that a person asks about, without the inventory.

package discover

import (
	"cmp"
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
