package server

import (
	"strings"
	"unicode"
)

// EndpointKind says which of a server's doors an RDS endpoint is.
type EndpointKind int

const (
	Instance      EndpointKind = iota // name.id.region…
	Writer                            // name.cluster-id…: Aurora and Multi-AZ DB clusters
	Reader                            // name.cluster-ro-id…
	Custom                            // name.cluster-custom-id…
	Proxy                             // name.proxy-id…
	ProxyEndpoint                     // name.endpoint.proxy-id…
	ShardGroup                        // name.shardgrp-id…
	GlobalWriter                      // name.global-id.global.rds…

	// Servers of the configuration whose host is none of RDS.
	Tunnel    // ends at this machine
	Alias     // a name of somebody's own
	Elsewhere // not ours: its password is the other helper's, or nobody's
)

// String names the kind in the words of the RDS user guide.
func (k EndpointKind) String() string {
	switch k {
	case Instance:
		return "instance"
	case Writer:
		return "cluster writer"
	case Reader:
		return "cluster reader"
	case Custom:
		return "custom cluster endpoint"
	case Proxy:
		return "RDS Proxy"
	case ProxyEndpoint:
		return "RDS Proxy endpoint"
	case ShardGroup:
		return "shard group"
	case GlobalWriter:
		return "global writer"
	case Tunnel:
		return "tunnel"
	case Alias:
		return "alias"
	case Elsewhere:
		return "elsewhere"
	}
	return "unknown"
}

// Endpoint is an RDS or Aurora host name taken apart.
type Endpoint struct {
	Host      string // normalised: lower case, no final dot
	Kind      EndpointKind
	Name      string
	HostID    string // one value for each pair of account and region (RDS user guide, "DB instances")
	Region    string // empty for a GlobalWriter, whose name has none
	Partition string // aws, aws-cn, aws-us-gov, aws-iso, aws-iso-b or aws-eusc
}

// idKinds are the prefixes of the label that holds the id; the longer come first. Sources: the
// RDS and Aurora user guides and the endpoint patterns of AWS's advanced JDBC and Go wrappers.
var idKinds = [...]struct {
	prefix string
	kind   EndpointKind
}{
	{"cluster-custom-", Custom},
	{"cluster-ro-", Reader},
	{"cluster-", Writer},
	{"shardgrp-", ShardGroup},
	{"global-", GlobalWriter},
	{"proxy-", Proxy},
	{"", Instance},
}

// domains are the DNS suffixes of RDS with the order of their labels: <id>.<region>.rds.<suffix>
// or, with rdsFirst, <id>.rds.<region>.<suffix>. China has both.
var domains = [...]struct {
	suffix     string
	rdsFirst   bool
	partitions string // those whose regions may stand there
}{
	{".amazonaws.com", false, "aws aws-us-gov"},
	{".amazonaws.com.cn", true, "aws-cn"},
	{".amazonaws.com.cn", false, "aws-cn"},
	{".c2s.ic.gov", true, "aws-iso"},
	{".sc2s.sgov.gov", true, "aws-iso-b"},
	{".amazonaws.eu", false, "aws-eusc"},
	{".amazonaws.eu", true, "aws-eusc"},
}

// ParseEndpoint recognises a host name that RDS gave to a MySQL-speaking server, in any letter
// case and with or without a final dot. It is false for everything else: look-alikes, regions
// that don't fit the partition, the management API, Aurora DSQL.
func ParseEndpoint(host string) (Endpoint, bool) {
	// Some letters beyond ASCII, such as the Kelvin sign, have a lower case within it.
	if strings.IndexFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
		return Endpoint{}, false
	}
	host = NormalHost(host)
	for _, d := range domains {
		rest, ok := strings.CutSuffix(host, d.suffix)
		if !ok {
			continue
		}
		labels := strings.Split(rest, ".")
		if len(labels) < 4 {
			continue
		}
		rds, region := labels[len(labels)-1], labels[len(labels)-2]
		if d.rdsFirst {
			rds, region = region, rds
		}
		if rds != "rds" {
			continue
		}
		e, ok := parseLabels(labels[:len(labels)-2])
		if !ok {
			continue
		}
		if e.Host = host; e.Kind == GlobalWriter {
			if region == "global" && !d.rdsFirst {
				e.Partition, _, _ = strings.Cut(d.partitions, " ")
				return e, true
			}
			continue
		}
		p := Partition(region)
		if p == "" || !strings.Contains(" "+d.partitions+" ", " "+p+" ") {
			continue
		}
		e.Region, e.Partition = region, p
		return e, true
	}
	return Endpoint{}, false
}

// parseLabels reads the labels before the region: name and id.
func parseLabels(labels []string) (Endpoint, bool) {
	e := Endpoint{Name: labels[0]}
	idLabel := labels[len(labels)-1]
	for _, k := range idKinds {
		id, ok := strings.CutPrefix(idLabel, k.prefix)
		if !ok {
			continue
		}
		e.Kind, e.HostID = k.kind, id
		break
	}
	switch {
	case len(labels) == 2:
	case len(labels) == 3 && labels[1] == "endpoint" && e.Kind == Proxy:
		e.Kind = ProxyEndpoint
	default:
		return Endpoint{}, false
	}
	return e, isName(e.Name) && isID(e.HostID)
}

// isName holds for a DB identifier: letters, digits and hyphens, no hyphen at the ends.
func isName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isID(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// Partition returns the partition that a region's name belongs to, by the patterns of botocore's
// partitions.json, or "" when the name is no region's.
func Partition(region string) string {
	parts := strings.Split(region, "-")
	for _, p := range parts {
		if p == "" {
			return ""
		}
	}
	if len(parts) < 3 || strings.Trim(parts[len(parts)-1], "0123456789") != "" {
		return ""
	}
	for _, p := range parts[:len(parts)-1] {
		if strings.Trim(p, "abcdefghijklmnopqrstuvwxyz") != "" {
			return ""
		}
	}
	middle := len(parts) - 2 // labels before the geographic one and the number
	switch parts[0] {
	case "us":
		switch {
		case middle == 1:
			return "aws"
		case middle == 2 && parts[1] == "gov":
			return "aws-us-gov"
		case middle == 2 && parts[1] == "iso":
			return "aws-iso"
		case middle == 2 && parts[1] == "isob":
			return "aws-iso-b"
		}
	case "eu", "ap", "sa", "ca", "me", "af", "il", "mx":
		if middle == 1 {
			return "aws"
		}
	case "cn":
		if middle == 1 {
			return "aws-cn"
		}
	case "eusc":
		if middle == 2 && parts[1] == "de" {
			return "aws-eusc"
		}
	}
	return ""
}

// IsAccountNumber reports whether s is the number of an AWS account, which has 12 digits.
func IsAccountNumber(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }
