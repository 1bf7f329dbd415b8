package stamp

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/disk"
)

// EnvConfig names the configuration file in the environment.
const EnvConfig = "MYSQL_SECRET_STORE_RDS_CONFIG"

// ConfigFile is the configuration file, read and not understood: a cached get needs no more than to
// know that it is still the same.
type ConfigFile struct {
	// Path is where it is, or would be; when there is no home for one, what could name it.
	Path string
	// Data is its content; nil when there is no file.
	Data []byte
	// Stamp stands for the content: as long as it stays, so does what the configuration says.
	Stamp string
}

// ConfigPath returns where the configuration file is, or would be: where [EnvConfig] says, else
// config.yaml in [disk.ConfigDir].
func ConfigPath() (string, error) {
	if named := os.Getenv(EnvConfig); named != "" {
		return named, nil
	}
	dir, err := disk.ConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the configuration: %w", err)
	}
	return filepath.Join(dir, "config.yaml"), nil
}

// ReadConfig reads the configuration file. A missing one is an error only when [EnvConfig] names
// it.
func ReadConfig() (ConfigFile, error) {
	path, err := ConfigPath()
	if err != nil {
		return ConfigFile{Path: "$" + EnvConfig, Stamp: none}, nil
	}
	f, err := readConfig(path)
	switch named := os.Getenv(EnvConfig); {
	case err == nil:
		return f, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return ConfigFile{}, fmt.Errorf("read configuration: %w", err)
	case named != "":
		return ConfigFile{}, fmt.Errorf("%s: no such file, but %s names it", named, EnvConfig)
	}
	return ConfigFile{Path: path, Stamp: none}, nil
}

// rules changes with the meaning of a configuration, so that a stamp made by another release of
// this program is never taken for this one's.
const rules = "2"

func readConfig(path string) (ConfigFile, error) {
	f, info, err := disk.OpenForeign(path)
	if err != nil {
		return ConfigFile{}, err
	}
	defer f.Close()
	// It names programs to run and whose credentials are used.
	if err := disk.Guarded(path); err != nil {
		if exposed, ok := errors.AsType[*disk.ExposedError](err); ok {
			return ConfigFile{}, &ExposedError{exposed}
		}
		return ConfigFile{}, err
	}
	data, err := disk.ReadAtMost(f, path, MaxConfig)
	if err != nil {
		return ConfigFile{}, err
	}
	// Nobody forges the owner's own file, so that a checksum will do, and a fast one: the file is
	// read at every call. Time and size make up for its 32 bits.
	sum := crc32.ChecksumIEEE(data)
	stamp := fmt.Sprintf("%s-%08x-%x-%x", rules, sum, len(data), info.ModTime().UnixNano())
	return ConfigFile{Path: path, Data: data, Stamp: stamp}, nil
}

// MaxConfig is how large a configuration file may be, in bytes.
const MaxConfig = 1 << 20

// ExposedError is a configuration file that somebody else may change.
type ExposedError struct{ *disk.ExposedError }

func (e *ExposedError) Error() string {
	return fmt.Sprintf("the configuration isn't obeyed: %s", e.ExposedError.Error())
}

// Advice implements [advice.Adviser].
func (e *ExposedError) Advice() advice.Problem {
	p := advice.Problemf("%s", e.Error())
	if e.Foreign {
		return p.With(advice.Run(advice.Words("ls", "-ld", e.Path)), advice.Say(
			"when it says what you want, make it yours: %s", advice.Words("sudo", "chown", strconv.Itoa(os.Geteuid()),
				e.Path)))
	}
	return p.With(advice.Run(advice.Words("chmod", "go-w", e.Path)))
}
