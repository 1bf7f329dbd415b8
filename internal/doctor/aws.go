package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
)

// AWS is what this machine's files say of AWS.
type AWS struct {
	Files       profiles.Files
	Profiles    *profiles.Set
	ProfilesErr error // of reading the files

	Kept []cache.Credentials // that are kept between calls

	Accounts     []inventory.Account
	Servers      []inventory.Server
	InventoryErr error // of reading them; an [inventory.ErrAbsent], as a rule

	Now time.Time
}

// CheckAWS says what there is to sign with, and how long it lasts: each SSO session, each set of
// kept credentials, what discover knows. It reads the sessions' files and asks nobody.
func CheckAWS(a AWS, report func(Finding)) {
	report(a.checkProfiles())
	if f, any := a.checkUnused(); any {
		report(f)
	}
	for _, f := range a.checkSessions() {
		report(f)
	}
	for _, k := range a.Kept {
		report(a.checkKept(k))
	}
	report(a.checkInventory())
}

func (a AWS) checkProfiles() Finding {
	const name = "profiles"
	switch {
	case a.ProfilesErr != nil:
		text, do := described(a.ProfilesErr)
		return Finding{name, Fail, text, do}
	case len(a.Profiles.Names()) == 0:
		text := fmt.Sprintf("none in %s and %s: the environment's keys sign, or this machine's role",
			a.Files.Config, a.Files.Credentials)
		return Finding{name, Warn, text, []string{advice.AWS2("configure", "sso").String()}}
	}
	unnamed := credentials.New(credentials.Source{}, credentials.Options{
		Files: func() (*profiles.Set, error) { return a.Profiles, nil },
	})
	if err := unnamed.Check(); err != nil {
		text, do := described(err)
		return Finding{name, Warn, text, do}
	}
	text := advice.Count(len(a.Profiles.Names()), "AWS profile")
	if who, known := unnamed.Signer(); known {
		text += "; where nothing names one: " + who
	}
	return Finding{name, OK, text, nil}
}

// checkUnused says which profiles have access keys that nothing uses.
func (a AWS) checkUnused() (f Finding, any bool) {
	if a.ProfilesErr != nil {
		return f, false
	}
	f = Finding{Name: "unused", Status: Warn, Do: []string{"take them out, if nothing else needs them"}}
	more := 0
	for _, name := range a.Profiles.Names() {
		switch unused := a.Profiles.Unused(name); {
		case unused == "":
		case f.Text == "":
			f.Text = fmt.Sprintf("profile %s: %s", name, unused)
		default:
			more++
		}
	}
	if more > 0 {
		f.Text += fmt.Sprintf(" (and the same of %s more)", advice.Count(more, "profile"))
	}
	return f, f.Text != ""
}

// checkSessions says of each SSO session once how long it lasts, in the order of the profiles.
func (a AWS) checkSessions() (list []Finding) {
	if a.ProfilesErr != nil {
		return nil
	}
	type use struct {
		session profiles.SSOSession
		names   []string
	}
	var files []string
	uses := map[string]use{}
	for _, name := range a.Profiles.Names() {
		s, ok := a.Profiles.SSO(name)
		if !ok {
			continue
		}
		file := sso.File(s)
		if _, known := uses[file]; !known {
			files = append(files, file)
		}
		uses[file] = use{s, append(uses[file].names, name)}
	}
	for _, file := range files {
		list = append(list, a.checkSession(file, uses[file].session, uses[file].names))
	}
	return list
}

func (a AWS) checkSession(file string, s profiles.SSOSession, names []string) Finding {
	const name = "session"
	what := fmt.Sprintf("AWS session %s (%s)", s.Title(), advice.Count(len(names), "profile"))
	login := []string{about.Name + " login " + advice.Word(a.Profiles.LoginName(s, names[0]))}
	switch until := sso.Until(file); {
	case until.IsZero():
		return Finding{name, Warn, what + ": nobody is logged in", login}
	case until.After(a.Now):
		return Finding{name, OK, what + ": good for " + lasts(a.Now, until), nil}
	case sso.NeedsRefresh(file):
		return Finding{name, OK, what + ": renewed when it is used next", nil}
	default:
		return Finding{name, Warn, what + ": over since " + advice.Clock(a.Now, until), login}
	}
}

func (a AWS) checkKept(k cache.Credentials) Finding {
	const name = "kept"
	what := cmp.Or(k.Who, k.Source)
	var of []string
	if k.Profile != "" {
		of = append(of, "profile "+k.Profile)
	}
	if k.AccountID != "" && !strings.Contains(what, k.AccountID) {
		of = append(of, "account "+k.AccountID)
	}
	if len(of) > 0 {
		what += " (" + strings.Join(of, ", ") + ")"
	}
	switch {
	case !k.Expires.After(a.Now):
		return Finding{name, OK, what + ": over since " + advice.Clock(a.Now, k.Expires) +
			"; asked for anew when they are needed", nil}
	case !k.Usable(a.Now, 0):
		return Finding{name, OK, what + ": not used any more, as the login that they came from is another one now", nil}
	}
	return Finding{name, OK, what + ": good for " + lasts(a.Now, k.Expires), nil}
}

// old is the age at which an inventory lacks servers, as a rule.
const old = 30 * 24 * time.Hour

func (a AWS) checkInventory() Finding {
	const name = "inventory"
	discover := []string{about.Name + " discover"}
	untrusted, isUntrusted := errors.AsType[*inventory.UntrustedError](a.InventoryErr)
	switch {
	case isUntrusted:
		return Finding{name, Warn, fmt.Sprintf("not believed: %v", untrusted), discover}
	case errors.Is(a.InventoryErr, inventory.ErrAbsent):
		return Finding{name, OK, "none so far: discover finds the servers, and the profile of each account", discover}
	case a.InventoryErr != nil:
		return Finding{name, Warn, "can't be read: " + a.InventoryErr.Error(), discover}
	}
	var newest time.Time
	numbers := map[string]bool{}
	for _, account := range a.Accounts {
		numbers[account.Number] = true
		if account.Seen.After(newest) {
			newest = account.Seen
		}
	}
	text := fmt.Sprintf("%s in %s, believed", advice.Count(len(a.Servers), "server"),
		advice.Count(len(numbers), "account"))
	if newest.IsZero() {
		return Finding{name, OK, text, nil}
	}
	age := a.Now.Sub(newest)
	text += fmt.Sprintf("; read %s ago", roughly(age))
	if age > old {
		return Finding{name, Warn, text + ": newer servers may be missing", discover}
	}
	return Finding{name, OK, text, nil}
}

// lasts says how long something lasts, and until when.
func lasts(now, until time.Time) string {
	return fmt.Sprintf("%s, until %s", roughly(until.Sub(now)), advice.Clock(now, until))
}

// roughly says a time in its two largest units.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
