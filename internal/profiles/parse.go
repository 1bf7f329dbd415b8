package profiles

import "strings"

// section is one section of an AWS file, in its order. Nested settings, which belong to a setting
// with no value of its own, are kept apart under "setting.name".
type section struct {
	name     string // "default", "profile x", "sso-session x", "services x"
	settings map[string]string
}

// parse reads an AWS file as the SDK does (config/internal/ini), byte for byte: it forgives
// everything, ignores lines that it doesn't understand, and a section that stands twice is one.
func parse(text string) []*section {
	var (
		sections []*section
		byName   = map[string]*section{}
		current  *section
		key      string // the last setting, which an indented line goes on with
	)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		bare := strings.TrimLeft(line, " \t")
		if strings.TrimSpace(line) == "" || bare[0] == '#' || bare[0] == ';' {
			continue
		}
		if name, ok := heading(line); ok {
			if current, key = byName[name], ""; current == nil && name != "" {
				current = &section{name, map[string]string{}}
				byName[name] = current
				sections = append(sections, current)
			}
			continue
		}
		if current == nil {
			continue
		}
		settings := current.settings
		if bare == line {
			if name, value, ok := assignment(uncomment(line)); ok {
				key = name
				settings[key] = value
			}
			continue
		}
		name, value, ok := assignment(bare) // a comment is part of a nested value
		switch {
		case ok && key != "" && settings[key] == "":
			settings[key+"."+name] = value
		case ok:
			key = name
			settings[key] = strings.TrimSpace(uncomment(value))
		case key != "" && settings[key] != "":
			settings[key] += "\n" + bare
		}
	}
	return sections
}

// heading reads [name] and [type name].
func heading(line string) (string, bool) {
	line = strings.TrimSpace(cut(line, "#", ";"))
	if len(line) < 2 || line[0] != '[' || line[len(line)-1] != ']' {
		return "", false
	}
	line = strings.TrimSpace(line[1 : len(line)-1])
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		line = line[:i] + " " + strings.TrimLeft(line[i:], " \t")
	}
	return line, true
}

// assignment reads name = value, or name: value.
func assignment(s string) (name, value string, ok bool) {
	i := strings.IndexAny(s, "=:")
	if i < 0 {
		return "", "", false
	}
	name, value = strings.ToLower(strings.TrimSpace(s[:i])), strings.TrimSpace(s[i+1:])
	if n := len(value); n >= 2 && (value[0] == '\'' || value[0] == '"') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return name, value, true
}

// uncomment returns a line without the comment after a setting.
func uncomment(line string) string { return cut(line, " #", " ;", "\t#", "\t;") }

// cut returns s up to the first of the marks.
func cut(s string, marks ...string) string {
	for _, m := range marks {
		s, _, _ = strings.Cut(s, m)
	}
	return s
}
