package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func never() bool { return false }

func lockPath(t *testing.T) string {
	t.Helper()
	return LockFile(filepath.Join(t.TempDir(), "it.json"))
}

// mustLock takes a free lock.
func mustLock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	unlock, err := TryMutex(path)
	if err != nil || unlock == nil {
		t.Fatalf("a free lock can't be had: %v", err)
	}
	return unlock
}

func TestTryMutex(t *testing.T) {
	t.Parallel()
	path := lockPath(t)
	unlock := mustLock(t, path)
	if again, err := TryMutex(path); err != nil || again != nil {
		t.Errorf("held by another: %v, %v", again != nil, err)
	}
	unlock()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the lock's file stays: %v", err)
	}
	mustLock(t, path)()
	if unlock, err := TryMutex(filepath.Join(path, "no", "folder")); err == nil || unlock != nil {
		t.Errorf("without a folder: %v, %v", unlock != nil, err)
	}
}

// TestMutex: each waits for all that come before, and the context ends the waiting.
func TestMutex(t *testing.T) {
	t.Parallel()
	path := lockPath(t)
	unlock := mustLock(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if again, err := Mutex(ctx, path); !errors.Is(err, context.DeadlineExceeded) || again != nil {
		t.Errorf("held by another: %v, %v", again != nil, err)
	}

	// Each of them appends in the lock; none of the lines is lost.
	var wg sync.WaitGroup
	file := filepath.Join(filepath.Dir(path), "lines")
	const workers = 20
	for i := range workers {
		wg.Go(func() {
			unlock, err := Mutex(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			data, _ := Read(file, 1000)
			if err := Write(file, append(data, byte('a'+i))); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	unlock()
	wg.Wait()
	data, err := Read(file, 1000)
	slices.Sort(data)
	if err != nil || len(slices.Compact(data)) != workers {
		t.Errorf("got %q, %v", data, err)
	}
}

// TestFlight: whoever waits takes what the other one made, or works by itself when that one made
// nothing or is too slow.
func TestFlight(t *testing.T) {
	t.Parallel()
	path := lockPath(t)
	unlock, err := Flight(t.Context(), path, 0, never)
	if err != nil || unlock == nil {
		t.Fatal(err)
	}
	if again, err := Flight(t.Context(), path, 30*time.Millisecond, never); err != ErrLetGo || again != nil {
		t.Errorf("held too long: %v", err)
	}
	if again, err := Flight(t.Context(), path, time.Minute, func() bool { return true }); err != nil || again != nil {
		t.Errorf("not needed any more: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if again, err := Flight(ended, path, time.Minute, never); !errors.Is(err, context.Canceled) || again != nil {
		t.Errorf("the caller ended: %v", err)
	}
	waits := make(chan struct{})
	result := make(chan error)
	var once sync.Once
	go func() {
		again, err := Flight(t.Context(), path, time.Minute, func() bool { once.Do(func() { close(waits) }); return false })
		if again != nil {
			again()
		}
		result <- err
	}()
	<-waits
	unlock()
	if err := <-result; err != ErrLetGo {
		t.Errorf("the other one ended without a result: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the lock's file stays: %v", err)
	}
}

// TestPatient: whoever holds a lock for too long was stopped, and keeps nobody out for good.
func TestPatient(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.lock")
	unlock, err := Mutex(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	without, err := Patient(t.Context(), path, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	without()
	if other, err := TryMutex(path); other != nil || err != nil {
		t.Errorf("the lock was let go: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Patient(ctx, path, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at the caller's end: %v", err)
	}
	unlock()
	if unlock, err = Patient(t.Context(), path, time.Minute); err != nil {
		t.Fatal(err)
	}
	unlock()
}
