package credentials

import (
	"context"
	"encoding/json"
	"os"
	"time"
)

// lockSSO keeps others from refreshing the same SSO session's token at the same time: AWS takes a
// refresh token once, so that whoever comes second would have to log in again. A token that needs no
// refreshing needs no lock. The result ends it.
func (p *Provider) lockSSO(ctx context.Context) (unlock func()) {
	none := func() {}
	if p.sso == "" || !needsRefresh(p.sso) {
		return none
	}
	unlock, err := p.Store.LockCredentials(ctx, "sso "+p.sso, patience(ctx), func() bool { return !needsRefresh(p.sso) })
	if err != nil {
		p.Log.Warn("SSO session refreshed without the lock", "reason", err)
	}
	if unlock == nil {
		return none
	}
	return unlock
}

// needsRefresh says whether the SDK would refresh an SSO session's token before it uses it.
func needsRefresh(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false // nothing to refresh: it's the SDK's to say that there is no session
	}
	var token struct {
		ExpiresAt    time.Time `json:"expiresAt"`
		RefreshToken string    `json:"refreshToken"`
	}
	return json.Unmarshal(text, &token) == nil && token.RefreshToken != "" && time.Now().After(token.ExpiresAt)
}
