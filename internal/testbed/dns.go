package testbed

import (
	"net"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a DNS server that knows aliases, and nothing else, over UDP.
type DNS struct {
	conn    net.PacketConn
	aliases map[string]string
	wg      sync.WaitGroup

	mu      sync.Mutex
	queries []string
}

// StartDNS starts a server on an address of this machine; resolvers ask on port 53. The aliases
// are by name, without final dots.
func StartDNS(address string, aliases map[string]string) (*DNS, error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	d := &DNS{conn: conn, aliases: aliases}
	d.wg.Go(d.serve)
	return d, nil
}

// Close ends the server.
func (d *DNS) Close() {
	_ = d.conn.Close()
	d.wg.Wait()
}

// Queries lists the names that were asked for, in order.
func (d *DNS) Queries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.queries...)
}

func (d *DNS) serve() {
	buf := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(m.Questions[0].Name.String(), "."))
		d.mu.Lock()
		d.queries = append(d.queries, name)
		d.mu.Unlock()
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		if alias, ok := d.aliases[name]; !ok {
			m.RCode = dnsmessage.RCodeNameError
		} else if target, err := dnsmessage.NewName(alias + "."); err == nil {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 5},
				Body:   &dnsmessage.CNAMEResource{CNAME: target},
			}}
		}
		if reply, err := m.Pack(); err == nil {
			_, _ = d.conn.WriteTo(reply, from) // whoever asked may have gone
		}
	}
}
