// Package doctor checks an installation and the way to a server, and says what to do where
// something is wrong. Its findings are data, which package app prints.
package doctor

import (
	"cmp"
	"fmt"
	"time"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/credentials"
)

// Status is how a check ended.
type Status int

const (
	OK   Status = iota
	Warn        // something to know, or a thing that can't be told
	Fail
)

// String is the word for a status: ok, warn or fail.
func (s Status) String() string {
	words := map[Status]string{OK: "ok", Warn: "warn", Fail: "fail"}
	return cmp.Or(words[s], fmt.Sprintf("Status(%d)", int(s)))
}

// MarshalText makes a status its word in JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is what a check found.
type Finding struct {
	Name   string   `json:"name"` // of the check: "helper", "credentials", "tls", …
	Status Status   `json:"status"`
	Text   string   `json:"text"`         // one line
	Do     []string `json:"do,omitempty"` // commands or texts to paste; SQL and policies have several lines
}

// ofClock judges this machine's clock by how far it is ahead of AWS's.
func ofClock(ahead time.Duration) Finding {
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	text := fmt.Sprintf("%v %s AWS's", ahead.Abs().Round(time.Second), way)
	switch {
	case ahead.Abs() > credentials.MaxSkew:
		return Finding{"clock", Fail, text + ", which refuses what is signed more than 5 minutes off",
			[]string{credentials.SetClock.Text}}
	case ahead.Abs() < 2*time.Second:
		text = "the same as AWS's" // whose answers tell it to the second
	}
	return Finding{"clock", OK, text, nil}
}

// unanswered words a service of AWS that can't be reached, or doesn't answer.
func unanswered(service string, patience time.Duration) string {
	return fmt.Sprintf("%s did not answer within %v: check the network, a VPC endpoint, HTTPS_PROXY", service, patience)
}

// described returns an error in words, and what to do about it.
func described(err error) (text string, do []string) { return advice.Of(err).Split() }
