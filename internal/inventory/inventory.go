// Package inventory keeps what discover learned, in a file that can be asked for one server or
// account without being read: the account, region and AWS profile of each RDS endpoint.
package inventory

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/server"
)

// ErrAbsent is what reading says when there is no inventory.
var ErrAbsent = disk.ErrAbsent

// UntrustedError is an inventory that counts as absent although it is there: others may use it, it
// is of another version, or damaged. It is an [ErrAbsent], too.
type UntrustedError = disk.UntrustedError

// Server is one endpoint of a MySQL-family server, as RDS described it.
type Server struct {
	Host            string              `json:"host,omitempty"` // as server.ParseEndpoint normalises it
	Port            int                 `json:"port,omitempty"`
	Kind            server.EndpointKind `json:"-"`                 // as text in JSON: "kind"
	Name            string              `json:"name,omitempty"`    // of the instance, cluster, endpoint or proxy
	Cluster         string              `json:"cluster,omitempty"` // an instance's; for a proxy's endpoint, the proxy
	Engine          string              `json:"engine,omitempty"`
	EngineVersion   string              `json:"engine_version,omitempty"`
	Status          string              `json:"status,omitempty"`
	ResourceID      string              `json:"resource_id,omitempty"` // for rds-db:connect: db-…, cluster-…, prx-…
	IAM             bool                `json:"-"`                     // it takes tokens; "iam" in JSON, unless Partial
	MasterUser      string              `json:"master_user,omitempty"`
	MasterSecretARN string              `json:"master_secret_arn,omitempty"`
	Tags            map[string]string   `json:"tags,omitempty"`
	Account         string              `json:"account,omitempty"` // its number
	Region          string              `json:"region,omitempty"`  // for a global writer, its writer's
	Partition       string              `json:"partition,omitempty"`
	HostID          string              `json:"id,omitempty"`       // of its account and region; "" where none is known
	Profile         string              `json:"profile,omitempty"`  // the account's preferred one
	Seen            time.Time           `json:"seen,omitzero"`      // when RDS last listed it
	Endpoint        string              `json:"endpoint,omitempty"` // of a tunnel or alias: the host behind it
	Secret          string              `json:"secret,omitempty"`   // by the configuration: what keeps its password
	Unseen          bool                `json:"-"`                  // only the configuration has it

	// MasterSecretStatus is the secret's, where it isn't active: creating, rotating or impaired.
	MasterSecretStatus string `json:"master_secret_status,omitempty"`
}

// Account is one account in one region.
type Account struct {
	HostID    string    `json:"id"` // that both have in host names, 12 letters and digits
	Region    string    `json:"region"`
	Number    string    `json:"account"` // 12 digits
	Partition string    `json:"partition,omitempty"`
	Profile   string    `json:"profile"`  // the preferred one
	Profiles  []string  `json:"profiles"` // all that reach it, the preferred one first
	Why       string    `json:"why"`      // Profile is preferred, in words
	Full      bool      `json:"full"`     // it was read in full the last time
	Seen      time.Time `json:"seen"`     // when it was last read
}

// kinds are the words for a server's kind in JSON.
var kinds = [...]string{
	server.Instance: "instance", server.Writer: "writer", server.Reader: "reader", server.Custom: "custom",
	server.Proxy: "proxy", server.ProxyEndpoint: "proxy-endpoint", server.ShardGroup: "shard-group",
	server.GlobalWriter: "global-writer", server.Tunnel: "tunnel", server.Alias: "alias", server.Elsewhere: "elsewhere",
}

type (
	plain   Server // without the methods
	encoded struct {
		Kind string `json:"kind"`
		IAM  *bool  `json:"iam,omitempty"`
		*plain
	}
)

func (s *Server) encoded() (encoded, error) {
	if s.Kind < 0 || int(s.Kind) >= len(kinds) {
		return encoded{}, fmt.Errorf("no endpoint kind %d", s.Kind)
	}
	e := encoded{Kind: kinds[s.Kind], IAM: &s.IAM, plain: (*plain)(s)}
	if s.Partial() {
		e.IAM = nil
	}
	return e, nil
}

// Partial is a global writer of whose cluster nothing is known, as the cluster's region hasn't been
// read: neither its port nor whether it takes tokens. So is a server that only the configuration
// has.
func (s Server) Partial() bool {
	return s.Unseen || s.Kind == server.GlobalWriter && s.ResourceID == ""
}

// MarshalJSON writes the kind as a word.
func (s Server) MarshalJSON() ([]byte, error) {
	e, err := s.encoded()
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Server) UnmarshalJSON(data []byte) error {
	e := encoded{IAM: &s.IAM, plain: (*plain)(s)}
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	kind := slices.Index(kinds[:], e.Kind)
	if kind < 0 {
		return fmt.Errorf("no endpoint kind %q", e.Kind)
	}
	s.Kind = server.EndpointKind(kind)
	return nil
}

// Path returns where the user's inventory is: inventory.txt in [disk.ConfigDir].
func Path() (string, error) {
	dir, err := disk.ConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the inventory: %w", err)
	}
	return filepath.Join(dir, "inventory.txt"), nil
}
