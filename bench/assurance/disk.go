//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// afflictions are what a disk or a home can have. Each returns how to end it.
var afflictions = []struct {
	name  string
	begin func(w *world) (end func() error, err error)
	root  bool // it needs a file system of its own, which only root can make
}{
	{"disk full", fillDisk, true},
	{"inodes full", fillInodes, true},
	{"read-only file system", remount, true},
	{"no file may grow (RLIMIT_FSIZE)", limitFiles, false},
	{"no HOME", func(w *world) (func() error, error) {
		w.env = append(w.env, "HOME=", "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+secret)
		return func() error { return nil }, nil
	}, false},
	{"a HOME that isn't there", func(w *world) (func() error, error) {
		w.env = append(w.env, "HOME=/nonexistent/home", "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+secret)
		return func() error { return nil }, nil
	}, false},
}

// refused makes calls while nothing can be written, and looks at the files when it can be again.
func refused(t *trial) error {
	for _, a := range afflictions {
		if a.root && os.Geteuid() != 0 {
			t.line(a.name, "left out: it needs root")
			continue
		}
		if err := t.refuse(a.name, a.begin, a.root); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

func (t *trial) refuse(name string, begin func(*world) (func() error, error), mount bool) (err error) {
	w, err := t.newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	if mount {
		if err := w.moveHome(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, syscall.Unmount(w.home, syscall.MNT_DETACH)) }()
	}
	if _, err := w.ssoLogin(-1); err != nil {
		return err
	}
	before := w.names()
	end, err := begin(w)
	if err != nil {
		return err
	}
	token := t.line(name+": get", "a token that the server takes")
	others := t.line(name+": any other call", "")
	for i := range 20 {
		user := fmt.Sprintf("u%d", i)
		o := w.run(w.wrap(get(user)))
		bad := o.done()
		if bad == "" {
			bad = w.wrong(o, user)
		}
		token.try(bad, "get")
	}
	for _, c := range []call{
		get("dba", "AWS_PROFILE=role"), get("dba", "AWS_PROFILE=sso"), cmd("discover", "--region", region),
		cmd("setup", "--yes"), cmd("setup", "--undo", "--yes"), cmd("login", "role"), cmd("logout"), cmd("cache",
			"clear"),
		cmd("doctor"), cmd("connect", "--print", dbaURL), cmd("ca-bundle", "--path"),
	} {
		others.try(w.run(w.wrap(c)).fault(), c.String())
	}
	if err := end(); err != nil {
		return err
	}
	t.line(name+": its files afterwards", "whole").try(w.broken(), "afterwards")
	for _, c := range []call{
		get("u0"), cmd("discover", "--region", region), cmd("setup", "--yes"), cmd("setup", "--undo", "--yes"),
		cmd("login", "--no-browser", "sso"), cmd("cache", "clear"),
	} {
		_ = w.run(c) // each removes what it had left
	}
	left := more(w.names(), append(before, "home/.config/mysql-secret-store-rds/inventory.txt"))
	t.line(name+": what is left behind after the next calls", "nothing").try(left, "afterwards")
	return nil
}

// wrap runs a call under the limit on files, where there is one. MySQL Shell ignores its signal.
func (w *world) wrap(c call) call {
	if w.noFiles {
		c.under = []string{"/bin/sh", "-c", `trap "" XFSZ; ulimit -f 0; exec "$0" "$@"`}
	}
	return c
}

func limitFiles(w *world) (func() error, error) {
	w.noFiles = true
	return func() error { w.noFiles = false; return nil }, nil
}

// moveHome puts the home on a small file system of its own.
func (w *world) moveHome() error {
	s, err := w.snapshot()
	if err != nil {
		return err
	}
	if err := syscall.Mount("assurance", w.home, "tmpfs", 0, "size=2m,nr_inodes=200,mode=700"); err != nil {
		return err
	}
	for _, f := range s {
		switch {
		case f.mode.IsDir():
			err = errors.Join(err, os.MkdirAll(f.path, f.mode.Perm()))
		case f.link == "":
			err = errors.Join(err, os.WriteFile(f.path, []byte(f.text), f.mode.Perm()))
		}
	}
	return err
}

func fillDisk(w *world) (func() error, error) {
	path := filepath.Join(w.home, "fill")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return nil, fmt.Errorf("the disk isn't full: %v", err)
	}
	return func() error { return os.Remove(path) }, nil
}

func fillInodes(w *world) (func() error, error) {
	dir := filepath.Join(w.home, "fill")
	err := os.Mkdir(dir, 0o700)
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return nil, err
	}
	return func() error { return os.RemoveAll(dir) }, nil
}

func remount(w *world) (func() error, error) {
	again := func(flags uintptr) error { return syscall.Mount("", w.home, "", syscall.MS_REMOUNT|flags, "") }
	return func() error { return again(0) }, again(syscall.MS_RDONLY)
}
