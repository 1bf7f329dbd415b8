package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// A world is a person's machine, and what it reaches.
type world struct {
	dir string
	aws *testbed.AWS
	rds *testbed.RDS
	env []string // of the person's terminal
}

const awsConfig = `[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
[profile prod]
region = eu-west-1
sso_session = corp
sso_account_id = 111111111111
sso_role_name = dba
[profile stage]
region = eu-west-1
sso_session = corp
sso_account_id = 222222222222
sso_role_name = dba
`

// newWorld starts the servers, builds the program, and puts it beside a MySQL Shell as setup does.
func newWorld(ctx context.Context) (_ *world, err error) {
	w := &world{}
	if w.dir, err = os.MkdirTemp("", "picture"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	keys := &testbed.Keys{}
	w.aws = testbed.StartAWS(keys)
	const prod, stage = "abcdefghijkl", "mnopqrstuvwx"
	shop := instance("shop", prod)
	w.aws.SetServers("111111111111", "eu-west-1", testbed.Servers{
		Clusters:  []testbed.DBCluster{cluster("orders", prod)},
		Instances: []testbed.DBInstance{shop, instance("shop-copy", prod)},
	})
	w.aws.SetServers("222222222222", "eu-west-1", testbed.Servers{
		Clusters:  []testbed.DBCluster{cluster("orders", stage)},
		Instances: []testbed.DBInstance{instance("shop", stage)},
	})
	endpoint := testbed.Endpoint{Host: shop.Host, Port: 3306, Region: "eu-west-1"}
	if w.rds, err = testbed.StartRDS(keys, endpoint); err != nil {
		return nil, err
	}
	home, bin := filepath.Join(w.dir, "home"), filepath.Join(w.dir, "bin")
	login, token := w.aws.SSOLogin(home, "corp", 8*time.Hour)
	ca := filepath.Join(w.dir, "ca.pem")
	for file, text := range map[string][]byte{
		filepath.Join(home, ".aws", "config"): []byte(awsConfig),
		login:                                 token,
		ca:                                    w.rds.CAPEM,
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)); err != nil {
			return nil, err
		}
	}
	if err := w.install(ctx, bin); err != nil {
		return nil, err
	}
	w.env = append(testbed.Env(home), append(w.aws.Env(), "PATH="+bin+":"+os.Getenv("PATH"),
		envPort+"="+strconv.Itoa(w.rds.Port()), envCA+"="+ca)...)
	return w, nil
}

// install puts the program and the stand-in for MySQL Shell into a folder on PATH.
func (w *world) install(ctx context.Context, bin string) error {
	if _, err := exec.LookPath(client); err != nil {
		return fmt.Errorf("the query is sent by MariaDB's client: %w", err)
	}
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = testbed.BuildHelper(ctx, bin)
	script := fmt.Sprintf("#!/bin/sh\nexport %s=yes\nexec %s \"$@\"\n", envShell, self)
	return errors.Join(err, os.WriteFile(filepath.Join(bin, "mysqlsh"), []byte(script), 0o700))
}

func (w *world) close() {
	if w.aws != nil {
		w.aws.Close()
	}
	if w.rds != nil {
		w.rds.Close()
	}
	_ = os.RemoveAll(w.dir)
}

const domain = ".eu-west-1.rds.amazonaws.com"

// cluster is an Aurora cluster; id is that of an account and region in host names.
func cluster(name, id string) testbed.DBCluster {
	return testbed.DBCluster{
		Identifier: name, ResourceID: "cluster-" + name,
		Engine: "aurora-mysql", EngineVersion: "8.0.mysql_aurora.3.08.2",
		Host: name + ".cluster-" + id + domain, ReaderHost: name + ".cluster-ro-" + id + domain, IAM: true,
	}
}

// instance is a MySQL server that stands alone.
func instance(name, id string) testbed.DBInstance {
	return testbed.DBInstance{
		Identifier: name, ResourceID: "db-" + name, Engine: "mysql", EngineVersion: "8.4.6",
		Host: name + "." + id + domain, IAM: true,
	}
}
