package inventory

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// Lock makes the caller the only process that changes the inventory at path, until unlock is
// called; see [disk.Patient]. It makes the folder if there is none. An error is ctx's, or says that
// the folder can't be used.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock inventory: %w", err)
	}
	if unlock, err = disk.Patient(ctx, disk.LockFile(path), lockWait); err != nil {
		return nil, fmt.Errorf("lock inventory %s: %w", path, err)
	}
	return unlock, nil
}

// lockWait is much longer than it takes to merge and write 40,000 servers.
const lockWait = 10 * time.Second

// Write replaces the inventory at path, all of it or nothing. The servers are in the ascending
// order of their hosts. The caller holds [Lock].
func Write(path string, accounts []Account, servers []Server) error {
	accounts = slices.Clone(accounts)
	slices.SortFunc(accounts, func(a, b Account) int {
		return strings.Compare(accountKey(a.HostID, a.Region), accountKey(b.HostID, b.Region))
	})
	err := disk.WriteFrom(path, func(w io.Writer) error {
		out := writer{w: bufio.NewWriterSize(w, 64<<10)}
		_, _ = out.w.WriteString(header) // Flush gives the error
		for _, a := range accounts {
			if err := out.record(accountKey(a.HostID, a.Region), a); err != nil {
				return err
			}
		}
		for _, s := range servers {
			key := serverKey(s.Host)
			if s.Host = ""; s.HostID != "" {
				s.Profile = ""
			}
			e, err := s.encoded()
			if err != nil {
				return err
			}
			if err := out.record(key, e); err != nil {
				return err
			}
		}
		_, _ = fmt.Fprintf(out.w, "%s%d\n", trailer, out.count)
		return out.w.Flush()
	})
	if err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	return nil
}

// TooLarge reports whether a server has more to it than any that RDS has, which [Write] would
// refuse.
func (s Server) TooLarge() bool {
	data, err := json.Marshal(s)
	return err != nil || len(data) > maxLine/4
}

type writer struct {
	w     *bufio.Writer
	last  string
	count int
}

func (out *writer) record(key string, v any) error {
	if key <= out.last || strings.ContainsAny(key, "\t\n") {
		return fmt.Errorf("record %q after %q", key, out.last)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(key)+len(data) > maxLine-16 {
		return fmt.Errorf("record %q has %d bytes", key, len(data))
	}
	out.last = key
	out.count++
	_, err = fmt.Fprintf(out.w, "%s\t%08x\t%s\n", key, checksum([]byte(key), data), data)
	return err
}
