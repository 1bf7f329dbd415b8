package cabundle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/server"
)

// The bundles that were fetched are beside the file of [Path], each in one of its own.
const (
	keptPrefix = "rds-ca-bundle-"
	keptSuffix = ".pem"
)

// KeptPath is where a region's bundle is kept once it was fetched: rds-ca-bundle-REGION.pem in
// [disk.ConfigDir]. What is no region's name is an error.
func KeptPath(region string) (string, error) {
	if server.Partition(region) == "" {
		return "", fmt.Errorf("%q is no AWS region", region)
	}
	path, err := Path()
	return filepath.Join(filepath.Dir(path), keptPrefix+region+keptSuffix), err
}

// Keep writes a region's bundle to its [KeptPath], as [Write] does, in place of an earlier one.
func Keep(region string, text []byte) (path string, err error) {
	path, err = KeptPath(region)
	if err == nil {
		err = write(path, string(text))
	}
	if err != nil {
		return "", fmt.Errorf("keep certificate authorities: %w", err)
	}
	return path, nil
}

// Kept returns the file with a region's bundle, which was fetched before. The error is an
// [os.ErrNotExist] when there is none, and says why one that is there must not be used: others
// could have written it, or it has no certificate.
func Kept(region string) (path string, err error) {
	path, err = KeptPath(region)
	if err != nil {
		return "", err
	}
	text, err := disk.ReadForeign(path, maxFile)
	if err != nil {
		return "", err
	}
	if err := disk.Guarded(path); err != nil {
		return "", err
	}
	if _, err := blocks(text); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return path, nil
}

// AllKept returns the files of all bundles that were fetched.
func AllKept() []string {
	path, err := Path()
	if err != nil {
		return nil
	}
	entries, _ := os.ReadDir(filepath.Dir(path)) // without the folder there are none
	var list []string
	for _, e := range entries {
		region, ok := strings.CutPrefix(e.Name(), keptPrefix)
		if region, ok2 := strings.CutSuffix(region, keptSuffix); ok && ok2 && server.Partition(region) != "" {
			list = append(list, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return list
}
