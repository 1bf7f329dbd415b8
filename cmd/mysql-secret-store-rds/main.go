// Mysql-secret-store-rds is a credential helper for MySQL Shell: it answers with IAM tokens for
// Amazon RDS and Aurora, and passes everything else on to the helper used before.
package main

import (
	"os"

	"mysql-secret-store-rds/internal/app"
)

func main() { os.Exit(app.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
