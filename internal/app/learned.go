package app

import (
	"os"
	"sync"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
)

// learned is the inventory, opened when it is first asked.
type learned struct {
	once sync.Once
	inv  *inventory.Inventory
	err  error
}

func (l *learned) open() error {
	l.once.Do(func() {
		path, err := inventory.Path()
		if err == nil {
			l.inv, err = inventory.Open(path)
		}
		if err != inventory.ErrAbsent {
			l.err = err
		}
	})
	return l.err
}

// openStore gives the place for what is kept, which is none with "cache: false".
func openStore(cfg *config.Config) (cache.Store, error) {
	if !cfg.Cache {
		return cache.Store{}, nil
	}
	return cache.Open(os.Getenv(cache.EnvDir))
}

// Server implements resolve.Known.
func (l *learned) Server(host string) (inventory.Server, bool, error) {
	if err := l.open(); err != nil || l.inv == nil {
		return inventory.Server{}, false, err
	}
	return l.inv.Server(host)
}

// Account implements resolve.Known.
func (l *learned) Account(id, region string) (inventory.Account, bool, error) {
	if err := l.open(); err != nil || l.inv == nil {
		return inventory.Account{}, false, err
	}
	return l.inv.Account(id, region)
}

func (l *learned) close() {
	if l.inv != nil {
		_ = l.inv.Close() // it was only read
	}
}

// all reads everything that discover learned. Nothing is an [inventory.ErrAbsent].
func (l *learned) all() ([]inventory.Account, []inventory.Server, error) {
	if err := l.open(); err != nil {
		return nil, nil, err
	}
	if l.inv == nil {
		return nil, nil, inventory.ErrAbsent
	}
	return l.inv.All()
}
