package connect

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// Uses counts how often connections to each host were opened.
type Uses map[string]int

// maxUses bounds the file; ten thousand hosts have room.
const maxUses = 1 << 20

// ReadUses reads the counts. None, and a file that can't be trusted, are no uses.
func ReadUses(path string) Uses {
	uses := Uses{}
	data, err := disk.Read(path, maxUses)
	if err != nil || json.Unmarshal(data, &uses) != nil {
		return Uses{}
	}
	return uses
}

// Count counts a connection to host. Two at once may be counted as one.
func Count(ctx context.Context, path, host string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	lock := disk.LockFile(path)
	unlock, err := disk.Lock(ctx, lock, time.Second, func() bool { return false })
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
