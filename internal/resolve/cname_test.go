package resolve

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer is a DNS server on 127.0.0.1, on one port of UDP and TCP. Each transport has its own
// function from a query to the datagrams (or stream messages) that answer it; nil is silent.
type dnsServer struct {
	addr          string
	udpN, tcpN    atomic.Int32
	lastQuery     atomic.Pointer[dnsmessage.Message]
	udp, tcp      func(q dnsmessage.Message) [][]byte
	udpConn       net.PacketConn
	tcpListener   net.Listener
	closeAtAccept bool // TCP: hang up without a word
}

func (s *dnsServer) start(t *testing.T) string {
	t.Helper()
	// The UDP port that the system picks may be taken on TCP.
	for range 20 {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", conn.LocalAddr().String())
		if err != nil {
			conn.Close()
			continue
		}
		s.udpConn, s.tcpListener, s.addr = conn, l, conn.LocalAddr().String()
		break
	}
	if s.addr == "" {
		t.Fatal("no port is free on both UDP and TCP")
	}
	done := make(chan struct{}, 2)
	go func() { s.serveUDP(); done <- struct{}{} }()
	go func() { s.serveTCP(); done <- struct{}{} }()
	t.Cleanup(func() {
		s.udpConn.Close()
		s.tcpListener.Close()
		<-done
		<-done
	})
	return s.addr
}

func (s *dnsServer) parse(b []byte) (dnsmessage.Message, bool) {
	var q dnsmessage.Message
	if q.Unpack(b) != nil {
		return q, false
	}
	s.lastQuery.Store(&q)
	return q, true
}

func (s *dnsServer) serveUDP() {
	buf := make([]byte, 65535)
	for {
		n, from, err := s.udpConn.ReadFrom(buf)
		if err != nil {
			return
		}
		s.udpN.Add(1)
		q, ok := s.parse(buf[:n])
		if !ok || s.udp == nil {
			continue
		}
		for _, reply := range s.udp(q) {
			_, _ = s.udpConn.WriteTo(reply, from)
		}
	}
}

func (s *dnsServer) serveTCP() {
	for {
		conn, err := s.tcpListener.Accept()
		if err != nil {
			return
		}
		s.tcpN.Add(1)
		s.answerTCP(conn)
		conn.Close()
	}
}

func (s *dnsServer) answerTCP(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if s.closeAtAccept {
		return
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, b); err != nil {
		return
	}
	q, ok := s.parse(b)
	if !ok || s.tcp == nil {
		_, _ = conn.Read(size[:]) // until the client hangs up
		return
	}
	for _, reply := range s.tcp(q) {
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
		// In two parts: a reader must not take one Read for one message.
		_, _ = conn.Write(framed[:3])
		time.Sleep(5 * time.Millisecond)
		_, _ = conn.Write(framed[3:])
	}
}

// reply answers q; records are pairs of name and target for CNAMEs, a "" target standing for an A.
func reply(q dnsmessage.Message, edit func(*dnsmessage.Message), records ...string) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: q.Questions,
	}
	for i := 0; i < len(records); i += 2 {
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(records[i]), Class: dnsmessage.ClassINET, TTL: 5}
		var body dnsmessage.ResourceBody = &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}}
		if records[i+1] != "" {
			body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(records[i+1])}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: body})
	}
	if edit != nil {
		edit(&m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err) // a test's own message
	}
	return b
}

// answers is a transport function that gives one reply.
func answers(edit func(*dnsmessage.Message), records ...string) func(dnsmessage.Message) [][]byte {
	return func(q dnsmessage.Message) [][]byte { return [][]byte{reply(q, edit, records...)} }
}

func rcode(c dnsmessage.RCode) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) { m.RCode = c }
}

func truncated(m *dnsmessage.Message) { m.Truncated = true }

func TestLookup(t *testing.T) {
	t.Parallel()
	const host = "db.example.com"
	const shop = "shop.abc.us-east-1.rds.amazonaws.com."
	tests := []struct {
		name string
		host string
		udp  func(dnsmessage.Message) [][]byte
		tcp  func(dnsmessage.Message) [][]byte
		want string
		tcpN int32
	}{
		{name: "one hop", udp: answers(nil, "db.example.com.", shop), want: shop},
		{
			name: "one hop of a chain", want: "next.example.com.",
			udp: answers(nil, "db.example.com.", "next.example.com.", "next.example.com.", shop, shop, ""),
		},
		{name: "the hop is not the first record", udp: answers(nil, "next.example.com.", shop, "db.example.com.", "next.example.com."), want: "next.example.com."},
		{name: "no alias", udp: answers(nil)},
		{name: "an address instead", udp: answers(nil, "db.example.com.", "")},
		{name: "an alias of another name", udp: answers(nil, "other.example.com.", shop)},
		{name: "no such name", udp: answers(rcode(dnsmessage.RCodeNameError))},
		{name: "final dot", host: "db.example.com.", udp: answers(nil, "db.example.com.", shop), want: shop},
		{
			// DNS names are case-insensitive (RFC 4343); servers may answer in another case.
			name: "other letter case", host: "Db.Example.COM", want: shop,
			udp: answers(func(m *dnsmessage.Message) {
				m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("dB.eXAMPLE.com."), Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}}
			}, "DB.EXAMPLE.com.", shop),
		},
		{name: "truncated", udp: answers(truncated), tcp: answers(nil, "db.example.com.", shop), want: shop, tcpN: 1},
		{
			name: "truncated with a part of the answer", want: shop, tcpN: 1,
			udp: answers(truncated, "db.example.com.", "part.example.com."), tcp: answers(nil, "db.example.com.", shop),
		},
		{name: "truncated, no alias", udp: answers(truncated), tcp: answers(nil), tcpN: 1},
		{
			name: "strays before the answer", want: shop,
			udp: func(q dnsmessage.Message) [][]byte {
				evil := []string{"db.example.com.", "evil.example."}
				return [][]byte{
					reply(q, func(m *dnsmessage.Message) { m.ID++ }, evil...),
					reply(q, func(m *dnsmessage.Message) { m.Response = false }, evil...),
					reply(q, func(m *dnsmessage.Message) { m.Questions = nil }, evil...),
					reply(q, func(m *dnsmessage.Message) {
						m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("other.example.com."), Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}}
					}, evil...),
					reply(q, func(m *dnsmessage.Message) {
						m.Questions = []dnsmessage.Question{{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
					}, evil...),
					reply(q, func(m *dnsmessage.Message) { m.ID++; m.RCode = dnsmessage.RCodeServerFailure }),
					{},
					{1, 2, 3},
					[]byte("gibberish that is long enough for a header"),
					reply(q, nil, "db.example.com.", shop),
					reply(q, nil, evil...),
				}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &dnsServer{udp: tt.udp, tcp: tt.tcp}
			asked := tt.host
			if asked == "" {
				asked = host
			}
			got, err := lookup(t.Context(), asked, []string{s.start(t)})
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if u, c := s.udpN.Load(), s.tcpN.Load(); u != 1 || c != tt.tcpN {
				t.Errorf("%d questions by UDP and %d by TCP, want 1 and %d", u, c, tt.tcpN)
			}
			q := s.lastQuery.Load()
			if len(q.Questions) != 1 || q.Response || !q.RecursionDesired {
				t.Fatalf("the query is %s", q.GoString())
			}
			want := dnsmessage.Question{Name: dnsmessage.MustNewName(strings.TrimSuffix(asked, ".") + "."), Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}
			if q.Questions[0] != want {
				t.Errorf("the question is %s, want %s", q.Questions[0].GoString(), want.GoString())
			}
		})
	}
}

func TestLookupNextServer(t *testing.T) {
	t.Parallel()
	garbled := func(q dnsmessage.Message) [][]byte {
		b := reply(q, nil, "db.example.com.", "x.example.com.")
		return [][]byte{b[:len(b)-3]}
	}
	tests := []struct {
		name  string
		first *dnsServer
		slow  bool
	}{
		{name: "server failure", first: &dnsServer{udp: answers(rcode(dnsmessage.RCodeServerFailure))}},
		{name: "refused", first: &dnsServer{udp: answers(rcode(dnsmessage.RCodeRefused))}},
		{name: "garbled answer", first: &dnsServer{udp: garbled}},
		{name: "truncated, and TCP hangs up", first: &dnsServer{udp: answers(truncated), closeAtAccept: true}},
		{name: "truncated, and TCP fails", first: &dnsServer{udp: answers(truncated), tcp: answers(rcode(dnsmessage.RCodeServerFailure))}},
		{name: "truncated, and TCP answers something else", first: &dnsServer{udp: answers(truncated), tcp: answers(func(m *dnsmessage.Message) { m.ID++ }, "db.example.com.", "evil.example.")}},
		{name: "silent", first: &dnsServer{}, slow: true},
		{name: "strays only", first: &dnsServer{udp: answers(func(m *dnsmessage.Message) { m.ID++ }, "db.example.com.", "evil.example.")}, slow: true},
		{name: "truncated, and TCP is silent", first: &dnsServer{udp: answers(truncated)}, slow: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			second := &dnsServer{udp: answers(nil, "db.example.com.", "good.example.com.")}
			third := &dnsServer{}
			start := time.Now()
			got, err := lookup(t.Context(), "db.example.com", []string{tt.first.start(t), second.start(t), third.start(t)})
			if err != nil || got != "good.example.com." {
				t.Fatalf("got %q, %v", got, err)
			}
			if d := time.Since(start); tt.slow && (d < perServer/2 || d > perServer+4*time.Second) || !tt.slow && d > perServer {
				t.Errorf("it took %v", d)
			}
			if tt.first.udpN.Load() != 1 || second.udpN.Load() != 1 || third.udpN.Load() != 0 {
				t.Errorf("%d, %d and %d questions, want 1, 1 and 0", tt.first.udpN.Load(), second.udpN.Load(), third.udpN.Load())
			}
		})
	}
}

// A server that knows that there is no alias is believed; the next isn't asked.
func TestLookupBelievesTheFirst(t *testing.T) {
	t.Parallel()
	for name, udp := range map[string]func(dnsmessage.Message) [][]byte{
		"no alias":     answers(nil),
		"no such name": answers(rcode(dnsmessage.RCodeNameError)),
	} {
		first, second := &dnsServer{udp: udp}, &dnsServer{udp: answers(nil, "db.example.com.", "x.example.com.")}
		got, err := lookup(t.Context(), "db.example.com", []string{first.start(t), second.start(t)})
		if got != "" || err != nil || second.udpN.Load() != 0 {
			t.Errorf("%s: %q, %v after %d questions to the second server", name, got, err, second.udpN.Load())
		}
	}
}

func TestLookupErrors(t *testing.T) {
	t.Parallel()
	failing := &dnsServer{udp: answers(rcode(dnsmessage.RCodeServerFailure))}
	refusing := &dnsServer{udp: answers(rcode(dnsmessage.RCodeRefused))}
	servers := []string{failing.start(t), refusing.start(t)}
	long := strings.Repeat(strings.Repeat("a", 60)+".", 5)
	tests := []struct {
		name, host string
		servers    []string
		want       string
	}{
		{"no server", "db.example.com", nil, "look up db.example.com: the system names no DNS server"},
		{"all fail", "db.example.com", servers, "look up db.example.com: the DNS server answered RCodeRefused"},
		{"name of more than 255 bytes", long, servers, "look up " + long},
		{"empty label", "db..example.com", servers, "look up db..example.com: "},
		{"label of 64 bytes", strings.Repeat("a", 64) + ".com", servers, "look up " + strings.Repeat("a", 64) + ".com: "},
		{"no such address", "db.example.com", []string{"127.0.0.1:99999"}, "look up db.example.com: "},
	}
	for _, tt := range tests {
		got, err := lookup(t.Context(), tt.host, tt.servers)
		if err == nil || got != "" || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %q, error %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestLookupObeysContext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		server *dnsServer
		ctx    func(context.Context) (context.Context, context.CancelFunc)
	}{
		{"deadline", &dnsServer{}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}},
		{"deadline, TCP", &dnsServer{udp: answers(truncated)}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}},
		{"cancelled while it waits", &dnsServer{}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}},
		{"cancelled before", &dnsServer{udp: answers(nil, "db.example.com.", "x.example.com.")}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := tt.server.start(t)
			ctx, cancel := tt.ctx(t.Context())
			defer cancel()
			start := time.Now()
			got, err := lookup(ctx, "db.example.com", []string{addr, addr, addr})
			if err == nil || got != "" {
				t.Errorf("%q, %v", got, err)
			}
			if d := time.Since(start); d > perServer*3/4 {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// The reply's text is the other side's: no bytes of it may break read.
func FuzzRead(f *testing.F) {
	name := dnsmessage.MustNewName("db.example.com.")
	asked := dnsmessage.Question{Name: name, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{asked}}
	f.Add(reply(q, nil, "db.example.com.", "x.example.com."))
	f.Add(reply(q, truncated, "db.example.com.", "x.example.com."))
	f.Add(reply(q, rcode(dnsmessage.RCodeServerFailure)))
	f.Add(reply(q, nil, "a.example.com.", "", "db.example.com.", "x.example.com."))
	f.Fuzz(func(t *testing.T, b []byte) {
		target, truncated, ok, err := read(b, 7, asked)
		if target != "" && (err != nil || truncated || !ok) {
			t.Fatalf("%q beside truncated %v, ok %v, %v", target, truncated, ok, err)
		}
		if !ok && err == nil {
			t.Fatal("no answer and no error")
		}
		if other, _, also, _ := read(b, 8, asked); ok && (also || other != "") {
			t.Fatalf("the reply to query 7 is taken for one to query 8: %q", other)
		}
	})
}

func TestSystemServers(t *testing.T) {
	t.Parallel()
	for _, s := range systemServers(t.Context()) {
		if _, _, err := net.SplitHostPort(s); err != nil {
			t.Errorf("%q is not host:port: %v", s, err)
		}
	}
}

// TestOddAlias: what somebody else's DNS says may end up on a terminal.
func TestOddAlias(t *testing.T) {
	t.Parallel()
	s := &dnsServer{udp: func(q dnsmessage.Message) [][]byte {
		return [][]byte{reply(q, nil, "db.example.com.", "x\x1b[31m.evil.example.")}
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := lookup(ctx, "db.example.com", []string{s.start(t)})
	if got != "" || err == nil || !strings.HasSuffix(err.Error(), "gave an alias that is no host name") {
		t.Errorf("got %q, %v", got, err)
	}
}
