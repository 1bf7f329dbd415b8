package testbed

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Environment of a fake helper.
const (
	// EnvFakeDir is where it keeps its secrets, and what it was given: the last input as
	// "input", and a line with argv[0] and the command for each call in "calls".
	EnvFakeDir = "TESTBED_FAKE_HELPER_DIR"
	// EnvFakeMode changes what it does: "fail" (every call fails with exit code 3), "refuse" (every
	// call but version does), "slow" (it takes a second), "garbage"
	// (list gives no JSON), "signal" (waits for a signal and writes its name to "signal"),
	// "hang" (never ends), "child" (leaves a child behind that holds its streams).
	EnvFakeMode = "TESTBED_FAKE_HELPER_MODE"
)

// IsFakeHelper reports whether a process was started under the name of a helper other than ours;
// tests and the demo put links to themselves there.
func IsFakeHelper(args []string) bool {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	return strings.HasPrefix(name, "mysql-secret-store-") && name != "mysql-secret-store-rds"
}

// FakeHelper is a credential helper that keeps any bytes as they came: it never decodes the
// strings of a request. It speaks the protocol of 9.4 and later. The result is the exit code.
func FakeHelper(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "Missing command")
		return 1
	}
	dir := os.Getenv(EnvFakeDir)
	if dir == "" {
		fmt.Fprintln(stderr, EnvFakeDir+" is not set")
		return 1
	}
	if err := fakeHelper(dir, args, stdin, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		var code exitError
		if errors.As(err, &code) {
			return int(code)
		}
		return 1
	}
	return 0
}

type exitError int

func (e exitError) Error() string { return "the fake helper fails as it was told to" }

func fakeHelper(dir string, args []string, stdin io.Reader, stdout io.Writer) error {
	if err := record(dir, args); err != nil {
		return err
	}
	switch os.Getenv(EnvFakeMode) {
	case "fail":
		return exitError(3)
	case "refuse":
		if args[1] != "version" {
			return exitError(3)
		}
	case "slow":
		time.Sleep(time.Second)
	case "hang":
		time.Sleep(time.Hour)
	case "signal":
		return awaitSignal(dir)
	case "child":
		child := exec.Command("sleep", "30")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return err
		}
	case "garbage":
		if args[1] == "list" || args[1] == "get" {
			fmt.Fprint(stdout, `[{"SecretType":`)
			return nil
		}
	}
	if args[1] == "version" {
		fmt.Fprintln(stdout, "fake 1.0")
		return nil
	}
	input, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "input"), input, 0o600); err != nil {
		return err
	}
	if args[1] == "list" {
		return fakeList(dir, stdout)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(input, &members); err != nil {
		return err
	}
	id := members["ServerURL"]
	if id == nil {
		id = members["SecretID"]
	}
	sum := sha256.Sum256([]byte(string(members["SecretType"]) + " " + string(id)))
	file := filepath.Join(dir, hex.EncodeToString(sum[:])+".secret")
	notFound := errors.New("Could not find the secret") //lint:ignore ST1005 the protocol's own text
	switch args[1] {
	case "store":
		return os.WriteFile(file, fmt.Appendf(nil, "%s\n%s\n%s", members["SecretType"], id, members["Secret"]), 0o600)
	case "get":
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return notFound
		}
		if err != nil {
			return err
		}
		line := strings.SplitN(string(b), "\n", 3)
		_, err = fmt.Fprintf(stdout, `{"SecretType":%s,"SecretID":%s,"ServerURL":%s,"Secret":%s}`, line[0], line[1], line[1], line[2])
		return err
	case "erase":
		err := os.Remove(file)
		if errors.Is(err, fs.ErrNotExist) {
			return notFound
		}
		return err
	}
	return fmt.Errorf("unknown command %q", args[1])
}

func fakeList(dir string, stdout io.Writer) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.secret"))
	if err != nil {
		return err
	}
	var entries []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		line := strings.SplitN(string(b), "\n", 3)
		entries = append(entries, fmt.Sprintf(`{"SecretType":%s, "SecretID":%s, "ServerURL":%s}`, line[0], line[1], line[1]))
	}
	_, err = fmt.Fprint(stdout, "["+strings.Join(entries, ",")+"]")
	return err
}

func record(dir string, args []string) error {
	f, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, strings.Join(args, " "))
	return errors.Join(err, f.Close())
}

// awaitSignal says "ready" in a file, waits for a signal, and writes its name.
func awaitSignal(dir string) error {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := os.WriteFile(filepath.Join(dir, "ready"), nil, 0o600); err != nil {
		return err
	}
	select {
	case s := <-ch:
		if err := os.WriteFile(filepath.Join(dir, "signal"), []byte(s.String()+"\n"), 0o600); err != nil {
			return err
		}
		return exitError(7)
	case <-time.After(time.Minute):
		return errors.New("no signal came")
	}
}
