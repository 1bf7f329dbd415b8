package cache

import "time"

// Note is something that AWS has said, which is believed for a while. No part of it is a secret.
type Note struct {
	Key   string    `json:"key"`             // stands for what it is about
	At    time.Time `json:"at"`              // when AWS said so
	Stamp string    `json:"stamp,omitempty"` // of what it depends on; the note holds as long as that stays the same
	Text  string    `json:"text,omitempty"`  // in words
}

// Holds reports whether a note is to be believed: it is younger than age, and what it depends on is
// as it was. One from the future isn't: the clock was wrong then, or is now.
func (n Note) Holds(stamp string, at time.Time, age time.Duration) bool {
	past := at.Sub(n.At)
	return !n.At.IsZero() && n.Stamp == stamp && past >= 0 && past < age
}

// Note returns the note of a key; the zero Note when there is none that can be trusted.
func (s Store) Note(key string) Note {
	var n Note
	if s.trusted() != nil || readJSON(s.path(key, noteExt), &n) != nil || n.Key != key {
		return Note{}
	}
	return n
}

// PutNote keeps a note in place of the one with the same key, unless another process is at work on
// what the key stands for.
func (s Store) PutNote(n Note) error {
	unlock, err := s.TryLock(n.Key)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	return writeJSON(s.path(n.Key, noteExt), n)
}
