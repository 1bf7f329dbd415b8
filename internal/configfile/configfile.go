// Package configfile finds and reads the configuration file, without understanding it. A cached
// get needs no more than to know that the file is still the same.
package configfile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Env names the configuration file in the environment.
const Env = "MYSQL_SECRET_STORE_RDS_CONFIG"

// File is a configuration file.
type File struct {
	// Path is where it is, or would be; when there is no home for one, what could name it.
	Path string
	// Data is its content; nil when there is no file.
	Data []byte
	// Stamp stands for the content: as long as it stays, so does what the configuration says.
	Stamp string
}

// Path is where the file called named (the value of [Env]) is, or would be: when that is "", config.yaml in
// os.UserConfigDir()/mysql-secret-store-rds.
func Path(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the configuration: %w", err)
	}
	return filepath.Join(dir, "mysql-secret-store-rds", "config.yaml"), nil
}

// Read reads the file at [Path]. A missing file is an error only when it was named.
func Read(named string) (File, error) {
	path, err := Path(named)
	if err != nil {
		return File{Path: "$" + Env, Stamp: none}, nil
	}
	f, err := read(path)
	switch {
	case err == nil:
		return f, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return File{}, fmt.Errorf("read configuration: %w", err)
	case named != "":
		return File{}, fmt.Errorf("%s: no such file, but %s names it", named, Env)
	}
	return File{Path: path, Stamp: none}, nil
}

const (
	none = "none"
	// rules changes with the meaning of a configuration, so that a stamp made by another release
	// of this program is never taken for this one's.
	rules = "1"
)

func read(path string) (File, error) {
	// A pipe would hold us up for ever, or give its content to the first of two readers.
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	if null, err := os.Stat(os.DevNull); !info.Mode().IsRegular() && (err != nil || !os.SameFile(info, null)) {
		return File{}, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	// One byte more than there is, so that the end is seen without growing.
	data := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return File{}, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	// Nobody forges the owner's own file, so that a checksum will do, and a fast one: the file is
	// read at every call. Time and size make up for its 32 bits.
	sum := crc32.ChecksumIEEE(data)
	stamp := fmt.Sprintf("%s-%08x-%x-%x", rules, sum, len(data), info.ModTime().UnixNano())
	return File{Path: path, Data: data, Stamp: stamp}, nil
}
