package config

import "testing"

// TestAdd: a section that is there already can't be written once more.
func TestAdd(t *testing.T) {
	t.Parallel()
	for text, there := range map[string]bool{
		"": false, "# accounts:\n": false, "defaults:\n  db_user: x\n": false,
		"accounts:\n  bbbbbbbbbbbb: prod\n": true, "timeout: 5s\naccounts : {}\n": true, "\"accounts\": {}\n": true,
	} {
		want := `write into config.yaml: "accounts: {abcdefghijkl: PROFILE}"`
		if there {
			want = `add to config.yaml, under "accounts:": "abcdefghijkl: PROFILE"`
		}
		c, err := Parse("config.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.SetAccount("abcdefghijkl", "aws_profile", "PROFILE"); got.Text != want || got.Command {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestSetAccount: an account has one entry, which may be no more than its profile.
func TestSetAccount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"accounts: {}": `add to config.yaml, under "accounts:": "abcdefghijkl: {ssl_ca: /x}"`,
		"accounts:\n  abcdefghijkl: prod": `set in accounts: abcdefghijkl (config.yaml:2): ` +
			`"abcdefghijkl: {aws_profile: "prod", ssl_ca: /x}"`,
		"accounts:\n  abcdefghijkl: {aws_profile: prod, db_user: x}": `set in accounts: abcdefghijkl (config.yaml:2): "ssl_ca: /x"`,
	} {
		c, err := Parse("config.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.SetAccount("abcdefghijkl", "ssl_ca", "/x"); got.Text != want {
			t.Errorf("%q: %s, want %s", text, got.Text, want)
		}
	}
}
