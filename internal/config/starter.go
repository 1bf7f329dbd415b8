package config

import (
	"bytes"
	"strconv"
)

// Starter is a first configuration: a valid one that says who the delegate is, and shows the rest
// in comments.
func Starter(delegate string) []byte {
	if !delegateName().MatchString(delegate) {
		delegate = strconv.Quote(delegate) // a path
	}
	return bytes.ReplaceAll([]byte(starter), []byte("DELEGATE"), []byte(delegate))
}

// SchemaFile is the name, beside the configuration, of the file that the starter tells editors to
// check it by.
const SchemaFile = "config.schema.json"

const starter = `# yaml-language-server: $schema=` + SchemaFile + `
#
# The configuration of mysql-secret-store-rds. Nothing here is needed where "discover" knows your accounts.
# To see what it makes of a server: mysql-secret-store-rds explain user@host:port
# All there is to say: docs/configuration.md in the repository of mysql-secret-store-rds

# Who keeps the passwords that you save: default (MySQL Shell's own helper), a helper's name, a path, or none.
delegate: DELEGATE

# The id in a host name (orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com) stands for one account and region.
#accounts:
#  abcdefghijkl: prod-dba

# What accounts and discover don't know.
#defaults:
#  aws_profile: corp
#  db_user: dba

# Exact servers, host or host:port.
#servers:
#  127.0.0.1:13306:                           # a tunnel that you open
#    endpoint: orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306
#    aws_profile: prod
#  reports.abcdefghijkl.eu-west-1.rds.amazonaws.com:
#    ssh: me@bastion.example.com              # a tunnel that "connect" opens
#    schema: reports

# The first rule that matches decides; host and user are regular expressions, and named groups expand.
#rules:
#  - host: '(?P<team>[a-z]+)-(?P<env>prod|stage)-.*\.rds\.amazonaws\.com'
#    aws_profile: '${env}-${team}-dba'
#  - user: 'root|admin'
#    credential: delegate                     # a password, kept by the other helper

#cache: true
#timeout: 20s
`
