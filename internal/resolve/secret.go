package resolve

import (
	"fmt"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/server"
)

// Secret is a password that AWS Secrets Manager keeps for a server's user.
type Secret struct {
	server.Secret
	// By says who chose it, for a person.
	By string
	// Managed is the one that RDS itself made for the master user, and rotates (RDS user guide,
	// "Password management with Amazon RDS and AWS Secrets Manager").
	Managed bool
}

// findSecret sets the secret by what the configuration says of the credential, or, where that is
// nothing, the managed one of the server's master user.
func (r *resolver) findSecret(c config.Credential, source string, t server.Target) error {
	known := r.Server
	managed := known != nil && known.MasterSecretARN != ""
	var id string
	switch named, by := r.first("secret"); {
	case c == "" && (!managed || known.MasterUser != t.User), c != "" && c != config.Secret:
		return nil
	case c == "":
		id, r.Secret.By, r.Secret.Managed = known.MasterSecretARN, fmt.Sprintf(
			"inventory: %s is the master user of %s, and RDS manages its password", t.User, known.Name), true
	case named != "":
		id, r.Secret.By = named, by
	case managed:
		id, r.Secret.By, r.Secret.Managed = known.MasterSecretARN, "inventory: that which RDS manages", true
	default:
		return r.noSecret(source)
	}
	s, ok := server.ParseSecret(id)
	if !ok {
		return &Error{advice.Problemf("what discover learned of %s names no secret of AWS Secrets Manager: %.200q",
			known.Name, id).With(advice.Ours("discover"))}
	}
	r.Secret.Secret = s
	if source == "" {
		source = r.Secret.By
	}
	r.step("credential", string(config.Secret), source)
	r.step("secret", s.ID, r.Secret.By)
	return nil
}

// noSecret is the answer where the configuration wants a secret that nobody names.
func (r *resolver) noSecret(source string) error {
	r.missing = true
	why := "discover knows of none that RDS manages for it"
	if r.Unread != nil {
		why = fmt.Sprintf("what discover learned can't be used: %v", r.Unread)
	}
	do := r.cfg.Add("servers", fmt.Sprintf("%s: {secret: ARN}", config.Quote(r.url.Host)))
	if r.exact {
		do = r.Entry.Set("secret: ARN")
	}
	return &Error{advice.Problemf("%s says credential: secret for %s, and names no secret; %s", source,
		r.Endpoint.Host, why).With(advice.Ours("discover"), do)}
}

// foreign returns the layers of the account that the secret is in, where that isn't the server's:
// what reaches the server doesn't reach it, as a rule.
func (r *resolver) foreign(serverAccount string) (layers []layer, err error) {
	number := r.Secret.Account
	if number == "" || number == serverAccount {
		return nil, nil
	}
	layers = append(layers, ofEntry(r.cfg.Accounts[number]))
	if r.known == nil {
		return layers, nil
	}
	a, ok, err := r.known.Numbered(number, r.Secret.Region)
	if err != nil || !ok {
		return layers, err
	}
	source := fmt.Sprintf("inventory: account %s, which the secret is in", a.Number)
	return append(layers, layer{config.Fields{Profile: a.Profile}, source}), nil
}
