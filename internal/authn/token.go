package authn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// TokenPrefix begins every token that Sluice made, so that scanners of repositories and logs find one that was left there.
const TokenPrefix = "sluice_"

// serviceIssuer vouches for services: Sluice itself.
const serviceIssuer = "service"

// Of a service token.
const (
	tokenIDBytes     = 10
	tokenSecretBytes = 32
	// MaxTokenLife is how long a token counts at most: one that nobody renews is one that nobody looks after.
	MaxTokenLife = 366 * 24 * time.Hour
	// usedEvery is how exactly it is kept when a token was last used.
	usedEvery = time.Hour
)

// tokenText writes the bytes of tokens: letters and digits only, so that a double click takes it whole.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewToken makes a token for a service, and returns what is to be kept and, once, the text that is to be given to the service. Several
// tokens may have one name: a new one is given out before the old one is revoked. It is fault.Invalid for a name that is none, and for
// a time of expiry that is none or too far away.
func NewToken(name, by string, now, expires time.Time) (ledger.Token, string, error) {
	switch {
	case !issuerName.MatchString(name):
		return ledger.Token{}, "", fault.New(fault.Invalid,
			"cannot make token %q: its name is lower-case letters, digits and dashes, at most 63", name)
	case by == "":
		return ledger.Token{}, "", fault.New(fault.Invalid, "cannot make token %s: nobody makes it", name)
	case !expires.After(now):
		return ledger.Token{}, "", fault.New(fault.Invalid, "cannot make token %s: say when it expires, which has to be later than now", name)
	case expires.Sub(now) > MaxTokenLife:
		return ledger.Token{}, "", fault.New(fault.Invalid, "cannot make token %s: it expires within a year", name)
	}
	var random [tokenIDBytes + tokenSecretBytes]byte
	_, _ = rand.Read(random[:]) // it never fails
	id, secret := tokenText.EncodeToString(random[:tokenIDBytes]), tokenText.EncodeToString(random[tokenIDBytes:])
	t := ledger.Token{ID: id, Name: name, Hash: sha256.Sum256([]byte(secret)), CreatedBy: by, Created: now.UTC(), Expires: expires.UTC()}
	return t, TokenPrefix + id + "_" + secret, nil
}

// service finds out whose a token is that Sluice made. Whether its ID is known, its secret wrong, or it is over is decided after the
// same steps.
func (a *Authenticator) service(ctx context.Context, text string) (access.Subject, error) {
	id, secret, _ := strings.Cut(strings.TrimPrefix(text, TokenPrefix), "_")
	if a.tokens == nil {
		return access.Subject{}, refuse("no service tokens are taken here")
	}
	if len(id) != tokenText.EncodedLen(tokenIDBytes) || len(secret) != tokenText.EncodedLen(tokenSecretBytes) {
		return access.Subject{}, refuse("it has not the form of a service token")
	}
	if _, err := tokenText.DecodeString(id); err != nil {
		return access.Subject{}, refuse("it has not the form of a service token")
	}
	t, err := a.tokens.Token(ctx, id)
	known := err == nil
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return access.Subject{}, err
	}
	hash, now := sha256.Sum256([]byte(secret)), a.now()
	fits := subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1
	switch {
	case !known:
		return access.Subject{}, refuse("there is no service token " + id)
	case !fits:
		return access.Subject{}, refuse("the secret of service token " + id + " is another")
	case !t.Revoked.IsZero():
		return access.Subject{}, refuse("service token " + id + " of " + t.Name + " is revoked")
	case !now.Before(t.Expires):
		return access.Subject{}, refuse("service token " + id + " of " + t.Name + " has expired")
	}
	s, err := access.NewSubject(access.Service, serviceIssuer, t.Name, map[string]any{"token": id, "created_by": t.CreatedBy})
	if err != nil {
		return access.Subject{}, refuse(err.Error())
	}
	if now.Sub(t.LastUsed) >= usedEvery {
		if err := a.tokens.UseToken(ctx, id, now); err != nil && fault.CodeOf(err) != fault.NotFound {
			return access.Subject{}, err
		}
	}
	return s, nil
}
