package server

import (
	"slices"
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
	Partition string // what [Partition] returns for Region, or aws-au, aws-uk: see domains
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

// domain is a DNS suffix of RDS with one order of the labels before it: <id>.<region>.rds or, with
// rdsFirst, <id>.rds.<region>. In the place of rds may stand rds-fips.
type domain struct {
	suffix     string
	rdsFirst   bool
	fipsOnly   bool     // nothing but rds-fips may
	partitions []string // those whose regions may stand there
	rest       string   // the partition of regions that no partition knows, or "": there are none
}

// domains are those of the SDK's partitions (internal/endpoints/awsrulesfn/partitions.json in
// aws-sdk-go-v2 1.48), in the orders that the RDS user guides and AWS's advanced JDBC, Node.js and Ruby
// wrappers show. Those know amazonaws.au and amazonaws.uk, too, for whose partitions there are no
// names yet: aws-au and aws-uk are ours. Under amazonaws.com and amazonaws.com.cn a region has to
// fit a pattern of the SDK's; under the others, which have few regions, it may be one that opens
// tomorrow.
var domains = [...]domain{
	{suffix: ".amazonaws.com", partitions: []string{"aws", "aws-us-gov"}},
	{suffix: ".amazonaws.com", rdsFirst: true, partitions: []string{"aws-us-gov"}},
	{suffix: ".amazonaws.com", rdsFirst: true, fipsOnly: true, partitions: []string{"aws"}},
	{suffix: ".amazonaws.com.cn", rdsFirst: true, partitions: []string{"aws-cn"}},
	{suffix: ".amazonaws.com.cn", partitions: []string{"aws-cn"}},
	{suffix: ".c2s.ic.gov", rdsFirst: true, partitions: []string{"aws-iso"}, rest: "aws-iso"},
	{suffix: ".c2s.ic.gov", partitions: []string{"aws-iso"}, rest: "aws-iso"},
	{suffix: ".sc2s.sgov.gov", rdsFirst: true, partitions: []string{"aws-iso-b"}, rest: "aws-iso-b"},
	{suffix: ".sc2s.sgov.gov", partitions: []string{"aws-iso-b"}, rest: "aws-iso-b"},
	{suffix: ".cloud.adc-e.uk", rdsFirst: true, partitions: []string{"aws-iso-e"}, rest: "aws-iso-e"},
	{suffix: ".cloud.adc-e.uk", partitions: []string{"aws-iso-e"}, rest: "aws-iso-e"},
	{suffix: ".csp.hci.ic.gov", rdsFirst: true, partitions: []string{"aws-iso-f"}, rest: "aws-iso-f"},
	{suffix: ".csp.hci.ic.gov", partitions: []string{"aws-iso-f"}, rest: "aws-iso-f"},
	{suffix: ".amazonaws.eu", partitions: []string{"aws-eusc"}, rest: "aws-eusc"},
	{suffix: ".amazonaws.eu", rdsFirst: true, partitions: []string{"aws-eusc"}, rest: "aws-eusc"},
	{suffix: ".amazonaws.au", rest: "aws-au"},
	{suffix: ".amazonaws.au", rdsFirst: true, rest: "aws-au"},
	{suffix: ".amazonaws.uk", rest: "aws-uk"},
	{suffix: ".amazonaws.uk", rdsFirst: true, rest: "aws-uk"},
}

// partition returns the partition of a region's servers under the suffix, or "" when the region
// can't stand there.
func (d domain) partition(region string) string {
	p := Partition(region)
	switch {
	case p != "" && slices.Contains(d.partitions, p):
		return p
	case isRegion(region) && (p == "" || len(d.partitions) == 0):
		return d.rest
	}
	return ""
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
		if e, ok := d.parse(rest); ok {
			e.Host = host
			return e, true
		}
	}
	return Endpoint{}, false
}

// parse reads what stands before the suffix.
func (d domain) parse(text string) (Endpoint, bool) {
	labels := strings.Split(text, ".")
	if len(labels) < 4 {
		return Endpoint{}, false
	}
	rds, region := labels[len(labels)-1], labels[len(labels)-2]
	if d.rdsFirst {
		rds, region = region, rds
	}
	if rds != "rds-fips" && (rds != "rds" || d.fipsOnly) {
		return Endpoint{}, false
	}
	e, ok := parseLabels(labels[:len(labels)-2])
	if !ok {
		return Endpoint{}, false
	}
	if e.Kind == GlobalWriter {
		e.Partition = d.rest
		if len(d.partitions) > 0 {
			e.Partition = d.partitions[0]
		}
		return e, region == "global" && rds == "rds" && !d.rdsFirst
	}
	e.Region, e.Partition = region, d.partition(region)
	return e, e.Partition != ""
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

// isRegion reports whether s has the form of a region's name: two words at least, and a number.
func isRegion(s string) bool {
	const maxLabel = 63 // bytes, as it is one of a host name (RFC 1035)
	parts := strings.Split(s, "-")
	number := parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz") != "" {
			return false
		}
	}
	return len(s) <= maxLabel && len(parts) >= 3 && number != "" && strings.Trim(number, "0123456789") == ""
}

// Partition returns the partition that a region's name belongs to, by the patterns of the SDK's
// partitions.json, or "" when the name is no region's.
func Partition(region string) string {
	if !isRegion(region) {
		return ""
	}
	parts := strings.Split(region, "-")
	kind := parts[0]
	if len(parts) == 4 {
		kind += "-" + parts[1]
	}
	if len(parts) > 4 {
		return ""
	}
	switch kind {
	case "us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx":
		return "aws"
	case "cn":
		return "aws-cn"
	case "us-gov":
		return "aws-us-gov"
	case "us-iso":
		return "aws-iso"
	case "us-isob":
		return "aws-iso-b"
	case "eu-isoe":
		return "aws-iso-e"
	case "us-isof":
		return "aws-iso-f"
	case "eusc-de":
		return "aws-eusc"
	}
	return ""
}

// IsAccountNumber reports whether s is the number of an AWS account, which has 12 digits.
func IsAccountNumber(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }
