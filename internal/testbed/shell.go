package testbed

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"

	"mysql-secret-store-rds/internal/server"
)

// Shell calls a credential helper in MySQL Shell's manner (protocol: mysqlshdk/libs/
// secret-store-api in the Shell's source): by its full path with one argument, stdout and stderr
// in one pipe that is read to its end, LC_ALL forced, and no timeout but the context's.
type Shell struct {
	Helper string   // full path of mysql-secret-store-<name>
	Env    []string // the user's environment
	Dir    string   // the user's working folder
	// Before94 makes it a Shell up to 9.3: requests without SecretID, and stdin neither written
	// nor closed for version and list.
	Before94 bool
	// NoTerminal runs the helper in a session of its own, without the terminal that a real one has:
	// that of the person who runs the tests.
	NoTerminal bool
}

// Reply is what came back: both streams, stripped, and the exit code.
type Reply struct {
	Output   string
	ExitCode int
}

// Call runs one command. An error means that the helper could not be run, or that its streams
// were still open when ctx ended: a real Shell would hang there.
func (s Shell) Call(ctx context.Context, command string, input []byte) (Reply, error) {
	cmd := exec.CommandContext(ctx, s.Helper, command)
	cmd.Env = append(append([]string{}, s.Env...), "LC_ALL=en_US.UTF-8")
	cmd.Dir = s.Dir
	stdinR, stdinW, err := os.Pipe()
	if err != nil {
		return Reply{}, err
	}
	defer stdinW.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		return Reply{}, errors.Join(err, stdinR.Close())
	}
	defer outR.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdinR, outW, outW
	if s.NoTerminal {
		cmd.SysProcAttr = ownSession()
	}
	err = cmd.Start()
	_ = stdinR.Close()
	_ = outW.Close()
	if err != nil {
		return Reply{}, err
	}
	if silent := s.Before94 && (command == "version" || command == "list"); !silent {
		go func() {
			_, _ = stdinW.Write(input) // a helper may end without reading
			_ = stdinW.Close()
		}()
	}
	output := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(outR) // ends with outR, too
		output <- b
	}()
	var reply Reply
	select {
	case b := <-output:
		reply.Output = strings.TrimSpace(string(b))
	case <-ctx.Done():
		_ = cmd.Wait()
		return Reply{}, fmt.Errorf("%s %s: output still open: %w", filepath.Base(s.Helper), command, ctx.Err())
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		reply.ExitCode = exit.ExitCode()
	} else if err != nil {
		return Reply{}, err
	}
	return reply, nil
}

// Request is the JSON object that this Shell writes for a password.
func (s Shell) Request(url string, password ...string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"SecretType":"password",`)
	if !s.Before94 {
		b.WriteString(`"SecretID":` + quote(url) + `,`)
	}
	b.WriteString(`"ServerURL":` + quote(url))
	for _, p := range password {
		b.WriteString(`,"Secret":` + quote(p))
	}
	b.WriteString("}")
	return b.Bytes()
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string can't fail
	return string(b)
}

// HelperError is a get that failed: what the Shell prints after "Failed to retrieve the
// password", or, when Silent, nothing.
type HelperError struct {
	Message string
	Silent  bool
}

func (e *HelperError) Error() string { return "Failed to retrieve the password: " + e.Message }

// Get asks for the password of a Server URL.
func (s Shell) Get(ctx context.Context, url string) (string, error) {
	reply, err := s.Call(ctx, "get", s.Request(url))
	if err != nil {
		return "", err
	}
	if reply.ExitCode != 0 {
		return "", &HelperError{reply.Output, reply.Output == "Could not find the secret"}
	}
	var answer struct{ SecretType, ServerURL, SecretID, Secret *string }
	if err := json.Unmarshal([]byte(reply.Output), &answer); err != nil {
		return "", fmt.Errorf("Failed to parse JSON output: %w", err) //lint:ignore ST1005 the Shell's own text
	}
	for name, member := range map[string]*string{"SecretType": answer.SecretType, "ServerURL": answer.ServerURL,
		"Secret": answer.Secret} {
		if member == nil {
			return "", fmt.Errorf("Failed to parse JSON output: Missing member: %q", name) //lint:ignore ST1005 the Shell's own text
		}
	}
	if !s.Before94 && answer.SecretID == nil {
		return "", errors.New(`Failed to parse JSON output: Missing member: "SecretID"`) //lint:ignore ST1005 the Shell's own text
	}
	return *answer.Secret, nil
}

// Login does what the Shell does with "\connect user@host:port": get the password, connect with
// it, and after "access denied" (1045) erase it. It never gets twice. The network is replaced:
// every name leads to the server.
func (s Shell) Login(ctx context.Context, url string, to *RDS) (*sql.DB, error) {
	u, err := server.Parse(url)
	if err != nil {
		return nil, err
	}
	password, err := s.Get(ctx, url)
	if err != nil {
		return nil, err
	}
	db, err := Connect(ctx, u.User, u.Host, u.PortOrDefault(), password, to)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == 1045 {
		reply, eraseErr := s.Call(ctx, "erase", s.Request(url))
		if eraseErr != nil {
			return nil, errors.Join(err, eraseErr)
		}
		if reply.ExitCode != 0 {
			return nil, fmt.Errorf("%w; and erase failed: %s", err, reply.Output)
		}
	}
	return db, err
}

// Connect logs in to the server as a client does that sends its password in clear over TLS and
// verifies the host name.
func Connect(ctx context.Context, user, host string, port int, password string, to *RDS) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net = user, password, "tcp"
	cfg.Addr = net.JoinHostPort(host, fmt.Sprint(port))
	cfg.AllowCleartextPasswords = true
	cfg.TLS = to.TLS(host)
	cfg.Logger = &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, to.Addr)
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// NoTerminal has a command run without the terminal of the process that starts it.
func NoTerminal(cmd *exec.Cmd) { cmd.SysProcAttr = ownSession() }
