package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
)

// Local guards the server of a local stack: whoever has its token may ask, under whatever name he gives.
type Local struct{ token [sha256.Size]byte }

// NewLocal returns a guard, and the token that it wants.
func NewLocal() (Local, string) {
	token := rand.Text()
	return Local{sha256.Sum256([]byte(token))}, token
}

// unauthorized is the one thing that whoever is not let in hears.
const unauthorized = "unauthorized: the token is not accepted"

// maxName bounds the name that somebody gives.
const maxName = 200

// Who is whoever has the token, by the name that he gives, marked.
func (l Local) Who(r *http.Request) (access.Subject, error) {
	given := sha256.Sum256([]byte(bearer(r)))
	if subtle.ConstantTimeCompare(given[:], l.token[:]) != 1 {
		return access.Subject{}, fault.New(fault.Unauthorized, "%s", unauthorized)
	}
	name, err := url.PathUnescape(r.Header.Get(wire.AsHeader))
	if err != nil || len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return access.Subject{}, fault.New(fault.Invalid, "cannot read the name in %s", wire.AsHeader)
	}
	if name == "" {
		name = "unknown"
	}
	return access.Subject{Name: name, Kind: access.Person}, nil
}
