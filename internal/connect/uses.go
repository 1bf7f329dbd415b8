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

// Uses counts how often connections to each host were opened.
type Uses map[string]int

// maxUses bounds the file; ten thousand hosts have room.
const maxUses = 1 << 20

// UsesPath is the user's counts: uses.json in [disk.ConfigDir].
func UsesPath() (string, error) {
	dir, err := disk.ConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the counts: %w", err)
	}
	return filepath.Join(dir, "uses.json"), nil
}

// ReadUses reads the counts. None, and a file that can't be trusted, are no uses.
func ReadUses(path string) Uses {
	uses := Uses{}
	data, err := disk.Read(path, maxUses)
	if err != nil || json.Unmarshal(data, &uses) != nil {
		return Uses{}
	}
	return uses
}

// countWait is how long a connection may be held up by others that are counted.
const countWait = 5 * time.Second

// Count counts a connection to host.
func Count(ctx context.Context, path, host string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, countWait)
	defer cancel()
	unlock, err := disk.Mutex(ctx, disk.LockFile(path))
	if err != nil {
		return err
	}
	defer unlock()
	uses := ReadUses(path)
	uses[host]++
	data, err := json.Marshal(uses)
	if err == nil && len(data) > maxUses {
		err = errors.New("too many hosts are counted")
	}
	if err != nil {
		return err
	}
	return disk.Write(path, data)
}
