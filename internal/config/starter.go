package config

import (
	_ "embed"
	"strconv"
	"strings"
)

//go:embed starter.yaml
var starter string

// Starter is a first configuration: a valid one that says who the delegate is, and shows the rest
// in comments.
func Starter(delegate string) []byte {
	if !delegateName().MatchString(delegate) {
		delegate = strconv.Quote(delegate) // a path
	}
	return []byte(strings.ReplaceAll(starter, "DELEGATE", delegate))
}

// SchemaFile is the name, beside the configuration, of the file that the starter tells editors to
// check it by.
const SchemaFile = "config.schema.json"

//go:embed schema.json
var schema string

// Schema is the JSON Schema of the configuration, with which editors complete and check it. It
// knows names and types; what values mean, only [Parse] knows.
func Schema() []byte { return []byte(schema) }
