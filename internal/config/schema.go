package config

import _ "embed"

//go:embed schema.json
var schema string

// Schema is the JSON Schema of the configuration, with which editors complete and check it. It
// knows names and types; what values mean, only [Parse] knows.
func Schema() []byte { return []byte(schema) }
