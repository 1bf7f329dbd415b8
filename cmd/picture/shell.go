package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// The stand-in for MySQL Shell, which is this program where envShell is set. It does what the Shell
// does with the arguments that connect gives it: asks the helper for the password, in the Shell's
// own manner, and logs in with it. For the login it becomes MariaDB's client, whose prompt it sets
// to the Shell's. The network is replaced: every name leads to the testbed's server.
const (
	client = "mariadb"
	prompt = "SQL > "

	envShell = "PICTURE_SHELL"
	envPort  = "PICTURE_RDS_PORT"
	envCA    = "PICTURE_RDS_CA"
)

func isShell() bool { return os.Getenv(envShell) != "" }

// shell becomes the client, or returns an error; it answers --version itself.
func shell(args []string) error {
	if slices.Contains(args, "--version") {
		fmt.Println("mysqlsh   Ver 9.6.0 (a stand-in)")
		return nil
	}
	for _, needed := range []string{
		"--mysql", "--auth-method=mysql_clear_password", "--ssl-mode=VERIFY_IDENTITY", "--credential-store-helper=rds",
	} {
		if !slices.Contains(args, needed) {
			return fmt.Errorf("connect gave no %s", needed)
		}
	}
	option := func(name string) (value string) {
		for _, arg := range args {
			if after, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
				value = after
			}
		}
		return value
	}
	helper, err := exec.LookPath("mysql-secret-store-rds")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	url := option("user") + "@" + option("host") + ":" + cmp.Or(option("port"), "3306")
	token, err := testbed.Shell{Helper: helper, Env: os.Environ()}.Get(ctx, url)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(client)
	if err != nil {
		return err
	}
	return errors.Join(errors.New("run "+path), syscall.Exec(path, []string{
		client, "--no-defaults", "--table", "--silent", "--prompt=" + prompt,
		"--host=127.0.0.1", "--port=" + os.Getenv(envPort), "--user=" + option("user"),
		"--ssl-ca=" + os.Getenv(envCA), "--ssl-verify-server-cert",
	}, append(os.Environ(), "MYSQL_PWD="+token)))
}
