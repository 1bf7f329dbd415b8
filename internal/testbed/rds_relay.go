package testbed

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// A relay stands between a client and go-mysql's server and reads the client's first words, which
// the server keeps to itself: a client may begin with a password by a plugin that nobody asked for.
// Each side has a TLS of its own with the relay, so that the server sees whether there is any.
type relay struct {
	client, server net.Conn
	settings       *tls.Config // for the client; nil: there is no TLS
	trust          *tls.Config // towards the server
	inClear        atomic.Bool // whether the client began with a password by mysql_clear_password
}

// pipe makes the server's end, which has the client's addresses.
func (r *relay) pipe() net.Conn {
	near, far := net.Pipe()
	r.server = far
	return inner{near, r.client}
}

type inner struct {
	net.Conn
	client net.Conn
}

func (i inner) LocalAddr() net.Addr  { return i.client.LocalAddr() }
func (i inner) RemoteAddr() net.Addr { return i.client.RemoteAddr() }

// run relays until one of both has gone. A pipe has no buffer: whoever writes to the server has to
// leave it to somebody else to read, as the server may write first.
func (r *relay) run() {
	far := r.server // closed without a word of TLS, for which the server might not wait
	first, err := r.begin()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err == nil {
			_, err = r.server.Write(first)
		}
		if err == nil {
			_, _ = io.Copy(r.server, r.client)
		}
		_ = far.Close()
	}()
	_, _ = io.Copy(r.client, r.server)
	_ = r.client.Close()
	_ = far.Close()
	<-ended
}

// begin relays until the client says who it is, which it returns.
func (r *relay) begin() (first []byte, err error) {
	if _, err := copyPacket(r.client, r.server); err != nil { // the greeting
		return nil, err
	}
	first, err = readPacket(r.client)
	if err == nil && r.settings != nil && wantsTLS(first) {
		if _, err := r.server.Write(first); err != nil {
			return nil, err
		}
		client, server := tls.Server(r.client, r.settings), tls.Client(r.server, r.trust)
		r.client, r.server = client, server
		if err := client.Handshake(); err != nil {
			return nil, err
		}
		if err := server.Handshake(); err != nil {
			return nil, err
		}
		first, err = readPacket(client)
	}
	if err == nil {
		r.inClear.Store(beginsInClear(first[4:]))
	}
	return first, err
}

// wantsTLS reports whether a packet is one on which the server begins with TLS (MySQL source
// documentation, "Protocol::SSLRequest"): the first of the client's, and nothing but the beginning
// of an answer to the greeting.
func wantsTLS(packet []byte) bool {
	const capabilities = mysql.CLIENT_PROTOCOL_41 | mysql.CLIENT_SECURE_CONNECTION
	return len(packet) == 4+32 && packet[3] == 1 &&
		binary.LittleEndian.Uint32(packet[4:])&capabilities == capabilities
}

// readPacket reads a packet with its header.
func readPacket(from io.Reader) ([]byte, error) {
	var packet bytes.Buffer
	_, err := copyPacket(&packet, from)
	return packet.Bytes(), err
}

func copyPacket(to io.Writer, from io.Reader) (int64, error) {
	var header [4]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return 0, err
	}
	size := int64(header[0]) | int64(header[1])<<8 | int64(header[2])<<16
	return io.CopyN(to, io.MultiReader(bytes.NewReader(header[:]), from), int64(len(header))+size)
}

// beginsInClear reports whether a client's answer to the greeting has a password by
// mysql_clear_password (MySQL source documentation, "Protocol::HandshakeResponse41").
func beginsInClear(answer []byte) (is bool) {
	defer func() { _ = recover() }() // a length that isn't true; the server complains of it
	const fixed = 4 + 4 + 1 + 23
	capability := binary.LittleEndian.Uint32(answer)
	_, rest, _ := bytes.Cut(answer[fixed:], []byte{0}) // the user
	var data []byte
	if capability&mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA != 0 {
		var size int
		data, _, size, _ = mysql.LengthEncodedString(rest)
		rest = rest[size:]
	} else {
		size := int(rest[0])
		data, rest = rest[1:1+size], rest[1+size:]
	}
	if capability&mysql.CLIENT_CONNECT_WITH_DB != 0 {
		_, rest, _ = bytes.Cut(rest, []byte{0})
	}
	plugin, _, _ := bytes.Cut(rest, []byte{0})
	return capability&mysql.CLIENT_PLUGIN_AUTH != 0 && string(plugin) == mysql.AUTH_CLEAR_PASSWORD &&
		len(bytes.Trim(data, "\x00")) > 0
}
