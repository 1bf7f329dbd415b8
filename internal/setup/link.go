package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mysql-secret-store-rds/internal/advice"
)

// link puts a link to this program into a Shell's folder, or a copy where there are no links. It mends a link that leads
// nowhere, and replaces what setup put there before, and an older build that is in a folder of the user's own. What is
// somebody else's stays, also when it is this program: on a host with several users it may be the only one that they can use.
func (in Input) link(st state, dir string) Step {
	sys := in.System
	path := sys.helperIn(dir)
	verb := "link"
	if sys.GOOS == "windows" {
		verb = "copy"
	}
	s := Step{What: fmt.Sprintf("%s %s to %s", verb, sys.Binary, path), about: path}
	now, err := os.Lstat(path)
	isLink := err == nil && now.Mode()&fs.ModeSymlink != 0
	to, was := "", ""
	if isLink {
		to, _ = os.Readlink(path)
	}
	barred, none := false, false
	switch {
	case errors.Is(err, fs.ErrNotExist):
		none = true
	case err != nil:
		s.Needs = err.Error()
		return s
	case sys.leadsHere(path):
		s.Done = true
		return s
	case isLink && leadsNowhere(path):
		none = true
		s.What = fmt.Sprintf("mend the link %s: it should lead to %s", path, sys.Binary)
	case isLink && !mayRun(path):
		s.What = fmt.Sprintf("%s leads to %s, which you may not run: neither may MySQL Shell when you use it", path, to)
		barred, was = true, to
	case !mayRun(path):
		s.Needs = fmt.Sprintf("%s is there, and you may not run it: ask whose it is", path)
		return s
	default:
		build := sys.build(path)
		if build == "" {
			s.Needs = fmt.Sprintf("%s is there, and is not this program: look at it, and move it away", path)
			return s
		}
		old := older(build, sys.Version(context.Background(), sys.Binary))
		put, mine := st.standing(path)
		moved := mine && (sys.GOOS == "windows" || put.Link != "" && put.Link != sys.Binary && put.Link != sys.common())
		if !moved && !(old && (mine || ownFolder(path))) {
			s.What, s.Done = fmt.Sprintf("%s leads to %s, another build of this program", path, to), true
			if !isLink {
				s.What = path + " is another build of this program"
			}
			return s
		}
		if s.What = fmt.Sprintf("replace %s, another build of this program", path); isLink {
			s.What = fmt.Sprintf("mend the link %s: it should lead to %s", path, sys.Binary)
		}
		was = to
	}
	target := sys.Binary
	if barred || !sys.Writable(dir) {
		target, s.Needs = sys.placeByHand(path, barred)
		s.works = !barred && !none
		if none {
			s.What += "; until then that MySQL Shell has no helper"
		}
	}
	entry := written{Path: path, Program: true, Link: target}
	s.note = func(st *state) error {
		if sys.GOOS == "windows" || target == path {
			program, err := os.ReadFile(sys.Binary)
			if err != nil {
				return err
			}
			entry.Link, entry.Sum = "", sum(program)
		}
		// Nobody's link or copy but setup's own tells what was there before it.
		if put, mine := st.standing(path); mine {
			entry.Copy, entry.Was = put.Copy, put.Was
		} else {
			entry.Copy, entry.Was = now != nil && !isLink, was
		}
		st.expect(entry)
		return nil
	}
	if s.Needs != "" {
		return s
	}
	s.do = func(st *state) error {
		if err := sys.place(path, target, sys.GOOS == "windows"); err != nil {
			return err
		}
		st.settle(entry)
		return nil
	}
	return s
}

// unlink removes a link or, on Windows, a copy of this program. Where setup found a copy that somebody had put there by
// hand, there is one again: of this build, as the older one is gone.
func (in Input) unlink(path string, list []written) Step {
	sys := in.System
	s := Step{What: "remove " + path}
	info, err := os.Lstat(path)
	isLink := err == nil && info.Mode()&fs.ModeSymlink != 0
	ours, wasCopy, was := isLink && sys.leadsHere(path), false, ""
	for _, w := range list {
		if w.Path == path {
			ours = ours || w.stands()
			wasCopy = wasCopy || w.Copy
			if w.Was != "" && !leadsNowhere(from(path, w.Was)) {
				was = w.Was
			}
		}
	}
	switch {
	case absent(err):
		s.Done = true
	case err != nil:
		s.Needs = err.Error()
	case !ours:
		s.What, s.Done = "keep "+path+": it is not what setup put there", true
	case wasCopy && !isLink:
		s.What, s.Done = "keep "+path+": there was a copy of this program before setup", true
	case !isLink && sys.isSelf(path): // a program that runs can't remove itself there
		s.Needs, s.gone = sys.removeByHand(path), true
	case was != "":
		s.What = "lead " + path + " to " + was + " again, as before setup"
		if s.do = func(st *state) error { return st.undone(path, sys.place(path, was, false)) }; !sys.Writable(filepath.Dir(path)) {
			s.Needs = linkByHand(was, path)
		}
	case wasCopy && !sys.Writable(filepath.Dir(path)):
		s.What = "copy " + sys.Binary + " to " + path + ", as there was a copy before setup"
		s.Needs = "sudo install -m 755 " + advice.Word(sys.Binary) + " " + advice.Word(path)
	case wasCopy:
		s.What = "copy " + sys.Binary + " to " + path + ", as there was a copy before setup"
		s.do = func(st *state) error { return st.undone(path, sys.place(path, sys.Binary, true)) }
	case !sys.Writable(filepath.Dir(path)):
		s.Needs, s.gone = sys.removeByHand(path), true
	default:
		s.gone = true
		s.do = func(st *state) error { return st.undone(path, os.Remove(path)) }
	}
	return s
}
