package cli

import (
	"os"
	"path/filepath"

	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/setup"
)

// leaves returns what using this program leaves: what has no place has left nothing.
func leaves(configFile string) (list []setup.Leaf) {
	add := func(path string, err error, what string) {
		if err == nil {
			list = append(list, setup.Leaf{Path: path, What: what, Remove: func() error { return os.Remove(path) }})
		}
	}
	path, err := inventory.Path()
	add(path, err, "the servers that discover found")
	path, err = cabundle.Path()
	add(path, err, "Amazon's certificate authorities")
	for _, path := range cabundle.AllKept() {
		add(path, nil, "certificate authorities that were fetched")
	}
	path, err = connect.UsesPath()
	add(path, err, "the servers that you connected to")
	add(configFile, nil, "your configuration")
	add(filepath.Join(filepath.Dir(configFile), config.SchemaFile), nil, "the schema of the configuration")
	if store, err := cache.Open(); err == nil && store.Holds() {
		const what = "the tokens and credentials that are kept"
		list = append(list, setup.Leaf{Path: store.Dir(), What: what, Remove: store.Purge})
	}
	return list
}
