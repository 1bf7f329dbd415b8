// One hop of a chain of aliases. The standard library gives only the last one, which for an RDS
// instance is often an EC2 name behind the one that is wanted.

package resolve

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// perServer is how long one DNS server may take before the next is asked.
const perServer = time.Second

// LookupCNAME asks the system's DNS servers for host's CNAME. It gives "" without an error when the
// servers know that there is none, and an error when none of them could be asked. It obeys ctx,
// and ends within a second for each server.
func LookupCNAME(ctx context.Context, host string) (string, error) {
	return lookup(ctx, host, systemServers(ctx))
}

func lookup(ctx context.Context, host string, servers []string) (string, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return "", fmt.Errorf("look up %s: %w", host, err)
	}
	err = errors.New("the system names no DNS server")
	for _, server := range servers {
		var target string
		if target, err = ask(ctx, name, server); err == nil {
			return target, nil
		}
	}
	return "", fmt.Errorf("look up %s: %w", host, err)
}

// systemServers asks the standard library's resolver which servers it would dial, so that every
// platform's way of naming them is its business. Nothing is sent.
func systemServers(ctx context.Context) []string {
	var servers []string
	r := net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		if !slices.Contains(servers, address) {
			servers = append(servers, address)
		}
		return nil, errors.New("only the address was wanted")
	}}
	_, _ = r.LookupTXT(ctx, "localhost.")
	return servers
}

func ask(ctx context.Context, name dnsmessage.Name, server string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, perServer)
	defer cancel()
	target, truncated, err := exchange(ctx, "udp", name, server)
	if err == nil && truncated {
		target, _, err = exchange(ctx, "tcp", name, server)
	}
	return target, err
}

func exchange(
	ctx context.Context, network string, name dnsmessage.Name, server string,
) (target string, truncated bool, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
	if err != nil {
		return "", false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var id [2]byte
	_, _ = rand.Read(id[:]) // never fails, by its documentation
	question := dnsmessage.Question{Name: name, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true},
		Questions: []dnsmessage.Question{question},
	}
	packed, err := query.Pack()
	if err != nil {
		return "", false, err
	}
	if network == "tcp" {
		packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	}
	if _, err := conn.Write(packed); err != nil {
		return "", false, err
	}
	for {
		reply, err := receive(conn, network)
		if err != nil {
			return "", false, err
		}
		target, truncated, ok, err := read(reply, query.ID, question)
		if ok || network == "tcp" {
			return target, truncated, err
		}
		// A stray datagram: wait for the real answer until the deadline.
	}
}

func receive(conn net.Conn, network string) ([]byte, error) {
	buf := make([]byte, 65535)
	if network == "udp" {
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	if _, err := io.ReadFull(conn, buf[:2]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(buf)
	_, err := io.ReadFull(conn, buf[:n])
	return buf[:n], err
}

const hostName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// read understands a reply; ok is false when it isn't one to this question.
func read(reply []byte, id uint16, asked dnsmessage.Question) (target string, truncated, ok bool, err error) {
	notOurs := errors.New("the DNS server answered something else")
	var p dnsmessage.Parser
	h, err := p.Start(reply)
	if err != nil || h.ID != id || !h.Response {
		return "", false, false, notOurs
	}
	q, err := p.Question()
	if err != nil || q.Type != asked.Type || !strings.EqualFold(q.Name.String(), asked.Name.String()) {
		return "", false, false, notOurs
	}
	switch {
	case h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError:
		return "", false, true, fmt.Errorf("the DNS server answered %v", h.RCode)
	case h.Truncated:
		return "", true, true, nil
	}
	for err = p.SkipAllQuestions(); err == nil; err = p.SkipAnswer() {
		rh, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return "", false, true, nil
		}
		if err != nil {
			return "", false, true, err
		}
		if rh.Type == dnsmessage.TypeCNAME && strings.EqualFold(rh.Name.String(), asked.Name.String()) {
			c, err := p.CNAMEResource()
			target = c.CNAME.String()
			if err == nil && strings.Trim(target, hostName) != "" { // it might end up on a terminal
				return "", false, true, errors.New("the DNS server gave an alias that is no host name")
			}
			return target, false, true, err
		}
	}
	return "", false, true, err
}
