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
