package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"mysql-secret-store-rds/internal/server"
)

// field is a key that an entry may have.
type field struct {
	key   string
	at    func(*Fields) *string  // where its text goes; nil for what is more than a text, see [Fields.set]
	valid func(text string) bool // nil: any text
	wrong string                 // follows a text that isn't valid
}

var fields = []field{
	{key: "aws_profile", at: func(f *Fields) *string { return &f.Profile }},
	{"region", func(f *Fields) *string { return &f.Region },
		func(text string) bool { return server.Partition(text) != "" },
		" is no AWS region; allowed: a name such as eu-west-1"},
	{key: "endpoint"},
	{key: "user", at: func(f *Fields) *string { return &f.User }},
	{"role_arn", func(f *Fields) *string { return &f.RoleARN }, isRoleARN,
		" is no role; allowed: an ARN such as arn:aws:iam::123456789012:role/name"},
	{key: "external_id", at: func(f *Fields) *string { return &f.ExternalID }},
	{"role_session_name", func(f *Fields) *string { return &f.RoleSessionName },
		func(text string) bool { return sessionName().MatchString(text) },
		"; allowed: 2 to 64 letters, digits and _+=,.@-"},
	{"credential", func(f *Fields) *string { return (*string)(&f.Credential) },
		func(text string) bool {
			return slices.Contains([]Credential{IAM, Secret, Delegate, None}, Credential(text))
		},
		"; allowed: iam, secret, delegate, none"},
	{"secret", func(f *Fields) *string { return &f.Secret },
		func(text string) bool { _, ok := server.ParseSecret(text); return ok },
		" is no secret of AWS Secrets Manager; allowed: its ARN, or its name"},
	{"ssh", func(f *Fields) *string { return &f.SSH },
		func(text string) bool { return !strings.HasPrefix(text, "-") && !strings.ContainsAny(text, " \t") },
		"; allowed: the SSH server, such as me@bastion.example.com:22, or none"},
	{key: "schema", at: func(f *Fields) *string { return &f.Schema }},
	{key: "mysqlsh_args"},
	{key: "db_user", at: func(f *Fields) *string { return &f.DBUser }},
	{"ssl_ca", func(f *Fields) *string { return &f.SSLCA }, filepath.IsAbs,
		" is no absolute path; allowed: a PEM file with certificate authorities, such as " +
			"/etc/ssl/rds/global-bundle.pem"},
}

// Text returns what an entry says for a key, such as role_arn, whose value is a text; "" when it is
// left out.
func (f Fields) Text(key string) string { return *named(key).at(&f) }

func named(key string) field {
	return fields[slices.IndexFunc(fields, func(f field) bool { return f.key == key })]
}

// set sets a field, if all is well with its value.
func (f *Fields) set(key string, texts []string) error {
	switch key {
	case "mysqlsh_args":
		f.Args = texts
		return nil
	case "endpoint":
		var err error
		f.Endpoint, err = parseAddress(texts[0])
		return err
	}
	field := named(key)
	if field.valid != nil && !field.valid(texts[0]) {
		return fmt.Errorf("%q%s", texts[0], field.wrong)
	}
	*field.at(f) = texts[0]
	return nil
}

func parseAddress(text string) (Address, error) {
	host, port, err := splitHostPort(text)
	if err != nil {
		return Address{}, fmt.Errorf("%q: %w; allowed: host or host:port of an RDS or Aurora endpoint", text, err)
	}
	ep, ok := server.ParseEndpoint(host)
	if !ok {
		return Address{}, fmt.Errorf("%q is no RDS or Aurora endpoint, and RDS refuses tokens signed for other names; "+
			"allowed: host or host:port such as orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306", text)
	}
	return Address{ep, cmp.Or(port, server.DefaultPort)}, nil
}

func isRoleARN(s string) bool {
	p := strings.SplitN(s, ":", 6)
	return len(p) == 6 && p[0] == "arn" && strings.HasPrefix(p[1], "aws") && p[2] == "iam" && p[3] == "" &&
		p[4] != "" && strings.HasPrefix(p[5], "role/") && len(p[5]) > len("role/")
}

// Compiled when first needed: a cached get never gets here, and must not pay for them.
var (
	groupRef     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{([^}]*)\}`) })
	sessionName  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\w+=,.@-]{2,64}$`) })
	delegateName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`) })
)

// rawField is a value as the file has it: one text, unless the field is a list.
type rawField struct {
	texts []string
	line  int
}

// groups lists the groups that a value refers to as ${name}.
func (f rawField) groups() (names []string, err error) {
	text := strings.Join(f.texts, "\n")
	for _, m := range groupRef().FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	if strings.Count(text, "${") != len(names) {
		return nil, errors.New("${ without its }; allowed: ${name}")
	}
	return names, nil
}

// expand returns the texts of a value with a rule's match in place of its groups; what expands to
// nothing is left out.
func (f rawField) expand(groups map[string]string) (texts []string, err error) {
	for _, text := range f.texts {
		if strings.Contains(text, "${") && groups == nil {
			return nil, errors.New("${…} stands for a group of a rule, and this is no rule")
		}
		text = groupRef().ReplaceAllStringFunc(text, func(ref string) string { return groups[ref[2:len(ref)-1]] })
		if text != "" {
			texts = append(texts, text)
		}
	}
	return texts, nil
}

// buildFields checks an entry's values. With groups (a rule's match) they are expanded first. A secret
// says by itself that the password is one.
func buildFields(file, name string, raw map[string]rawField, groups map[string]string) (f Fields, err error) {
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		texts, err := raw[key].expand(groups)
		if err == nil && len(texts) > 0 {
			err = f.set(key, texts)
		}
		if err != nil {
			return Fields{}, &Error{File: file, Line: raw[key].line, Msg: name + ": " + key + ": " + err.Error()}
		}
	}
	switch {
	case f.Secret == "" || f.Credential == Secret:
	case f.Credential == "":
		f.Credential = Secret
	default:
		return Fields{}, &Error{File: file, Line: raw["secret"].line, Msg: fmt.Sprintf(
			"%s: secret goes with credential: secret, and not with credential: %s", name, f.Credential)}
	}
	return f, nil
}
