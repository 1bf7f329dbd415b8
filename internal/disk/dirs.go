package disk

import (
	"os"
	"os/user"
	"path/filepath"

	"mysql-secret-store-rds/internal/about"
)

// EnvCache names the folder for what is kept between calls in the environment.
const EnvCache = "MYSQL_SECRET_STORE_RDS_CACHE_DIR"

// ConfigDir returns the program's folder for what is to last: mysql-secret-store-rds in
// [os.UserConfigDir].
func ConfigDir() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, about.Name), err
}

// CacheDir returns the program's folder for what can be made again: the one that [EnvCache] names,
// else mysql-secret-store-rds in [os.UserCacheDir].
func CacheDir() (string, error) {
	if dir := os.Getenv(EnvCache); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, about.Name), err
}

// Home returns the user's home folder as AWS's tools find it, or "" when there is none.
func Home() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return dir
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return ""
}
