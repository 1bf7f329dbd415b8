package config

import (
	"fmt"
	"reflect"
	"slices"

	"mysql-secret-store-rds/internal/advice"
)

// Set returns the action of writing a setting into an entry.
func (w Where) Set(setting string) advice.Action { return advice.Say("set in %s: \"%s\"", w, setting) }

// Add returns the action of writing a member into a section: on a line of its own, unless the file
// has the section already, which may stand there only once.
func (c *Config) Add(section, member string) advice.Action {
	if slices.Contains(c.sections, section) {
		return advice.Say("add to %s, under \"%s:\": \"%s\"", c.File, section, member)
	}
	return advice.Say("write into %s: \"%s: {%s}\"", c.File, section, member)
}

// SetAccount returns the action of writing a setting for an account, by the id in its host names:
// into the entry that it has, which may stand there only once.
func (c *Config) SetAccount(id, key, value string) advice.Action {
	setting := key + ": " + value
	if e, ok := c.Accounts[id]; ok {
		if key != "aws_profile" && reflect.DeepEqual(e.Fields, Fields{Profile: e.Profile}) { // which may be all of the entry
			setting = fmt.Sprintf("%s: {aws_profile: %q, %s}", id, e.Profile, setting)
		}
		return e.Where.Set(setting)
	}
	if key == "aws_profile" {
		return c.Add("accounts", id+": "+value)
	}
	return c.Add("accounts", fmt.Sprintf("%s: {%s}", id, setting))
}
