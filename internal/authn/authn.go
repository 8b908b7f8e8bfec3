// Package authn finds out who asks: it makes subjects of tokens that an issuer signed, of tokens that Sluice made, and of certificates.
// What somebody may do is not decided here, and nothing here knows of HTTP requests. A token is in no error and in no log.
package authn

import (
	"context"
	"strings"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// MaxToken is how long a token may be, in bytes. Nothing of a longer one is looked at.
const MaxToken = 16 << 10

// maxReason bounds a reason: a part of it may be of the one who asks.
const maxReason = 300

// Refusal is that somebody is not known. All refusals read alike, so that whoever tries tokens learns nothing; Reason is for the log.
// As a fault it is fault.Unauthorized.
type Refusal struct {
	Reason string
	Retry  bool // the same token may be taken later: an issuer does not answer, or its keys were asked for just now
}

// Error is the same for every refusal.
func (r *Refusal) Error() string { return "unauthorized: the token is not accepted" }

// Unwrap gives the refusal its code.
func (r *Refusal) Unwrap() error { return fault.New(fault.Unauthorized, "the token is not accepted") }

func refuse(reason string) *Refusal { return &Refusal{Reason: printable(reason)} }

// printable is a reason that cannot write a line of its own into a log.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return clip.Runes(text, maxReason)
}

// Authenticator makes subjects of bearer tokens. It is safe for concurrent use.
type Authenticator struct {
	issuers []*issuer
	tokens  ledger.Tokens
	now     func() time.Time
}

// New makes an Authenticator of a configuration. It asks no issuer yet: a server starts while one is away. Without tokens none that Sluice
// made is taken. It is fault.Invalid for a configuration that does not pass its Check, or names a file that cannot be read.
func New(c Config, tokens ledger.Tokens, now func() time.Time) (*Authenticator, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	a := &Authenticator{tokens: tokens, now: now}
	for _, of := range c.Issuers {
		made, err := newIssuer(of, c.skew(), now)
		if err != nil {
			return nil, err
		}
		a.issuers = append(a.issuers, made)
	}
	return a, nil
}

// Bearer finds out whose a token is. An error is a *Refusal, but where the store of tokens cannot be asked: then it is the store's. It
// blocks while an issuer is asked for keys that are not known yet, some seconds at most.
func (a *Authenticator) Bearer(ctx context.Context, token string) (access.Subject, error) {
	switch {
	case token == "":
		return access.Subject{}, refuse("there is no token")
	case len(token) > MaxToken:
		return access.Subject{}, refuse("it is longer than any that is read")
	case strings.HasPrefix(token, TokenPrefix):
		return a.service(ctx, token)
	}
	return a.signed(ctx, token)
}
