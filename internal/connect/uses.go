package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// Uses is how connections to each host were opened.
type Uses map[string]Use

// Use is how often connections to one host were opened, and by whom the last time.
type Use struct {
	Count int       `json:"count"`
	User  string    `json:"user,omitempty"`
	Last  time.Time `json:"last,omitzero"`
}

// UnmarshalJSON reads what is written now, and the mere count of earlier releases.
func (u *Use) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &u.Count) == nil {
		return nil
	}
	type plain Use
	return json.Unmarshal(data, (*plain)(u))
}

// LastUser returns the user of the last connection, to whatever host; "" when there was none.
func (u Uses) LastUser() string {
	var last Use
	for _, use := range u {
		if use.User != "" && (last.User == "" || use.Last.After(last.Last)) {
			last = use
		}
	}
	return last.User
}

// maxUses bounds the file; ten thousand hosts have room.
const maxUses = 1 << 20

// UsesPath is where the user's are: uses.json in [disk.ConfigDir].
func UsesPath() (string, error) {
	dir, err := disk.ConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the counts: %w", err)
	}
	return filepath.Join(dir, "uses.json"), nil
}

// ReadUses reads them. None, and a file that can't be trusted, are no uses.
func ReadUses(path string) Uses {
	uses := Uses{}
	data, err := disk.Read(path, maxUses)
	if err != nil || json.Unmarshal(data, &uses) != nil || uses == nil { // null is JSON, too
		return Uses{}
	}
	return uses
}

// countWait is how long a connection may be held up by others that are counted.
const countWait = 2 * time.Second

// Count counts a connection to host as user.
func Count(ctx context.Context, path, host, user string, now time.Time) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	unlock, err := disk.Patient(ctx, disk.LockFile(path), countWait)
	if err != nil {
		return err
	}
	defer unlock()
	uses := ReadUses(path)
	uses[host] = Use{uses[host].Count + 1, user, now}
	data, err := json.Marshal(uses)
	if err == nil && len(data) > maxUses {
		err = errors.New("too many hosts are counted")
	}
	if err != nil {
		return err
	}
	return disk.Write(path, data)
}
