package setup

import (
	"fmt"
	"os"
	"path/filepath"
)

// link puts a link to this program into a Shell's folder, or a copy where there are no links. It
// mends a link that leads nowhere, and replaces what setup put there before, and an older build
// that is in a folder of the user's own. What is somebody else's stays, also when it is this
// program: on a host with several users it may be the only one that they can use.
func (in Input) link(st state, sh Shell) Step {
	h := in.System.identify(in.System.helperIn(sh.Dir))
	s := in.judge(st, h)
	if s.file = h.Path; s.Done || s.Needs != "" {
		return s
	}
	return in.install(s, h)
}

// judge words what is to become of what stands beside a Shell. The step has still to be made unless
// it is done, or a person's.
func (in Input) judge(st state, h Helper) Step {
	sys := in.System
	verb := "link"
	if sys.GOOS == "windows" {
		verb = "copy"
	}
	s := Step{What: fmt.Sprintf("%s %s to %s", verb, sys.Binary, h.Path)}
	mend := fmt.Sprintf("mend the link %s: it should lead to %s", h.Path, sys.Binary)
	switch {
	case h.State == Absent:
	case h.State == Unknown:
		s.Needs = h.Err.Error()
	case h.State == This, h.State == Copy && sys.GOOS == "windows":
		s.Done = true
	case h.State == Dangling:
		s.What = mend
	case h.State == Forbidden && h.Link != "":
		const text = "%s leads to %s, which you may not run: neither may MySQL Shell when you use it"
		s.What = fmt.Sprintf(text, h.Path, h.Link)
	case h.State == Forbidden:
		s.Needs = fmt.Sprintf("%s is there, and you may not run it: ask whose it is", h.Path)
	case !h.serves():
		s.Needs = fmt.Sprintf("%s is there, and is not this program: look at it, and move it away", h.Path)
	case h.Link != "" && in.replaces(st, h):
		s.What = mend
	case h.Link == "" && in.replaces(st, h):
		s.What = fmt.Sprintf("replace %s, another build of this program", h.Path)
	case h.Link != "":
		s.What, s.Done = fmt.Sprintf("%s leads to %s, another build of this program", h.Path, h.Link), true
	default:
		s.What, s.Done = h.Path+" is another build of this program", true
	}
	return s
}

// replaces reports whether setup may replace another build: one that it put there itself for a
// program that stood elsewhere, or an older one.
func (in Input) replaces(st state, h Helper) bool {
	sys := in.System
	put, mine := st.standing(h.Path)
	if mine && (sys.GOOS == "windows" || put.Link != "" && put.Link != sys.Binary && put.Link != sys.common()) {
		return true
	}
	return (mine || ownFolder(h.Path)) && sys.outdated(h)
}

// install makes the step that puts this program where h stands.
func (in Input) install(s Step, h Helper) Step {
	sys := in.System
	forbidden, none := h.State == Forbidden, h.State == Absent || h.State == Dangling
	target := sys.Binary
	if forbidden || !sys.Writable(filepath.Dir(h.Path)) {
		target, s.Needs = sys.placeByHand(h.Path, forbidden)
		s.Root = sys.GOOS != "windows"
		s.works = !forbidden && !none
		root := "root"
		if sys.GOOS == "windows" {
			root = "an Administrator"
		}
		s.What += ", which takes " + root
	}
	entry := written{Path: h.Path, Program: true, Link: target}
	s.note = func(st *state) error {
		if sys.GOOS == "windows" || target == h.Path {
			program, err := readProgram(sys.Binary)
			if err != nil {
				return err
			}
			entry.Link, entry.Sum = "", sum(program)
		}
		// Nobody's link or copy but setup's own tells what was there before it.
		if put, mine := st.standing(h.Path); mine {
			entry.Copy, entry.Was = put.Copy, put.Was
		} else if entry.Copy = h.State != Absent && h.Link == ""; !none {
			entry.Was = h.Link
		}
		st.expect(entry)
		return nil
	}
	if s.Needs == "" {
		s.do = func(st *state) error {
			return st.settled(entry, sys.place(h.Path, target, sys.GOOS == "windows"))
		}
	}
	return s
}

// unlink removes a link or, on Windows, a copy of this program. Where setup found a copy that
// somebody had put there by hand, there is one again: of this build, as the older one is gone.
func (in Input) unlink(path string, list []written) Step {
	sys := in.System
	s := Step{What: "remove " + path}
	h := sys.look(path)
	isLink := h.Link != ""
	ours, wasCopy, was := isLink && h.State == This, false, ""
	for _, w := range list {
		if w.Path == path {
			ours = ours || w.stands()
			wasCopy = wasCopy || w.Copy
			if w.Was != "" && sys.look(from(path, w.Was)).there() {
				was = w.Was
			}
		}
	}
	undo, byHand := func() error { return os.Remove(path) }, sys.removeByHand(path)
	switch {
	case h.State == Absent:
		s.Done = true
	case h.State == Unknown:
		s.Needs = h.Err.Error()
	case !ours:
		s.What, s.Done = "keep "+path+": it is not what setup put there", true
	case wasCopy && !isLink:
		s.What, s.Done = "keep "+path+": there was a copy of this program before setup", true
	case !isLink && h.State == This: // a program that runs can't remove itself there
		s.Needs, s.gone = byHand, true
	case was != "":
		s.What = "lead " + path + " to " + was + " again, as before setup"
		undo, byHand = func() error { return sys.place(path, was, false) }, linkByHand(was, path)
	case wasCopy:
		s.What = "copy " + sys.Binary + " to " + path + ", as there was a copy before setup"
		undo, byHand = func() error { return sys.place(path, sys.Binary, true) }, installByHand(sys.Binary, path)
	default:
		s.gone = true
	}
	if !s.Done && s.Needs == "" && !sys.Writable(filepath.Dir(path)) {
		s.Needs = byHand
	}
	s.do = func(st *state) error { return st.undone(path, undo()) }
	return s
}
