package sso

import (
	"errors"
	"net/url"
	"os"
	"os/exec"
	"runtime"
)

// ErrNoBrowser is a machine, or a session on one, that has no browser to open.
var ErrNoBrowser = errors.New("no browser here")

// Browse opens an address in the user's browser, where there is one, and doesn't wait for it.
func Browse(address string) error {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("not an address for a browser")
	}
	command := opener(runtime.GOOS, os.Getenv)
	if command == nil {
		return ErrNoBrowser
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return ErrNoBrowser
	}
	cmd := exec.Command(path, append(command[1:], address)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // whatever becomes of it, the address stands on the terminal
	return nil
}

// opener is the command that opens an address, or nil where nobody would see it.
func opener(goos string, getenv func(string) string) []string {
	if program := getenv("BROWSER"); program != "" {
		return []string{program}
	}
	if getenv("SSH_CONNECTION") != "" {
		return nil
	}
	switch goos {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	if getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" {
		return nil
	}
	return []string{"xdg-open"}
}
