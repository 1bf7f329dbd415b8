//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxLinks is as many symbolic links as Linux follows.
const maxLinks = 40

// Guarded reports, with a nil error, that nobody but the user and root can change the file at path
// or put another one in its place: not it, not a folder on the way to it, not a link on the way.
// Folders above the user's home are root's business, as they are to ssh (safe_path in misc.c). The
// error is an [*ExposedError], or the system's.
func Guarded(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if err := guarded(next, info); err != nil && !(info.IsDir() && aboveHome(next)) {
				return err
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if err := ownedWell(next, info); err != nil {
			return err
		}
		to, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return nil
}

// guarded judges one file or folder on the way. In a sticky folder, such as /tmp, everybody may
// make files, and nobody may change another's.
func guarded(path string, info fs.FileInfo) error {
	mode := info.Mode()
	if !mode.IsDir() && !mode.IsRegular() { // the null device
		return nil
	}
	if err := ownedWell(path, info); err != nil {
		return err
	}
	if mode.IsDir() && mode&fs.ModeSticky != 0 {
		return nil
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch perm := mode.Perm(); {
	case perm&0o002 != 0:
		return &ExposedError{Path: path, Reason: fmt.Sprintf("can be changed by everybody (mode %04o)", perm)}
	case perm&0o020 != 0 && (!ok || st.Gid != 0 && !private(st.Uid, st.Gid)):
		return &ExposedError{Path: path, Reason: fmt.Sprintf("can be changed by its group (mode %04o)", perm)}
	}
	return nil
}

// ownedWell accepts the user's own and root's, and the caller's of sudo.
func ownedWell(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return nil
	}
	owner := strconv.Itoa(int(st.Uid))
	if os.Geteuid() == 0 && os.Getenv("SUDO_UID") == owner {
		return nil
	}
	return &ExposedError{path, "belongs to user " + owner, true}
}

// aboveHome reports whether the user's home is somewhere in a folder.
func aboveHome(dir string) bool {
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	}
	return strings.HasPrefix(filepath.Clean(home), strings.TrimSuffix(dir, "/")+"/")
}

// private reports whether a group is a user's own and nobody else's, as on systems that give each
// user one and let it write (umask 002). Debian's ssh has the same rule (secure_permissions in
// user-group-modes.patch). Only the system's own files are asked.
func private(uid, gid uint32) bool {
	const limit = 8 << 20
	passwd, err1 := ReadForeign("/etc/passwd", limit)
	groups, err2 := ReadForeign("/etc/group", limit)
	return errors.Join(err1, err2) == nil && privateBy(string(passwd), string(groups), uid, gid)
}

func privateBy(passwd, groups string, uid, gid uint32) bool {
	id, group := strconv.Itoa(int(uid)), strconv.Itoa(int(gid))
	user := ""
	for line := range strings.Lines(passwd) { // name:password:uid:gid:…
		f := strings.Split(line, ":")
		switch {
		case len(f) < 4 || f[3] != group:
		case f[2] != id:
			return false // another user's group, too
		default:
			user = f[0]
		}
	}
	for line := range strings.Lines(groups) { // name:password:gid:members
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) >= 4 && f[2] == group && (f[0] != user || f[3] != "" && f[3] != user) {
			return false
		}
	}
	return user != ""
}
