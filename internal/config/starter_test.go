package config

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The starter is valid, for any delegate, and stays so when its comments become settings.
func TestStarter(t *testing.T) {
	t.Parallel()
	setting := regexp.MustCompile(`(?m)^#((?:  )*[a-z0-9_.:-]+:|  -)`) // but no sentence
	for _, delegate := range []string{"default", "none", "keychain", "my.helper", "/opt/my helper/it's \"one\"", "/opt/$HOME"} {
		text := string(Starter(delegate))
		if !strings.HasPrefix(text, "# yaml-language-server: $schema="+SchemaFile+"\n") {
			t.Errorf("editors don't find the schema:\n%s", text)
		}
		for _, text := range []string{text, setting.ReplaceAllString(text, "$1")} {
			c, err := Parse("config.yaml", []byte(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if c.Delegate != delegate {
				t.Errorf("the delegate is %q, not %q", c.Delegate, delegate)
			}
		}
	}
	manual := regexp.MustCompile(`: (\S+\.md) in the repository`).FindSubmatch(Starter("none"))
	if manual == nil {
		t.Error("the starter names no manual")
	} else if _, err := os.Stat(filepath.Join("../..", string(manual[1]))); err != nil {
		t.Error(err)
	}
	var all map[string]any
	uncommented := setting.ReplaceAll(Starter("default"), []byte("$1"))
	if err := yaml.Unmarshal(uncommented, &all); err != nil {
		t.Fatal(err)
	}
	for _, key := range topKeys {
		if !slices.Contains(slices.Collect(maps.Keys(all)), key) {
			t.Errorf("the starter doesn't show %s", key)
		}
	}
	asJSON, err := yaml.YAMLToJSON(uncommented)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := compileSchema(t).Validate(doc); err != nil {
		t.Error(err)
	}
}
