package credentials

import (
	"context"
	"errors"
	"fmt"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/term"
)

// AskCode asks for MFA codes on the user's terminal, never on stdin or stdout; it is made for
// [Options].Code. What is typed is shown: it works once.
func AskCode(ctx context.Context, profile, serial string) (string, error) {
	t, err := term.Open()
	if err != nil {
		return "", fmt.Errorf("%w (%v)", ErrNoTerminal, err)
	}
	defer t.Close()
	of := ""
	if profile != "" {
		of = fmt.Sprintf(" (AWS profile %s)", profile)
	}
	code, err := t.Ask(ctx, term.Visible(fmt.Sprintf("%s: MFA code of %s%s: ", about.Name, serial, of)))
	switch {
	case errors.Is(err, term.ErrNoAnswer):
		return "", ErrNoCode
	case err != nil:
		return "", fmt.Errorf("%w (%v)", ErrNoTerminal, err)
	}
	return code, nil
}
