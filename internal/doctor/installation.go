package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/setup"
)

// Shell is a MySQL Shell that was found.
type Shell struct {
	Path    string       // of the real binary, symbolic links followed
	Version string       // as it says, or ""
	Helper  setup.Helper // what stands beside it
	// Own are its options, where it has others than most Shells: MySQL Shell for VS Code does.
	Own *Options
}

// Options are a Shell's persisted options.
type Options struct {
	File   string
	Helper string // their credentialStore.helper; "": not set
	Err    error  // of reading them; none when there is no such file
}

// Installation is what was found of one.
type Installation struct {
	Binary string // this program, symbolic links followed
	Shells []Shell

	OptionsFile string // most Shells' file of persisted options
	OptionsErr  error  // of reading it; none when it isn't there
	Option      string // its credentialStore.helper; "": not set
	Variable    string // the environment variable that says so instead of the file, or ""

	Delegate    string          // the path of the other helper, or "" for none
	DelegateErr *delegate.Error // why it can't be used
	// DelegateBroken means that it doesn't tell its version, so that it counts as none.
	DelegateBroken bool

	ConfigFile string
	ConfigErr  error  // of reading it
	CacheDir   string // "": nothing is kept
	CacheErr   error  // why there is no place for it

	Provider *credentials.Provider // reaches STS, for the time; its credentials are not needed

	// Waiting, if not nil, is told what is being waited for.
	Waiting func(what string)
}

// CheckInstallation checks what is common to all servers, in the order in which a person would set
// it up, and reports each finding as soon as there is one. It asks STS for the time, and makes a
// file in the cache folder, which it removes.
func CheckInstallation(ctx context.Context, in Installation, report func(Finding)) {
	for _, f := range in.checkShells() {
		report(f)
	}
	report(in.checkOption())
	report(in.checkDelegate())
	report(in.checkConfig())
	report(in.checkCache())
	if in.Waiting != nil {
		in.Waiting("STS: what time it is")
	}
	if clock := in.checkClock(ctx); !errors.Is(ctx.Err(), context.Canceled) {
		report(clock)
	}
}

const runSetup = about.Name + " setup"

func (in Installation) checkShells() []Finding {
	if len(in.Shells) == 0 {
		return []Finding{{"shell", Warn, "no MySQL Shell found in PATH or the usual places",
			[]string{"https://dev.mysql.com/downloads/shell/"}}}
	}
	var list []Finding
	for _, s := range in.Shells {
		shell := Finding{"shell", OK, s.Path + ", " + s.Version, nil}
		if setup.NeedsCleartext(s.Version) {
			shell.Status = Warn
			shell.Text += ": before 8.0.27 it sends tokens only with " + setup.EnvCleartext +
				", which connect sets for it"
			shell.Do = []string{"export " + setup.EnvCleartext + "=1"}
		}
		if s.Version == "" {
			text := s.Path + " doesn't tell its version: it can't be run, or is no MySQL Shell"
			shell = Finding{"shell", Warn, text, []string{advice.Word(s.Path) + " --version"}}
		}
		list = append(list, shell, in.checkHelper(s))
		if s.Own != nil {
			list = append(list, checkOption(*s.Own, s.Own.File+", of MySQL Shell for VS Code", runSetup, true))
		}
	}
	return list
}

// checkHelper words what stands beside a Shell.
func (in Installation) checkHelper(s Shell) Finding {
	const name = "helper"
	h, again := s.Helper, []string{runSetup}
	switch {
	case h.State == setup.Absent:
		return Finding{name, Fail, fmt.Sprintf("there is no %s beside %s", filepath.Base(h.Path), s.Path), again}
	case h.State == setup.Unknown:
		return Finding{name, Warn, fmt.Sprintf("can't tell: %v", h.Err), nil}
	case h.State == setup.Dangling && errors.Is(h.Err, fs.ErrNotExist):
		return Finding{name, Fail, fmt.Sprintf("%s leads to %s, which is not there", h.Path, h.Link), again}
	case h.State == setup.AnotherBuild && h.Err != nil:
		return Finding{name, Warn, fmt.Sprintf("can't tell whether %s is this build: %v", h.Path, h.Err), nil}
	case h.State == setup.AnotherBuild:
		const text = "%s is another build than %s; setup replaces it where it is yours, and older"
		return Finding{name, Warn, fmt.Sprintf(text, h.Path, in.Binary), again}
	case h.State == setup.Foreign:
		text := h.Path + " is not this program: look at it, and move it away"
		return Finding{name, Fail, text, []string{"ls -l " + advice.Word(h.Path)}}
	case h.Err != nil:
		return Finding{name, Fail, fmt.Sprintf("%s can't be used: %v", h.Path, h.Err), again}
	case h.State == setup.NoProgram:
		return Finding{name, Fail, h.Path + " is no program, so that the Shell passes it over", again}
	}
	return Finding{name, OK, h.Path + " is this build", nil}
}

func (in Installation) checkOption() Finding {
	where, do := in.OptionsFile, runSetup
	if in.Variable != "" {
		where, do = in.Variable+" in the environment", "unset "+in.Variable
	}
	read := slices.ContainsFunc(in.Shells, func(s Shell) bool { return s.Own == nil })
	return checkOption(Options{in.OptionsFile, in.Option, in.OptionsErr}, where, do, read)
}

// checkOption words which helper some options name; read means that a Shell reads them.
func checkOption(o Options, where, do string, read bool) Finding {
	const name = "option"
	switch {
	case o.Err != nil:
		return Finding{name, Fail, o.Err.Error(), nil}
	case o.Helper == "rds":
		return Finding{name, OK, "credentialStore.helper is rds (" + where + ")", nil}
	}
	text := fmt.Sprintf("credentialStore.helper is %s, not rds (%s)", o.Helper, where)
	if o.Helper == "" {
		text = "credentialStore.helper is not set (" + where + ")"
	}
	if !read {
		return Finding{name, Warn, text + ", which matters when there is a MySQL Shell", nil}
	}
	return Finding{name, Fail, text, []string{do}}
}

func (in Installation) checkDelegate() Finding {
	const name = "delegate"
	switch {
	case in.ConfigErr != nil:
		return Finding{name, Warn, "not checked: the configuration can't be read", nil}
	case in.DelegateErr != nil:
		return Finding{name, Warn, "passwords are not kept: " + in.DelegateErr.Error(),
			[]string{in.DelegateErr.Choose().String()}}
	case in.DelegateBroken:
		return Finding{name, Warn,
			in.Delegate + " doesn't tell its version, so that it counts as none: passwords are not kept",
			[]string{advice.Words(in.Delegate, "version")}}
	case in.Delegate == "":
		return Finding{name, OK, "none: passwords are not kept", nil}
	}
	return Finding{name, OK, in.Delegate + " keeps the passwords that you save", nil}
}

func (in Installation) checkConfig() Finding {
	const name = "configuration"
	if in.ConfigErr != nil {
		text, do := described(in.ConfigErr)
		return Finding{name, Fail, text, do}
	}
	if _, err := os.Stat(in.ConfigFile); errors.Is(err, fs.ErrNotExist) {
		return Finding{name, OK, "none, which is fine (" + in.ConfigFile + ")", nil}
	}
	return Finding{name, OK, in.ConfigFile + " is valid", nil}
}

// checkCache tries whether the cache folder can be written, or made.
func (in Installation) checkCache() Finding {
	const name = "cache"
	if in.CacheErr != nil {
		return Finding{name, Warn, in.CacheErr.Error(), nil}
	}
	if in.CacheDir == "" {
		return Finding{name, OK, "off: each connection signs a new token", nil}
	}
	dir := in.CacheDir
	info, err := os.Stat(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err == nil {
		err = tryFile(dir, info)
	}
	switch {
	case err != nil:
		return Finding{name, Warn, fmt.Sprintf("nothing can be kept in %s: %v", in.CacheDir, err), nil}
	case dir != in.CacheDir:
		return Finding{name, OK, in.CacheDir + " will be made when there is something to keep", nil}
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		text := fmt.Sprintf("%s is open to other users (mode %04o); its files are not", dir, info.Mode().Perm())
		return Finding{name, Warn, text, []string{"chmod 700 " + advice.Word(dir)}}
	}
	return Finding{name, OK, dir + " is private and can be written", nil}
}

// tryFile makes a file in a folder and removes it. Its name is none that the cache uses.
func tryFile(dir string, info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	if err := disk.OurDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkClock asks STS something without a signature, which it refuses with the time.
func (in Installation) checkClock(ctx context.Context) Finding {
	untold := func(err error) Finding {
		text, _ := described(err)
		return Finding{"clock", Warn, "can't tell: " + text, nil}
	}
	if in.Provider == nil {
		return untold(errors.New("there is no AWS configuration to ask STS by"))
	}
	ctx, cancel := context.WithTimeout(ctx, clockPatience)
	defer cancel()
	cfg, err := in.Provider.Config(ctx)
	if err != nil {
		return untold(err)
	}
	cfg.Credentials = aws.AnonymousCredentials{}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	_, err = sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if refused, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		if there, err := http.ParseTime(refused.Response.Header.Get("Date")); err == nil {
			return ofClock(time.Since(there))
		}
	}
	if err == nil {
		err = errors.New("STS didn't say what time it is")
	}
	if err = in.Provider.Explain(ctx, err); errors.Is(err, credentials.ErrTimeout) {
		return Finding{"clock", Warn, "can't tell: " + unanswered("STS", clockPatience), nil}
	}
	return untold(err)
}
