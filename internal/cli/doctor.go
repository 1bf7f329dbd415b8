package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/doctor"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) doctorCommand() *cobra.Command {
	var asJSON, online bool
	var shells []string
	var profile string
	cmd := &cobra.Command{
		Use:   "doctor [user@host:port]",
		Short: "find out what is wrong with the installation, or with a server",
		Long: `Says what there is to sign with, and how long it lasts: each AWS session, each set of credentials that
is kept, what discover knows. Then it checks the installation: MySQL Shell, this helper beside it, the Shell's option,
the other helper, the configuration, the cache, the clock. With a server (a Server URL, the name of an instance or
cluster, or the beginning of a host) it also goes the whole way to that server: its name, the AWS credentials and
whose they are, the permission rds-db:connect, IAM authentication, TCP, TLS, and a login with a token, or with the
password that AWS Secrets Manager keeps; where that is refused, it says which of the known causes it is.

With --online it also asks AWS whose credentials each profile gives, as far as nobody has to log in for that.

Each line is ok, warn (something to know, or that can't be told) or fail; below it stands what to type, or to paste,
to mend it. A login that the server accepted is the proof that it is allowed. It changes nothing, but keeps whose a
server is that nobody knew. Where an SSO session is over, or an MFA code is wanted, it asks you on the terminal.
Exit codes: 0 when nothing failed, 1 when something did.`,
		Example: `  mysql-secret-store-rds doctor
  mysql-secret-store-rds doctor dba@orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306`,
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			found := &findings{
				w: c.stdout.asIs(), asJSON: asJSON, colour: term.Colours(c.stdout.File), bar: c.progress(asJSON),
			}
			defer found.bar.Clear()
			example := advice.Run(cmd.CommandPath() + " " + exampleServer)
			switch {
			case len(args) > 1:
				return advice.Problemf("doctor takes one server at most").With(example)
			case len(args) == 1 && args[0] == "":
				return advice.Problemf("the server's name is empty").With(example)
			}
			if err := useProfile(cmd, profile); err != nil {
				return err
			}
			err := c.doctor(cmd.Context(), shells, strings.Join(args, ""), online, found)
			if found.bar.Clear(); err != nil {
				return err
			}
			return found.end(cmd.Context().Err() != nil)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().BoolVar(&online, "online", false, "ask AWS whose credentials each profile gives")
	cmd.Flags().StringArrayVar(&shells, "shell", nil, shellFlag)
	addProfileFlag(cmd, &profile)
	return cmd
}

const shellFlag = "the mysqlsh program to look at, instead of every one that is found"

// findings shows what the doctor finds, as it comes.
type findings struct {
	w      io.Writer
	asJSON bool
	colour bool
	bar    *term.Progress // what is being waited for
	list   []doctor.Finding
	number [doctor.Fail + 1]int // of findings, by their status
}

func (f *findings) heading(text string) {
	if f.asJSON {
		return
	}
	f.bar.Clear()
	if len(f.list) > 0 {
		fmt.Fprintln(f.w)
	}
	sayf(f.w, "%s", text)
}

func (f *findings) add(one doctor.Finding) {
	f.list = append(f.list, one)
	f.number[one.Status]++
	if f.asJSON {
		return
	}
	f.bar.Clear()
	s := screenOf(f.w)
	const status = "  %-4s  %-13s  "
	text := s.text(fmt.Sprintf(status, one.Status, one.Name), one.Text)
	word := one.Status.String()
	colour := [...]term.Colour{doctor.OK: term.Green, doctor.Warn: term.Yellow, doctor.Fail: term.Red}[one.Status]
	fmt.Fprintln(f.w, strings.Replace(text, word, term.Paint(word, colour, f.colour), 1))
	f.printDo(s, one.Do)
}

// printDo prints what to type or to paste, which isn't broken: below its finding where all of it
// fits there, else further to the left.
func (f *findings) printDo(s screen, list []string) {
	beside := strings.Repeat(" ", 23)
	indent := beside
	fits := func(text string) bool { return s.width == 0 || utf8.RuneCountInString(beside+text) <= s.width }
	wheres := make([]string, len(list)) // that are said in a line of their own
	pastes := slices.Clone(list)
	for i, do := range list {
		if where, paste, ok := strings.Cut(do, ":  "); ok && !fits(do) {
			wheres[i], pastes[i] = where+":", paste
		}
		for line := range strings.Lines(pastes[i]) {
			if !fits(strings.TrimSuffix(line, "\n")) {
				indent = "    "
			}
		}
	}
	for i, paste := range pastes {
		if wheres[i] != "" {
			s.print(beside, wheres[i])
		}
		for line := range strings.Lines(paste) {
			fmt.Fprintln(f.w, indent+term.Visible(strings.TrimSuffix(line, "\n")))
		}
	}
}

func (f *findings) waiting(what string) { f.bar.Say("waiting for " + what + " …") }

// end says how it went; its error is errSaid when something failed, or a person interrupted it.
func (f *findings) end(interrupted bool) error {
	failed, warned := f.number[doctor.Fail], f.number[doctor.Warn]
	good := failed == 0 && !interrupted
	if f.asJSON {
		err := printJSON(f.w, struct {
			OK       bool             `json:"ok"`
			Findings []doctor.Finding `json:"findings"`
		}{good, f.list})
		if err != nil {
			return err
		}
	} else if len(f.list) > 0 {
		verdict, warnings := "All is well.", advice.Count(warned, "warning")
		switch {
		case interrupted:
			verdict = fmt.Sprintf("Interrupted: not everything was checked; so far %d failed, %s.", failed, warnings)
		case failed > 0:
			verdict = fmt.Sprintf("%d failed, %s", failed, warnings)
		case warned > 0:
			verdict = fmt.Sprintf("Nothing failed, %s.", warnings)
		}
		fmt.Fprintf(f.w, "\n%s\n", verdict)
	}
	if !good {
		return errSaid
	}
	return nil
}

func (c *console) doctor(ctx context.Context, shells []string, typed string, online bool, found *findings) error {
	sys, err := here(shells)
	if err != nil {
		return err
	}
	file, cfg, err := readConfigFile()
	var ch chosen
	if typed != "" && err == nil {
		if ch, err = (chooser{c, "doctor", cfg, ""}).choose(ctx, []string{typed}); err != nil {
			return err
		}
	}
	found.heading("AWS")
	aws := readAWS(time.Now())
	doctor.CheckAWS(aws, found.add)
	if online {
		c.askAWS(ctx, aws.Profiles, cfg, found)
	}
	if ctx.Err() != nil {
		return nil
	}
	found.heading("Installation")
	found.waiting("MySQL Shell to say its version")
	in := c.installation(ctx, sys, file, cfg, err)
	in.Waiting = found.waiting
	doctor.CheckInstallation(ctx, in, found.add)
	if typed == "" || ctx.Err() != nil {
		return nil
	}
	if err != nil {
		found.heading("Server")
		const text = "not checked: the configuration can't be read"
		found.add(doctor.Finding{Name: "target", Status: doctor.Warn, Text: text})
		return nil
	}
	found.heading("Server " + ch.id)
	if err := c.checkServer(ctx, ch.URL, cfg, found); err != nil && ctx.Err() == nil {
		p := advice.Of(err)
		found.add(doctor.Finding{Name: "target", Status: doctor.Fail, Text: p.Text, Do: p.Actions()})
	}
	return nil
}

// here is this machine, with the Shells that a person named, or all that there are.
func here(shells []string) (setup.System, error) {
	binary, err := os.Executable()
	if err == nil {
		binary, err = filepath.EvalSymlinks(binary)
	}
	if err != nil {
		return setup.System{}, fmt.Errorf("find this program: %w", err)
	}
	sys := setup.Here(binary)
	for _, path := range shells {
		path, err := filepath.Abs(path)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return setup.System{}, advice.Problemf("--shell: %v", err)
		}
		if !sys.Program(path) {
			p := advice.Problemf("--shell: %s is not a program", path)
			if inside := filepath.Join(path, "mysqlsh"); sys.Program(inside) {
				p = p.With(advice.Say("name the program in it: --shell %s", advice.Word(inside)))
			}
			return setup.System{}, p
		}
		sys.Named = append(sys.Named, path)
	}
	return sys, nil
}

// installation looks at what there is; configErr is what came of reading the configuration.
func (c *console) installation(
	ctx context.Context, sys setup.System, file stamp.ConfigFile, cfg *config.Config, configErr error,
) doctor.Installation {
	in := doctor.Installation{
		Binary: sys.Binary, OptionsFile: sys.OptionsFile(), ConfigFile: file.Path, ConfigErr: configErr,
		Provider: credentials.New(credentials.Source{Region: "us-east-1"},
			credentials.Options{Timeout: config.DefaultTimeout}),
	}
	found := sys.Shells()
	in.Shells = make([]doctor.Shell, len(found))
	var wg sync.WaitGroup
	for i, sh := range found { // one that hangs is waited for once
		wg.Go(func() {
			in.Shells[i] = doctor.Shell{
				Path: sh.Path, Version: sys.Version(ctx, sh.Path), Helper: sys.Identify(ctx, sys.Beside(sh)),
			}
			if sh.VSCode() {
				own := doctor.Options{File: sys.OptionsOf(sh.Dir)}
				own.Helper, own.Err = setup.OptionIn(own.File)
				in.Shells[i].Own = &own
			}
		})
	}
	wg.Wait()
	in.Option, in.OptionsErr = setup.OptionIn(in.OptionsFile)
	if helper := os.Getenv(setup.EnvHelper); helper != "" {
		in.Option, in.Variable, in.OptionsErr = helper, setup.EnvHelper, nil
	}
	if configErr != nil || cfg.Cache {
		kept, err := cache.Open()
		in.CacheDir, in.CacheErr = kept.Dir(), err
	}
	if configErr != nil {
		return in
	}
	if d, err := c.otherHelper(cfg, found); err == nil {
		in.Delegate, in.DelegateBroken = d.Path, !d.Works(ctx)
	} else if cfg.Delegate != "none" {
		in.DelegateErr = &delegate.Error{Err: err, ConfigFile: cfg.File}
	}
	return in
}

func (c *console) checkServer(ctx context.Context, u server.URL, cfg *config.Config, found *findings) error {
	engine, _, err := c.engine("doctor", u.String())
	if err != nil {
		return err
	}
	asking, cancel := credentials.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	found.waiting("DNS, or AWS, whose the server is")
	res, report, err := engine.Learn(asking, password.Request{ID: u.String(), URL: u}, true)
	_, stranger := errors.AsType[*password.SignError](err)
	if err != nil && !stranger {
		return err
	}
	store, err := openStore(cfg)
	if err != nil {
		return err
	}
	s := doctor.Server{
		URL: u, Resolution: res, Config: cfg, Tunnel: res.Client.SSH, Waiting: found.waiting, Asked: report,
		Provider: credentials.New(password.Source(res.Target),
			credentials.Options{Code: c.ask.Code, Login: c.ask.Login, Store: store, Timeout: cfg.Timeout}),
	}
	if res.Ours() {
		s.Saved, s.Known = c.isSaved(ctx, res, cfg, u.String()), res.Server
		if s.CA, s.CAFile, s.CAKnown, err = trusted(res); err != nil {
			p := advice.Of(err)
			found.add(doctor.Finding{Name: "ssl_ca", Status: doctor.Fail, Text: p.Text, Do: p.Actions()})
		}
	}
	doctor.CheckServer(ctx, s, found.add)
	return nil
}

// trusted returns the authorities that a server's certificate may be of: those of the
// configuration's file, of the one that was fetched, or the embedded ones, which are not for every
// region.
func trusted(res resolve.Resolution) (pool *x509.CertPool, file string, known bool, err error) {
	file = res.Client.SSLCA
	if file == "" {
		file, err = fetched(res)
	}
	if file == "" {
		return cabundle.Pool(), "", covered(res), err
	}
	pool, err = readAuthorities(file)
	return pool, file, err == nil, err
}
