package cli

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
)

// servers returns the servers that discover found, and after them those that only the configuration
// has.
func (c *console) servers(cfg *config.Config) ([]inventory.Server, error) {
	servers, err := allServers(cfg)
	if err != nil && len(servers) > 0 {
		warn(c.stderr, advice.Of(err).OneLine())
		err = nil
	}
	return servers, err
}

// allServers returns what can be had of the servers, and with it an error for those that discover
// may have found, unless there is nothing to be had yet.
func allServers(cfg *config.Config) ([]inventory.Server, error) {
	servers, err := inventoryServers()
	configured := configuredServers(cfg, servers)
	if err == inventory.ErrAbsent && len(configured) > 0 {
		err = nil
	}
	return append(servers, configured...), unusable(err)
}

// configuredServers returns the entries of servers in the configuration, but for those that are
// among the known ones.
func configuredServers(cfg *config.Config, known []inventory.Server) []inventory.Server {
	learned := &inventory.User{}
	defer learned.Close()
	var list []inventory.Server
	for _, l := range cfg.Servers() {
		if !slices.ContainsFunc(known, func(s inventory.Server) bool { return s.Host == l.Host }) {
			list = append(list, configured(l, cfg, learned))
		}
	}
	return list
}

// configured returns what is known of a server in the configuration: what discover learned of the
// endpoint behind it, as far as it did.
func configured(l config.Listed, cfg *config.Config, learned *inventory.User) inventory.Server {
	u := server.URL{Kind: server.TCP, Host: l.Host, Port: l.Port}
	res, err := resolve.FromEnvironment().URL(context.Background(), u, cfg, learned, noAlias)
	s := inventory.Server{Unseen: true}
	if res.Server != nil {
		s = *res.Server
	}
	ep := res.Endpoint
	if ep.Host == "" {
		ep, _ = server.ParseEndpoint(l.Host) // of a server with a password
	}
	s.Kind, s.Name, s.HostID = ep.Kind, ep.Name, ep.HostID
	s.Region, s.Profile = cmp.Or(res.Target.Region, ep.Region), res.Target.Profile
	s.Host, s.Port = l.Host, cmp.Or(l.Port, s.Port)
	if ep.Host == l.Host {
		return s
	}
	s.Endpoint, s.Name = ep.Host, l.Host
	switch {
	case err == nil && res.Outcome != resolve.ToToken:
		s.Kind, s.Endpoint = server.Elsewhere, ""
	case config.IsLoopback(l.Host):
		s.Kind, s.Port = server.Tunnel, l.Port
	default:
		s.Kind = server.Alias
	}
	if l.Port != 0 {
		s.Name = net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
	}
	return s
}
