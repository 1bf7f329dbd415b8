package inventory

import "sync"

// User is the user's inventory, opened when it is first asked, if ever. One that isn't there knows
// nothing. The zero value is ready.
type User struct {
	once sync.Once
	inv  *Inventory
	err  error
}

func (u *User) open() error {
	u.once.Do(func() {
		path, err := Path()
		if err != nil {
			return // without a place for it there is none
		}
		if u.inv, err = Open(path); err != ErrAbsent {
			u.err = err
		}
	})
	return u.err
}

// Server is [Inventory.Server].
func (u *User) Server(host string) (Server, bool, error) {
	if err := u.open(); err != nil || u.inv == nil {
		return Server{}, false, err
	}
	return u.inv.Server(host)
}

// Account is [Inventory.Account].
func (u *User) Account(id, region string) (Account, bool, error) {
	if err := u.open(); err != nil || u.inv == nil {
		return Account{}, false, err
	}
	return u.inv.Account(id, region)
}

// Numbered is [Inventory.Numbered].
func (u *User) Numbered(number, region string) (Account, bool, error) {
	if err := u.open(); err != nil || u.inv == nil {
		return Account{}, false, err
	}
	return u.inv.Numbered(number, region)
}

// All is [Inventory.All]; without an inventory it is an [ErrAbsent].
func (u *User) All() ([]Account, []Server, error) {
	if err := u.open(); err != nil {
		return nil, nil, err
	}
	if u.inv == nil {
		return nil, nil, ErrAbsent
	}
	return u.inv.All()
}

// Close closes the file.
func (u *User) Close() {
	if u.inv != nil {
		_ = u.inv.Close() // it was only read
	}
}
