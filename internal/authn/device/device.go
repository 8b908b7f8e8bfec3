// Package device logs a person in from a command line, by OAuth's device flow: the person opens an address in a browser, anywhere, types
// a code, and the command line is given a token. It keeps no token, and prints nothing itself.
package device

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sluice.dev/sluice/internal/fault"
)

// Bounds on a login.
const (
	longest      = 30 * time.Minute // that a person may take, whatever the issuer says
	leastPolling = 1                // seconds
	mostPolling  = 300
	usualPolling = 5
	maxTries     = 3 // after which an issuer that does not answer is away
	maxShown     = 500
)

// Login is where and as what one logs in. Client has to refuse addresses on which others could listen: authn.Client is one.
type Login struct {
	Issuer   string // its address
	ClientID string
	Scopes   []string // default openid, email, offline_access
	Client   *http.Client
}

// Prompt is what a person has to do.
type Prompt struct {
	URL      string // to be opened
	Code     string // to be typed there
	Complete string // the address with the code in it; "" where the issuer has none
}

// Session is what a login comes to. Both tokens are secrets.
type Session struct {
	IDToken      string
	RefreshToken string    // "" where the issuer gives none
	Expires      time.Time // of the ID token, as it says itself; zero where it does not
}

// Start begins a login, has show tell the person what to do, and waits until that is done. It is fault.Refused where the person
// said no, fault.Unauthorized where it took too long, fault.Unreachable where the issuer does not answer, and fault.Invalid where it has no
// device flow. The context ends it, and is wrapped then.
func (l Login) Start(ctx context.Context, show func(Prompt) error) (Session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longest, errTooLong)
	defer cancel()
	ctx, config, err := l.config(ctx)
	if err != nil {
		return Session{}, err
	}
	if config.Endpoint.DeviceAuthURL == "" {
		return Session{}, fault.New(fault.Invalid, "cannot log in at %s: it has no device flow", l.Issuer)
	}
	begun, err := config.DeviceAuth(ctx)
	if err != nil {
		return Session{}, l.failure(ctx, err)
	}
	prompt := Prompt{URL: begun.VerificationURI, Code: begun.UserCode, Complete: begun.VerificationURIComplete}
	if err := prompt.check(); err != nil {
		return Session{}, fault.Wrap(fault.Invalid, err, "cannot log in at %s", l.Issuer)
	}
	if err := show(prompt); err != nil {
		return Session{}, err
	}
	if begun.Interval < leastPolling {
		begun.Interval = usualPolling
	}
	for tries := 1; ; tries++ {
		begun.Interval = min(begun.Interval, mostPolling)
		token, err := config.DeviceAccessToken(ctx, begun)
		if err == nil {
			return l.session(token)
		}
		if tries == maxTries || ctx.Err() != nil || !passing(err) {
			return Session{}, l.failure(ctx, err)
		}
		begun.Interval += usualPolling
	}
}

// Refresh gives another ID token for a refresh token. The session has the refresh token that counts from now on, which may be another
// one. It is fault.Unauthorized where the issuer takes it no longer: then one logs in again.
func (l Login) Refresh(ctx context.Context, refresh string) (Session, error) {
	ctx, config, err := l.config(ctx)
	if err != nil {
		return Session{}, err
	}
	token, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return Session{}, l.failure(ctx, err)
	}
	return l.session(token)
}

// errTooLong is that a person took longer than anybody waits.
var errTooLong = errors.New("it took too long")

func (l Login) config(ctx context.Context) (context.Context, *oauth2.Config, error) {
	ctx = oidc.ClientContext(ctx, l.Client)
	provider, err := oidc.NewProvider(ctx, l.Issuer)
	if err != nil {
		return ctx, nil, l.failure(ctx, err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // a command line has no secret
	scopes := l.Scopes
	if len(scopes) == 0 {
		scopes = []string{oidc.ScopeOpenID, "email", oidc.ScopeOfflineAccess}
	}
	return ctx, &oauth2.Config{ClientID: l.ClientID, Endpoint: endpoint, Scopes: scopes}, nil
}

// passing reports whether the same question may be answered in a while: no answer, or one that is none.
func passing(err error) bool {
	var said *oauth2.RetrieveError
	return !errors.As(err, &said) || said.ErrorCode == "" && said.Response != nil && said.Response.StatusCode >= http.StatusInternalServerError
}

// failure is what went wrong, without what the issuer answered beside the name of its error: a token could be in it.
func (l Login) failure(ctx context.Context, err error) error {
	var said *oauth2.RetrieveError
	if errors.As(err, &said) {
		switch said.ErrorCode {
		case "access_denied":
			return fault.New(fault.Refused, "cannot log in at %s: it was denied there", l.Issuer)
		case "expired_token":
			return fault.New(fault.Unauthorized, "cannot log in at %s: %v", l.Issuer, errTooLong)
		case "invalid_grant":
			return fault.New(fault.Unauthorized, "cannot log in at %s: the login counts no longer", l.Issuer)
		case "":
			return fault.New(fault.Unreachable, "cannot log in at %s: it answers what is no answer", l.Issuer)
		}
		return fault.New(fault.Unauthorized, "cannot log in at %s: it says %s", l.Issuer, plain(said.ErrorCode))
	}
	var other *oidc.IssuerMismatchError
	if errors.As(err, &other) {
		return fault.New(fault.Invalid, "cannot log in at %s: it calls itself %s", l.Issuer, plain(other.Discovered))
	}
	if errors.Is(context.Cause(ctx), errTooLong) || ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unauthorized, "cannot log in at %s: %v", l.Issuer, errTooLong)
	}
	return fault.Wrap(fault.Unreachable, err, "cannot log in at %s", l.Issuer)
}

func (l Login) session(token *oauth2.Token) (Session, error) {
	id, _ := token.Extra("id_token").(string)
	if id == "" {
		return Session{}, fault.New(fault.Unauthorized, "cannot log in at %s: it gives no ID token; the scopes need openid", l.Issuer)
	}
	return Session{IDToken: id, RefreshToken: token.RefreshToken, Expires: expires(id)}, nil
}

// expires is what a token says of its end. Nothing is decided by it but when to ask for another: the server verifies tokens.
func expires(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var says struct {
		Expires float64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &says); err != nil || says.Expires <= 0 || says.Expires > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(says.Expires), 0)
}

// check refuses what must not be shown as an address to open, or as a code.
func (p Prompt) check() error {
	for _, address := range []string{p.URL, p.Complete} {
		if address == "" && p.URL != "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || address != plain(address) {
			return fault.New(fault.Invalid, "it gives no address to open in a browser")
		}
	}
	if p.Code == "" || p.Code != plain(p.Code) {
		return fault.New(fault.Invalid, "it gives no code that can be shown")
	}
	return nil
}

// plain is a text without what a terminal would act on.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	return text[:min(len(text), maxShown)]
}
