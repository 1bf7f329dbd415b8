package app_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// mixtures returns configurations that are put together at random, the same ones each time. They
// have nothing of what is answered differently on purpose: no line that makes the CLI refuse a
// whole file, no role without a region, no key that can't be one, no services that aren't there.
func mixtures(n int) []besideCase {
	var cases []besideCase
	for seed := range n {
		m := &mixer{Rand: rand.New(rand.NewPCG(uint64(seed), 11))}
		archive := &txtar.Archive{Comment: fmt.Appendf(nil, "# A mixture, of seed %d.\n", seed), Files: m.files()}
		text := txtar.Format(archive)
		c, err := parseBesideCase(fmt.Sprintf("mixture-%03d", seed), text)
		if err != nil {
			panic(err)
		}
		c.rule = string(text) // a failure shows all of it, in the form of the corpus
		cases = append(cases, c)
	}
	return cases
}

// mixer makes one mixture.
type mixer struct {
	*rand.Rand
	names []string // of the profiles
}

// oneOf returns one of some texts.
func (m *mixer) oneOf(of ...string) string { return of[m.IntN(len(of))] }

// in is true once in n times, about.
func (m *mixer) in(n int) bool { return m.IntN(n) == 0 }

func (m *mixer) files() []txtar.File {
	all := []string{"default", "dev", "ops", "My Corp", "it's", "a#b", "x:y", "prod"}
	m.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	m.names = all[:2+m.IntN(4)]
	var config, credentials strings.Builder
	for _, name := range m.names {
		inConfig, inCredentials := m.profile(name)
		if len(inConfig) > 0 || m.in(3) {
			m.section(&config, m.heading(name), inConfig)
		}
		if len(inCredentials) > 0 {
			m.section(&credentials, name, inCredentials)
		}
	}
	for _, s := range []struct{ name, region string }{{"corp", "eu-west-1"}, {"My Corp", "us-east-1"}} {
		if !m.in(4) {
			start := "https://" + strings.ReplaceAll(s.name, " ", "") + ".awsapps.com/start"
			m.section(&config, "sso-session "+m.quoted(s.name), []string{"sso_region=" + s.region, "sso_start_url=" + start})
		}
	}
	m.section(&config, "services "+m.quoted("local"),
		[]string{"sts=\n  endpoint_url = {URL}/one", "sso=\n\tendpoint_url={URL}/two"})
	const token = `{"accessToken": "%s", "expiresAt": "{+1h}"}` + "\n"
	files := []txtar.File{
		{Name: "config", Data: []byte(config.String())},
		{Name: "credentials", Data: []byte(credentials.String())},
		{Name: "sso/corp", Data: fmt.Appendf(nil, token, "corp")},
		{Name: "sso/My Corp", Data: fmt.Appendf(nil, token, "my")},
		{Name: "sso/https://legacy.awsapps.com/start", Data: fmt.Appendf(nil, token, "legacy")},
		{Name: "web", Data: []byte("identity\n")},
	}
	return append(files, m.asked()...)
}

// asked is how a profile is asked for, and what else is in the environment.
func (m *mixer) asked() []txtar.File {
	env := []string{"AWS_REGION=" + m.oneOf("eu-west-1", "us-east-1")}
	var files []txtar.File
	name := m.names[m.IntN(len(m.names))]
	switch m.IntN(8) {
	case 0: // nobody says which
	case 1:
		env = append(env, "AWS_PROFILE="+name)
	case 2:
		env = append(env, "AWS_DEFAULT_PROFILE="+name)
	default:
		files = append(files, txtar.File{Name: "profile", Data: []byte(name + "\n")})
	}
	if m.in(6) {
		env = append(env, "AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=environment")
	}
	if m.in(8) {
		env = append(env, "AWS_ENDPOINT_URL"+m.oneOf("", "_STS", "_SSO")+"={URL}/two")
	}
	return append(files, txtar.File{Name: "needs", Data: []byte("2.13\n")},
		txtar.File{Name: "env", Data: []byte(strings.Join(env, "\n") + "\n")})
}

// profile returns the settings of a profile in each file, as name=value.
func (m *mixer) profile(name string) (config, credentials []string) {
	kinds := 1
	if m.in(3) {
		kinds = 2
	}
	given := map[string]bool{}
	for range kinds {
		settings := m.source(name)
		if clash(given, settings) {
			continue
		}
		for _, setting := range settings {
			key, _, _ := strings.Cut(setting, "=")
			switch keys := strings.HasPrefix(key, "aws_"); {
			case given[key]:
			case keys && !m.in(3), !keys && m.in(8):
				credentials = append(credentials, setting)
			default:
				config = append(config, setting)
			}
			given[key] = true
		}
	}
	for _, extra := range []string{
		"region=us-west-2", "output=json", "services=local", "endpoint_url={URL}/two", "s3=\n  max_concurrent_requests = 5",
	} {
		if m.in(4) {
			config = append(config, extra)
		}
	}
	return config, credentials
}

// clash reports whether a profile would have a role and an SSO session, as the CLI refuses to assume
// the role when the session isn't there.
func clash(given map[string]bool, settings []string) bool {
	role := strings.HasPrefix(settings[0], "role_arn=")
	session := strings.HasPrefix(settings[0], "sso_session=")
	return session && given["role_arn"] || role && given["sso_session"]
}

// source returns the settings of one way to credentials.
func (m *mixer) source(name string) []string {
	id := strings.ToUpper(fmt.Sprintf("%x", name))
	switch m.IntN(8) {
	case 0, 1:
		keys := []string{"aws_access_key_id=AKIA" + id, "aws_secret_access_key=secret+" + id}
		if m.in(3) {
			keys = append(keys, "aws_session_token=token/"+id+"==")
		}
		return keys
	case 2:
		return []string{"credential_process=" + m.oneOf(`keys one two`, `keys "one two" three`, `keys 'a "b" c' d\ e`,
			`"{HOME}/bin/keys" "last word"`, `keys a;b #c`)}
	case 3, 4:
		source := m.names[m.IntN(len(m.names))]
		role := []string{"role_arn=arn:aws:iam::111111111111:role/" + id, "source_profile=" + source}
		if m.in(3) {
			role = append(role, m.oneOf("external_id=x=1", "role_session_name=me@corp", "duration_seconds=1800"))
		}
		return role
	case 5:
		return []string{"role_arn=arn:aws:iam::111111111111:role/web", "web_identity_token_file={HOME}/web"}
	case 6:
		session := m.oneOf("corp", "My Corp", "gone")
		return []string{"sso_session=" + session, "sso_account_id=222222222222", "sso_role_name=dba"}
	default:
		return []string{
			"sso_start_url=https://legacy.awsapps.com/start", "sso_region=eu-north-1", "sso_account_id=333333333333",
			"sso_role_name=dba",
		}
	}
}

// heading is what stands in the brackets of a profile in config.
func (m *mixer) heading(name string) string {
	if name == "default" && !m.in(4) {
		return name
	}
	return m.oneOf("profile ", "profile  ", "profile\t") + m.quoted(name)
}

// quoted writes a name so that a shell would read it.
func (m *mixer) quoted(name string) string {
	forms := []string{`"` + name + `"`, strings.NewReplacer(" ", `\ `, "'", `\'`, "#", `\#`).Replace(name)}
	if !strings.ContainsAny(name, "'") {
		forms = append(forms, "'"+name+"'")
	}
	if !strings.ContainsAny(name, " '") {
		forms = append(forms, name)
	}
	return m.oneOf(forms...)
}

// section writes a section in one of many ways to write it.
func (m *mixer) section(b *strings.Builder, heading string, settings []string) {
	if m.in(3) {
		b.WriteString(m.oneOf("# a comment\n", "; another\n", "\n", "\n\n", "   # indented\n"))
	}
	fmt.Fprintf(b, "[%s]%s\n", heading, m.oneOf("", "", "", " # why", "  ", " text"))
	settings = slices.Clone(settings)
	m.Shuffle(len(settings), func(i, j int) { settings[i], settings[j] = settings[j], settings[i] })
	indent := m.oneOf("", "", "", "  ", "\t")
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		if m.in(6) {
			name = strings.ToUpper(name)
		}
		value = strings.ReplaceAll(value, "\n", "\n"+indent)
		divider, end := m.oneOf("=", " = ", "\t=\t", ": ", " =  "), m.oneOf("", "", "", " ", "\t")
		fmt.Fprintf(b, "%s%s%s%s%s\n", indent, name, divider, value, end)
		if m.in(6) {
			b.WriteString(m.oneOf("# comment\n", indent+"; comment\n", "\n", " \n"))
		}
	}
}
