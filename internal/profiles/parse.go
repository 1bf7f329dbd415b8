package profiles

import (
	"strings"
	"unicode/utf8"
)

// section is one section of an AWS file. Nested settings, which belong to a setting with no value of
// its own, are kept under "setting.name".
type section struct {
	name     string // what stands between the brackets
	settings map[string]string
	nested   map[string][]string // the names under a setting
}

func newSection(name string) *section {
	return &section{name, map[string]string{}, map[string][]string{}}
}

// parse reads an AWS file as the AWS CLI does (botocore/configloader.py: raw_config_parse, over
// Python's configparser), but for what it refuses: a line that says nothing is passed over, a
// section that comes again goes on, and of a setting that comes again the last one counts.
//
// The settings of [DEFAULT], which hold in every section, come apart.
func parse(text string) (sections []*section, defaults map[string]string) {
	r := &reader{byName: map[string]*section{}, defaults: newSection("DEFAULT")}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, byteOrderMark))
	for line := range strings.Lines(text) {
		r.line(strings.TrimSuffix(line, "\n"))
	}
	r.end()
	return r.sections, r.defaults.settings
}

const byteOrderMark = "\ufeff"

// reader is the state between two lines.
type reader struct {
	sections []*section
	byName   map[string]*section
	defaults *section
	current  *section
	indent   int      // of the last setting or heading
	setting  string   // the last one, which a line that is indented further goes on with
	value    []string // its lines
}

func (r *reader) line(line string) {
	bare := strings.TrimSpace(line)
	switch {
	case bare == "" && r.setting != "":
		r.value = append(r.value, "")
		return
	case bare == "" || bare[0] == '#' || bare[0] == ';':
		return
	}
	indent := utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeftFunc(line, isSpace))
	if r.setting != "" && indent > r.indent {
		r.value = append(r.value, bare)
		return
	}
	r.end()
	r.indent = indent
	if end := strings.LastIndexByte(bare, ']'); bare[0] == '[' && end > 1 {
		r.heading(bare[1:end])
		return
	}
	i := strings.IndexAny(bare, "=:")
	if i <= 0 || r.current == nil {
		return
	}
	r.setting = strings.ToLower(strings.TrimSpace(bare[:i]))
	r.value = []string{strings.TrimSpace(bare[i+1:])}
}

func isSpace(r rune) bool { return strings.TrimSpace(string(r)) == "" }

func (r *reader) heading(name string) {
	if name == "DEFAULT" {
		r.current = r.defaults
		return
	}
	if r.current = r.byName[name]; r.current == nil {
		r.current = newSection(name)
		r.byName[name] = r.current
		r.sections = append(r.sections, r.current)
	}
}

// end puts the last setting into its section.
func (r *reader) end() {
	if r.setting == "" {
		return
	}
	settings := r.current.settings
	for _, name := range r.current.nested[r.setting] { // what an earlier one had
		delete(settings, name)
	}
	delete(r.current.nested, r.setting)
	value := strings.TrimRightFunc(strings.Join(r.value, "\n"), isSpace)
	settings[r.setting] = plain(r.setting, value)
	if nested, ok := strings.CutPrefix(value, "\n"); ok {
		settings[r.setting] = ""
		for line := range strings.Lines(nested) {
			if name, value, ok := strings.Cut(line, "="); ok {
				name = r.setting + "." + strings.TrimSpace(name)
				settings[name] = plain(name, strings.TrimSpace(value))
				r.current.nested[r.setting] = append(r.current.nested[r.setting], name)
			}
		}
	}
	r.setting = ""
}

// blankless are the settings whose values have no blanks or quotes in them. The CLI would take a
// comment behind one of them, or the quotes around it, as part of the value, which AWS then refuses.
var blankless = map[string]bool{
	keyID: true, keySecret: true, keyToken: true, oldToken: true, "region": true,
	"role_arn": true, "role_session_name": true, "external_id": true, "mfa_serial": true, "duration_seconds": true,
	"credential_source": true, "endpoint_url": true,
	"sso_start_url": true, "sso_region": true, "sso_account_id": true, "sso_role_name": true,
}

// plain returns a value without quotes around it and a comment behind it, where it can have neither.
func plain(setting, value string) string {
	if !blankless[setting[strings.LastIndexByte(setting, '.')+1:]] {
		return value
	}
	for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
		value, _, _ = strings.Cut(value, mark)
	}
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && (value[0] == '\'' || value[0] == '"') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return value
}
