package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
)

// process is a credential_process (AWS SDKs and Tools reference guide, "Process credential
// provider"), run without a shell, as the AWS CLI does. The SDK's own (credentials/processcreds) gives
// the line to a shell, of whose children it knows nothing, keeps whatever is said, and refuses times
// that other tools write.
type process struct {
	command string
	end     time.Time // when it is ended
}

// Retrieve implements [aws.CredentialsProvider]. Its errors are a [*ProcessError],
// [ErrTimeout] or [ErrInterrupted].
func (p *process) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := unhidden(ctx)
	defer cancel()
	ctx, cancel = context.WithDeadline(ctx, p.end)
	defer cancel()
	cmd, err := command(ctx, p.command)
	if err != nil {
		return aws.Credentials{}, err
	}
	// A password manager may ask on the terminal, which it opens itself or finds there.
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	said := &disk.Limited{Limit: maxProcess, OnFull: func() {
		_ = cmd.Process.Kill() // it may go on without a reader
	}}
	cmd.Stdout = said
	cmd.WaitDelay = endProcess // a child that it leaves behind may keep its stdout
	err = cmd.Run()
	switch {
	case said.Err("") != nil:
		return aws.Credentials{}, &ProcessError{fmt.Sprintf("its output is more than %d MB", maxProcess>>20)}
	case ctx.Err() != nil:
		return aws.Credentials{}, ErrTimeout
	case err != nil && err.Error() == "signal: interrupt": // Ctrl-C, which is for all
		return aws.Credentials{}, ErrInterrupted
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return aws.Credentials{}, &ProcessError{problem(err)}
	}
	return readProcess(said.Bytes())
}

// command returns the program that a line means. One that isn't found is left to a shell, where there
// is one, as the AWS SDKs do with every line: it may be a variable, or a word of the shell's own.
func command(ctx context.Context, line string) (*exec.Cmd, error) {
	words, err := profiles.SplitCommand(line, runtime.GOOS == "windows")
	switch {
	case err != nil:
		return nil, &ProcessError{err.Error()}
	case len(words) == 0:
		return nil, &ProcessError{"it is empty"}
	}
	if _, err := exec.LookPath(words[0]); err != nil && runtime.GOOS != "windows" {
		words = []string{"sh", "-c", line}
	}
	return exec.CommandContext(ctx, words[0], words[1:]...), nil
}

// program returns the file of a line's program, or "" when there is none.
func program(line string) string {
	words, err := profiles.SplitCommand(line, runtime.GOOS == "windows")
	if err != nil || len(words) == 0 {
		return ""
	}
	path, _ := exec.LookPath(words[0]) // "" when it isn't found
	return path
}

// problem words a failure without what the program said: that may be half a credential.
func problem(err error) string {
	if failed, ok := errors.AsType[*exec.Error](err); ok {
		return fmt.Sprintf("%s: %v", failed.Name, failed.Err)
	}
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Error()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Error()
	}
	return "failed"
}

// readProcess reads what a credential_process says. Names have their case, as in the AWS CLI.
func readProcess(said []byte) (aws.Credentials, error) {
	var answer map[string]json.RawMessage
	if json.Unmarshal(said, &answer) != nil || answer == nil {
		return aws.Credentials{}, &ProcessError{"its output is not the JSON that the AWS SDK expects"}
	}
	var (
		version    float64
		expiration *string
		c          = aws.Credentials{Source: "ProcessProvider"}
	)
	for _, field := range []struct {
		name     string
		to       any
		what     string
		optional bool
	}{
		{"Version", &version, "number", true}, {"AccessKeyId", &c.AccessKeyID, "string", false},
		{"SecretAccessKey", &c.SecretAccessKey, "string", false}, {"SessionToken", &c.SessionToken, "string", true},
		{"Expiration", &expiration, "string", true},
	} {
		text, there := answer[field.name]
		if there && json.Unmarshal(text, field.to) != nil {
			return aws.Credentials{}, &ProcessError{fmt.Sprintf("%s in its output is not a %s", field.name, field.what)}
		}
		if field.name == "Version" && version != 1 {
			return aws.Credentials{}, &ProcessError{"wrong version in process output (not 1)"}
		}
		given, ok := field.to.(*string)
		if ok && *given == "" && !field.optional {
			return aws.Credentials{}, &ProcessError{"missing " + field.name + " in process output"}
		}
		if ok && noKey(*given) != "" {
			return aws.Credentials{}, &ProcessError{fmt.Sprintf("%s in its output has %s in it, which no key has",
				field.name, noKey(*given))}
		}
	}
	// A number or a string.
	if id := strings.Trim(string(answer["AccountId"]), `"`); strings.Trim(id, "0123456789") == "" {
		c.AccountID = id
	}
	if expiration != nil {
		var err error
		if c.Expires, err = profiles.ParseTime(*expiration); err != nil {
			return aws.Credentials{}, &ProcessError{"Expiration in its output is not a time with a zone"}
		}
		c.CanExpire = true
	}
	return c, nil
}
