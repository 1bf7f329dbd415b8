package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Env is a user's environment with a home of its own and nothing of the caller's: no AWS
// variable, no configuration, and no metadata service. It is what every call in a test or the
// demo gets, so that the machine's own AWS files are never read. Whatever would leave the machine
// is sent to a proxy that isn't there; loopback addresses are not proxied.
func Env(home string) []string {
	env := []string{
		"HOME=" + home,
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"AWS_EC2_METADATA_DISABLED=true",
		"GORACE=atexit_sleep_ms=0", // a program built with the race detector would wait for a second, each time
		"HTTP_PROXY=http://127.0.0.1:9",
		"HTTPS_PROXY=http://127.0.0.1:9",
	}
	if runtime.GOOS == "windows" {
		env = append(env, "USERPROFILE="+home, "AppData="+filepath.Join(home, "AppData", "Roaming"),
			"LocalAppData="+filepath.Join(home, "AppData",
				"Local"), "SystemRoot="+os.Getenv("SystemRoot"), "TEMP="+os.TempDir())
	}
	return env
}

// Race reports whether programs are built with the race detector, which makes them slow.
func Race() bool { return raceEnabled }

// BuildHelper builds the real program into a folder and gives its path. It needs the go command
// and has to be called in the module.
func BuildHelper(ctx context.Context, dir string) (string, error) {
	return build(ctx, dir, "cmd/mysql-secret-store-rds")
}

// RunWith is for a TestMain whose tests need programs: it gives build a folder for them, calls run,
// and removes the folder. The result is the exit code.
func RunWith(build func(ctx context.Context, dir string) error, run func() int) (exitCode int) {
	dir, err := os.MkdirTemp("", "testbed")
	if err == nil {
		err = build(context.Background(), dir)
	}
	if err == nil {
		exitCode = run()
	}
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(exitCode, 1)
	}
	return exitCode
}

// BuildFakeHelper does the same with the program that is [FakeHelper].
func BuildFakeHelper(ctx context.Context, dir string) (string, error) {
	return build(ctx, dir, "internal/testbed/fakehelper")
}

func build(ctx context.Context, dir, pkg string) (string, error) {
	path := filepath.Join(dir, filepath.Base(pkg)+exeSuffix())
	args := []string{"build", "-o", path}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if raceEnabled {
		args = append(args, "-race")
		env = append(env, "CGO_ENABLED=1")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "mysql-secret-store-rds/"+pkg)...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

// Install puts a program beside a Shell's binary under the name of a helper, as a user would:
// as a symbolic link, or a copy where there are none.
func Install(program, folder, name string) (string, error) {
	path := filepath.Join(folder, "mysql-secret-store-"+name+exeSuffix())
	if runtime.GOOS != "windows" {
		return path, os.Symlink(program, path)
	}
	b, err := os.ReadFile(program)
	return path, errors.Join(err, os.WriteFile(path, b, 0o700))
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
