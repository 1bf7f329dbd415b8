package setup

import (
	"errors"
	"io/fs"
	"os"
)

func keepOwner(*os.File, fs.FileInfo) {}

// writable tries, as access lists alone don't tell.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".mysql-secret-store-rds-*")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}
