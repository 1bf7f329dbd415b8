package setup

import (
	"os"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/about"
)

// TestOnPath: setup says with what line the program would be found by its name.
func TestOnPath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, shell, want string
		change            func(b *bench)
	}{
		{"bash", "/bin/bash", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ~/.bashrc`, nil},
		{"zsh", "/usr/bin/zsh", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ~/.zshrc`, nil},
		{"zsh with a folder of its own", "zsh", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ROOT/home/z/.zshrc`,
			func(b *bench) { b.env["ZDOTDIR"] = b.path("home/z") }},
		{"fish", "/usr/bin/fish", "needs: fish_add_path ROOT/home/bin", nil},
		{"another", "/bin/ksh", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ~/.profile`, nil},
		{"macOS", "/bin/bash", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ~/.bash_profile`, func(b *bench) { b.System.GOOS = "darwin" }},
		{"Windows", "", `needs: in PowerShell: [Environment]::SetEnvironmentVariable('Path', [Environment]::GetEnvironmentVariable('Path', 'User') + ';ROOT/home/bin', 'User')`,
			func(b *bench) {
				b.System.GOOS, b.System.Binary = "windows", b.System.Binary+".exe"
				b.put("home/bin/"+about.Name+".exe", "", 0o644)
			}},
		{"another folder", "bash", `needs: echo 'export PATH='\''ROOT/it'\''\'\'''\''s'\'':"$PATH"' >> ~/.bashrc`, func(b *bench) {
			b.put("it's/"+about.Name, "", 0o755)
			b.System.Binary = b.path("it's/" + about.Name)
		}},
		{"another name", "bash", "needs: ln -sfn ROOT/home/bin/download ROOT/home/bin/" + about.Name, func(b *bench) {
			if err := os.Remove(b.System.Binary); err != nil {
				b.t.Fatal(err)
			}
			b.put("home/bin/download", "", 0o755)
			b.System.Binary = b.path("home/bin/download")
		}},
		{"the next terminal", "bash", "ok: " + about.Name + " is on PATH from the next terminal on (~/.bashrc)", func(b *bench) {
			b.put("home/.bashrc", "export PATH=\"$HOME/bin:$PATH\"\n", 0o644)
		}},
		{"a comment", "bash", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ~/.bashrc`, func(b *bench) {
			b.put("home/.bashrc", "# PATH=~/bin\nPATH=$PATH:/opt/bin:/home/binary\n$HOME/bin/x\n", 0o644)
		}},
		{"it is", "bash", "", func(b *bench) { b.env["PATH"] += ":" + b.path("home/bin") }},
		{"a link", "bash", "", func(b *bench) { b.link("usr/bin/"+about.Name, b.System.Binary) }},
		{"the Shell is", "bash", "", func(b *bench) { b.put("usr/bin/mysqlsh", "", 0o755) }},
		{"the Shell is, but only root may write there", "bash", `needs: echo 'export PATH="$HOME/bin:$PATH"' >> ~/.bashrc`, func(b *bench) {
			b.put("usr/bin/mysqlsh", "", 0o755)
			b.roots[b.path("usr/bin")] = true
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put("usr/bin/other", "", 0o755)
			if b.env["SHELL"] = tc.shell; tc.change != nil {
				tc.change(b)
			}
			words := b.apply(Make(b.Input))
			said := ""
			for _, w := range words {
				if strings.Contains(w, "PATH") || strings.Contains(w, "'Path'") || strings.Contains(w, "fish_add_path") || strings.HasPrefix(w, "needs: ln -sfn") {
					said += w
				}
			}
			if said != tc.want {
				t.Errorf("%s, not %s", said, tc.want)
			}
		})
	}
}
