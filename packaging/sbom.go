package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A bill of materials in CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/), as far as it is
// needed. The same binary gives the same bytes.
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		SerialNumber string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp  string     `json:"timestamp"`
		Component  component  `json:"component"`
		Properties []property `json:"properties"`
	}
	component struct {
		Type     string    `json:"type"`
		Ref      string    `json:"bom-ref"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		Hashes   []hash    `json:"hashes,omitempty"`
		Licences []licence `json:"licenses"`
		URL      string    `json:"purl,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licence struct {
		Licence struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// sbom writes what a binary says that it was built from. VERSION in the environment is the
// release's, SOURCE_DATE_EPOCH its time.
func sbom(binary, file string) error {
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	version := os.Getenv("VERSION")
	if version == "" {
		return fmt.Errorf("VERSION is not set")
	}
	result, err := materials(info, sha256.Sum256(content), filepath.Base(binary), version)
	if err != nil {
		return err
	}
	result.Metadata.Timestamp = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func materials(info *buildinfo.BuildInfo, sum [32]byte, name, version string) (*bom, error) {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	linked, err := linkedModules(settings["GOOS"])
	if err != nil {
		return nil, err
	}
	licences := map[string][]string{}
	for _, m := range linked {
		licences[m.Path] = m.Licences
	}
	main := component{"application", name, name, version, []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
		identifiers("Apache-2.0"), ""}
	result := &bom{Format: "CycloneDX", SpecVersion: "1.5", SerialNumber: uuid(sum), Version: 1,
		Metadata: metadata{Component: main, Properties: []property{
			{"build:GOOS", settings["GOOS"]}, {"build:GOARCH", settings["GOARCH"]},
		}}}
	add := func(path, version string) error {
		if licences[path] == nil {
			return fmt.Errorf("%s is in %s, and not among what go list says is linked", path, name)
		}
		url := "pkg:golang/" + path + "@" + version
		result.Components = append(result.Components,
			component{"library", url, path, version, nil, identifiers(licences[path]...), url})
		return nil
	}
	if err := add("stdlib", strings.TrimPrefix(info.GoVersion, "go")); err != nil {
		return nil, err
	}
	for _, d := range info.Deps {
		if err := add(d.Path, d.Version); err != nil {
			return nil, err
		}
	}
	uses := dependency{Ref: main.Ref}
	for _, c := range result.Components {
		uses.DependsOn = append(uses.DependsOn, c.Ref)
	}
	result.Dependencies = []dependency{uses}
	return result, nil
}

func identifiers(ids ...string) []licence {
	list := make([]licence, len(ids))
	for i, id := range ids {
		list[i].Licence.ID = id
	}
	return list
}

// uuid makes a name of a digest, in the shape of RFC 9562's version 8.
func uuid(sum [32]byte) string {
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
