package inventory

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"strconv"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/server"
)

// The file: a line with its name and version; one line for each record, which is a key, a checksum
// and JSON with tabs between; a line with the number of records. The keys are in the order of their
// bytes, so that a record is found by halving, and each stands once: "a <host id> <region>" for an
// account, "s <host>" for a server. A server's line leaves its profile to its account's.
const (
	version = 1
	magic   = "mysql-secret-store-rds inventory "
	header  = magic + "1\n"
	trailer = "end\t"

	// maxLine is more than a server with its 50 tags of 384 characters can have.
	maxLine = 1 << 20
)

// checksum finds what a failing disk or an editor does to a line. Nobody forges the owner's own
// file. It is the IEEE's, as Castagnoli's has tables that take a fifth of a millisecond to make, at
// each start of the program.
func checksum(key, data []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(key), crc32.IEEETable, data)
}

func accountKey(hostID, region string) string { return "a " + hostID + " " + region }

func serverKey(host string) string { return "s " + host }

// Inventory is an open inventory. It stays what it was when it was opened, and is safe for
// concurrent use.
type Inventory struct {
	file       *os.File
	start, end int64 // of the records
	count      int
}

// Open opens the inventory at path and reads its first and last line. The error is [ErrAbsent] or
// an [*UntrustedError].
func Open(path string) (*Inventory, error) {
	f, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{file: f}
	if err := inv.frame(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return inv, nil
}

// Close closes the file.
func (inv *Inventory) Close() error { return inv.file.Close() }

func (inv *Inventory) untrusted(format string, args ...any) error {
	return &UntrustedError{File: inv.file.Name(), Reason: fmt.Sprintf(format, args...)}
}

// frame checks the first and the last line: a file that was cut off is not believed.
func (inv *Inventory) frame() error {
	info, err := inv.file.Stat()
	if err != nil {
		return inv.untrusted("%v", err)
	}
	first := make([]byte, min(info.Size(), int64(len(header))))
	last := make([]byte, min(info.Size(), 32))
	_, err1 := inv.file.ReadAt(first, 0)
	_, err2 := inv.file.ReadAt(last, info.Size()-int64(len(last)))
	switch err := cmp.Or(err1, err2); {
	case err != nil:
		return inv.untrusted("%v", err)
	case string(first) == header:
	case bytes.HasPrefix(first, []byte(magic)):
		return inv.untrusted("of another version than %d", version)
	default:
		return inv.untrusted("no inventory")
	}
	at := bytes.LastIndex(last, []byte("\n"+trailer)) + 1
	number, ok := bytes.CutPrefix(last[at:], []byte(trailer))
	number, ended := bytes.CutSuffix(number, []byte("\n"))
	count, err := strconv.Atoi(string(number))
	if at == 0 || !ok || !ended || err != nil {
		return inv.untrusted("cut off: its last line is missing")
	}
	inv.start, inv.end, inv.count = int64(len(header)), info.Size()-int64(len(last)-at), count
	return nil
}

// line is one record.
type line struct {
	key, data []byte
	size      int64 // in the file
}

// parse takes a line apart, up to and including its line feed.
func (inv *Inventory) parse(text []byte, at int64) (line, error) {
	key, rest, ok1 := bytes.Cut(text, []byte("\t"))
	sum, data, ok2 := bytes.Cut(rest, []byte("\t"))
	data, ok3 := bytes.CutSuffix(data, []byte("\n"))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !ok1 || !ok2 || !ok3 || err != nil || checksum(key, data) != uint32(want) {
		return line{}, inv.untrusted("damaged at byte %d", at)
	}
	return line{key, data, int64(len(text))}, nil
}

// find returns the data of the record with a key, or nil. It halves the part of the file in which a
// line with that key can begin; low is always where one does.
func (inv *Inventory) find(key string) ([]byte, error) {
	const block = 1 << 10 // holds most lines, and costs no more to read than one of them
	r := bufio.NewReaderSize(nil, block)
	for low, high := inv.start, inv.end; low < high; {
		middle := low + (high-low)/2
		at := middle
		if middle > low {
			at = middle - 1 // a line begins at middle if a line feed stands before it
		}
		r.Reset(io.NewSectionReader(inv.file, at, min(inv.end-at, 2*maxLine)))
		if middle > low {
			skipped, _ := r.ReadBytes('\n')
			at += int64(len(skipped))
		}
		if at >= high {
			high = middle
			continue
		}
		text, _ := r.ReadBytes('\n')
		l, err := inv.parse(text, at) // which minds a missing line feed
		if err != nil {
			return nil, err
		}
		switch {
		case string(l.key) == key:
			return l.data, nil
		case string(l.key) < key:
			low = at + l.size
		default:
			high = middle
		}
	}
	return nil, nil
}

// Server returns the record of a host, in any letter case and with or without a final dot, with its
// account's profile; false when there is none. An error is an [*UntrustedError].
func (inv *Inventory) Server(host string) (Server, bool, error) {
	host = server.NormalHost(host)
	data, err := inv.find(serverKey(host))
	if data == nil || err != nil {
		return Server{}, false, err
	}
	s, err := inv.server(host, data)
	if err == nil && s.HostID != "" {
		var a Account
		a, _, err = inv.Account(s.HostID, s.Region)
		s.Profile = a.Profile
	}
	return s, err == nil, err
}

// Account returns the record of a host id in a region; false when there is none. An error is an
// [*UntrustedError].
func (inv *Inventory) Account(hostID, region string) (Account, bool, error) {
	data, err := inv.find(accountKey(hostID, region))
	if data == nil || err != nil {
		return Account{}, false, err
	}
	a, err := inv.account(data)
	if err == nil && (a.HostID != hostID || a.Region != region) {
		err = inv.untrusted("the record of %s in %s is another's", hostID, region)
	}
	return a, err == nil, err
}

// Numbered returns the record of an account, by its number, in a region, or else in the first of
// those that it has; false when there is none. It reads all accounts. An error is an
// [*UntrustedError].
func (inv *Inventory) Numbered(number, region string) (a Account, ok bool, err error) {
	all, err := inv.Accounts()
	for _, each := range all {
		if each.Number == number && (!ok || each.Region == region) {
			a, ok = each, true
		}
	}
	return a, ok, err
}

func (inv *Inventory) server(host string, data []byte) (Server, error) {
	var s Server
	if err := s.UnmarshalJSON(data); err != nil {
		return Server{}, inv.untrusted("the record of %s: %v", host, err)
	}
	s.Host = host
	return s, nil
}

func (inv *Inventory) account(data []byte) (Account, error) {
	var a Account
	if err := json.Unmarshal(data, &a); err != nil {
		return Account{}, inv.untrusted("an account's record: %v", err)
	}
	return a, nil
}

// lines returns every record in the file's order.
func (inv *Inventory) lines() iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		text := bufio.NewScanner(io.NewSectionReader(inv.file, inv.start, inv.end-inv.start))
		text.Buffer(make([]byte, 64<<10), maxLine)
		text.Split(wholeLine)
		var previous []byte
		at, count := inv.start, 0
		for ; text.Scan(); count++ {
			l, err := inv.parse(text.Bytes(), at)
			switch {
			case err != nil:
			case count > 0 && bytes.Compare(previous, l.key) >= 0:
				err = inv.untrusted("not in order at byte %d", at)
			case !bytes.HasPrefix(l.key, []byte("a ")) && !bytes.HasPrefix(l.key, []byte("s ")):
				err = inv.untrusted("neither an account nor a server at byte %d", at)
			}
			if !yield(l, err) || err != nil {
				return
			}
			previous = append(previous[:0], l.key...)
			at += l.size
		}
		switch {
		case at < inv.end:
			yield(line{}, inv.untrusted("damaged at byte %d", at))
		case count != inv.count:
			yield(line{}, inv.untrusted("%d records, where the last line says %d", count, inv.count))
		}
	}
}

// wholeLine is a [bufio.SplitFunc] for lines with their line feed; one without is none.
func wholeLine(data []byte, _ bool) (advance int, token []byte, err error) {
	if n := bytes.IndexByte(data, '\n') + 1; n > 0 {
		return n, data[:n], nil
	}
	return 0, nil, nil
}

// Accounts returns all accounts, in the order of their host ids and regions.
func (inv *Inventory) Accounts() ([]Account, error) {
	var all []Account
	for l, err := range inv.lines() {
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(l.key, []byte("a ")) {
			break
		}
		a, err := inv.account(l.data)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// All reads everything: the accounts as [Inventory.Accounts] does, and the servers in the order of
// their hosts, each with its account's profile. The error is an [*UntrustedError].
func (inv *Inventory) All() ([]Account, []Server, error) {
	accounts, err := inv.Accounts()
	if err != nil {
		return nil, nil, err
	}
	profiles := map[string]string{}
	for _, a := range accounts {
		profiles[accountKey(a.HostID, a.Region)] = a.Profile
	}
	servers := make([]Server, 0, min(max(inv.count-len(accounts), 0), 1<<16))
	for l, err := range inv.lines() {
		if err != nil {
			return nil, nil, err
		}
		host, ok := bytes.CutPrefix(l.key, []byte("s "))
		if !ok {
			continue
		}
		s, err := inv.server(string(host), l.data)
		if err != nil {
			return nil, nil, err
		}
		if s.HostID != "" {
			s.Profile = profiles[accountKey(s.HostID, s.Region)]
		}
		servers = append(servers, s)
	}
	return accounts, servers, nil
}
