package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/advice"
)

// Set returns the action of writing a setting into an entry.
func (w Where) Set(setting string) advice.Action { return advice.Put("set in "+w.String(), setting) }

// Add returns the action of writing a member into a section: on a line of its own, unless the file
// has the section already, which may stand there only once.
func (c *Config) Add(section, member string) advice.Action {
	if c.Has(section) {
		return advice.Put(fmt.Sprintf("add to %s, under %s", c.File, section), member)
	}
	return advice.Put("write into "+c.File, fmt.Sprintf("%s: {%s}", section, member))
}

// Has reports whether the file has a section, which may stand there only once.
func (c *Config) Has(section string) bool { return slices.Contains(c.sections, section) }

// SetAccount returns the action of writing a setting for an account, by the id in its host names:
// into the entry that it has, which may stand there only once.
func (c *Config) SetAccount(id, key, value string) advice.Action {
	setting := key + ": " + Quote(value)
	short := id + ": " + Quote(value) // of an account that has a profile and nothing else
	e, ok := c.Accounts[id]
	alone := reflect.DeepEqual(e.Fields, Fields{Profile: e.Profile}) // the profile may be all of the entry
	switch {
	case ok && alone && key == "aws_profile":
		return e.Where.Set(short)
	case ok && alone:
		return e.Where.Set(fmt.Sprintf("%s: {aws_profile: %s, %s}", id, Quote(e.Profile), setting))
	case ok:
		return e.Where.Set(setting)
	case key == "aws_profile":
		return c.Add("accounts", short)
	}
	return c.Add("accounts", fmt.Sprintf("%s: {%s}", id, setting))
}

// Quote returns text as a YAML scalar, in quotes only where it needs them, within braces, too.
func Quote(text string) string {
	plain := regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+:-]*$|^\d+\.\d+\.\d+\.\d+(:\d+)?$`)
	reserved := regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n)$`)
	if plain.MatchString(text) && !reserved.MatchString(text) && !strings.HasSuffix(text, ":") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
