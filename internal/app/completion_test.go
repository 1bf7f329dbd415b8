package app_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestBashCompletion: in a real bash, with and without the package bash-completion, whose functions
// cobra's script calls.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no bash there")
	}
	const pack = "/usr/share/bash-completion/bash_completion"
	const host = "shop.aaaaaaaaaaaa.eu-west-1.rds.amazonaws.com"
	bash := peer(t, "bash")
	for _, tc := range []struct{ name, setup string }{
		{"alone", "shopt -s hostcomplete"},
		{"no word breaks", "shopt -u hostcomplete; COMP_WORDBREAKS=' '"},
		{"own word break", "shopt -u hostcomplete; COMP_WORDBREAKS=$COMP_WORDBREAKS@"},
		{"bash-completion", "source " + pack + "\nshopt -u hostcomplete"},
		{"bash-completion and hostcomplete", "source " + pack + "\nshopt -s hostcomplete"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(tc.setup, pack) {
				if _, err := os.Stat(pack); err != nil {
					missing(t, "no package bash-completion on this machine")
				}
			}
			b, env := pickerBed(t)
			rc, cfg := filepath.Join(b.home, "rc"), filepath.Join(b.home, ".config", "mysql-secret-store-rds", "config.yaml")
			writeProgram(t, cfg, "defaults: {db_user: everyday}\n")
			writeProgram(t, rc, tc.setup+"\nsource <("+b.helper+" completion bash)\nPATH="+b.folder+":$PATH\nPS1='$ '\n")
			s := newScreen(t, env, "cd; "+bash+" --noprofile --rcfile "+rc+" -i")
			s.wait("$")
			for _, c := range []struct{ typed, want string }{
				{"expl", "explain"},
				{"discover --re", "discover --region"},
				{"discover --profile r", "discover --profile role"},
				{"discover --profile=r", "discover --profile=role"},
				{"explain dba@shop.a", "explain dba@" + host + ":3307"},
				{"explain dba@" + host + ":33", "explain dba@" + host + ":3307"},
				{"explain --json dba@" + host + ":", "explain --json dba@" + host + ":3307"},
				{"explain shop.a", "explain everyday@" + host + ":3307"},
				{"explain sho", "explain everyday@shop."}, // two of them
				{"token every", "token everyday@"},
				{"connect shop.a", "connect " + host},
				{"connect " + host + ":33", "connect " + host + ":3307"},
				{"cache list > r", "cache list > rc"}, // a file
			} {
				s.press("mysql-secret-store-rds " + c.typed)
				s.press("Tab")
				if shown := s.wait("$ mysql-secret-store-rds " + c.want); strings.Contains(shown, "bash:") {
					t.Errorf("%s:\n%s", c.typed, shown)
				}
				s.press("C-u", "C-l")
			}
			s.press(`mysql-secret-store-rds explain "dba@sh`) // a quote that isn't closed yet
			s.press("Tab", "Tab", "op")
			s.wait(`$ mysql-secret-store-rds explain "dba@shop`)
		})
	}
}

// completionShell is a shell in a terminal, in which mysql-secret-store-rds is completed.
func completionShell(t *testing.T, name string, b *bed, env []string) *screen {
	t.Helper()
	path := peer(t, name)
	rc := filepath.Join(b.home, "."+name+"rc")
	source := "source <(" + b.helper + " completion " + name + ")\nPATH=" + b.folder + ":$PATH\n"
	command := ""
	switch name {
	case "bash":
		writeProgram(t, rc, source+"unset HISTFILE\nPS1='$ '\n") // it would write its history while the folder is removed
		command = path + " --noprofile --rcfile " + rc + " -i"
	case "zsh":
		writeProgram(t, rc, "autoload -Uz compinit; compinit -u -D\n"+source+"PS1='$ '\n"+
			"bindkey '^I' complete-word\n") // zsh's own Tab runs a $(…) that stands there, for every command
		command = "ZDOTDIR=" + b.home + " " + path + " -d -i"
	case "fish":
		writeProgram(t, rc, "set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\nset PATH "+b.folder+" $PATH\n"+
			b.helper+" completion fish | source\nfunction fish_prompt; echo -n '$ '; end\n")
		command = path + " --no-config -C 'source " + rc + "' -i"
	}
	s := newScreen(t, env, "cd; "+command)
	s.wait("$")
	return s
}

// complete types after the program's name, presses Tab, waits for what is to be there then, and
// takes it away again.
func (s *screen) complete(typed, want string) string {
	s.t.Helper()
	s.press("-l", "mysql-secret-store-rds "+typed)
	s.press("Tab")
	shown := s.wait("$ mysql-secret-store-rds " + want)
	s.press("C-u", "C-l")
	return shown
}

var completionShells = []string{"bash", "zsh", "fish"}

// TestCompletion: in the real shells.
func TestCompletion(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("none of these shells there")
	}
	const host = "shop.aaaaaaaaaaaa.eu-west-1.rds.amazonaws.com"
	for _, name := range completionShells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, env := pickerBed(t)
			addProfiles(t, b, "My Admin")
			writeProgram(t, filepath.Join(b.home, "a file.sql"), "")
			s := completionShell(t, name, b, env)
			for _, c := range []struct{ typed, want string }{
				{"expl", "explain"},
				{"discover --re", "discover --region"},
				{"discover --profile r", "discover --profile role"},
				{"discover --profile=r", "discover --profile=role"},
				{"discover --region 'eu-west-1' --profile r", "discover --region 'eu-west-1' --profile role"},
				{`discover --profile M`, `discover --profile My\ Admin`},
				{`discover --profile=My\ A`, `discover --profile=My\ Admin`},
				{"explain dba@shop.a", "explain dba@" + host + ":3307"},
				{"explain --json dba@" + host + ":", "explain --json dba@" + host + ":3307"},
				{"connect shop.a", "connect " + host},
				{"connect shop -- --file a", `connect shop -- --file a\ file.sql`},
			} {
				s.complete(c.typed, c.want)
			}
			s.press("mysql-secret-store-rds l")
			s.press("Tab", "Tab")
			s.wait("list-servers", "login", "logout", "show the servers that discover found")
		})
	}
}

func addProfiles(t *testing.T, b *bed, names ...string) {
	t.Helper()
	file := filepath.Join(b.home, ".aws", "config")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text = append(text, "[profile '"+name+"']\nregion = eu-west-1\n"...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCompletionRunsNothing: neither what is typed nor what is offered is run, by any shell.
func TestCompletionRunsNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("none of these shells there")
	}
	for _, name := range completionShells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, env := pickerBed(t)
			addProfiles(t, b, "p$(touch ran)", "p`touch ran`", "p;touch ran;", "p'|touch ran|'", "p(touch ran)",
				"p&touch ran&", "p\"x")
			s := completionShell(t, name, b, env)
			lines := []string{
				"explain $(touch ran) ", "explain `touch ran` --js", "explain \"$(touch ran)\" --js",
				"connect shop -- `touch ran` ",
				"connect shop -- <(touch ran) ", "connect shop -- (touch ran) ", "discover ${x:-$(touch ran)} --re",
				"login p",
				"logout --profile='$(touch ran)' p", "discover --profile p", "discover --profile=p",
				"connect shop -- \\`touch ran\\` x",
				"explain 'x;touch ran;' d", "explain 'dba@sh", "explain $(touch ran)", "explain `touch ran`",
				"discover --profile=$(touch ran)", "discover --profile \"$(touch ran)", "connect shop -- -f $(touch ran)/",
				"connect shop -- -f x`touch ran`/", "connect shop -- -f ${x:-$(touch ran)}/", "setup --shell $(touch ran)/",
				"explain x[$(touch ran)]",
				"explain `touch ran", "explain $(touch ran",
			}
			for _, line := range lines {
				s.press("-l", "mysql-secret-store-rds "+line)
				s.press("Tab", "Tab", "C-u", "C-l")
				s.complete("tok", "token")
				if _, err := os.Stat(filepath.Join(b.home, "ran")); err == nil {
					t.Fatalf("%s<Tab> has run it", line)
				}
			}
			// A candidate that was inserted would run now.
			for _, line := range []string{"login p", "discover --dry-run --profile p"} {
				s.press("-l", "mysql-secret-store-rds "+line)
				s.press("Tab", "Tab", "Enter")
				s.wait(`no profile "p"`) // as nothing was added to it
				s.press("C-l")
			}
			if _, err := os.Stat(filepath.Join(b.home, "ran")); err == nil {
				t.Error("a candidate was run")
			}
		})
	}
}
