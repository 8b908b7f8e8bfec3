package server

import (
	"errors"
	"net/http"
	"strings"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
)

// Known guards a server that knows who asks: by a token, else by the certificate of the connection.
type Known struct {
	Tokens   *authn.Authenticator
	Machines *authn.Machines
}

// Who is whoever a token or a certificate is of.
func (k Known) Who(r *http.Request) (access.Subject, error) {
	token := bearer(r)
	if token == "" && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return k.Machines.Subject(r.TLS.VerifiedChains)
	}
	return k.Tokens.Bearer(r.Context(), token)
}

// bearer is the token of a request; "" where there is none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// whyRefused is why somebody is not known, for the log.
func whyRefused(err error) string {
	var refusal *authn.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return err.Error()
}
