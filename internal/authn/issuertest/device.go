package issuertest

import (
	"fmt"
	"maps"
	"net/http"
)

// device is the issuer's side of the device flow.
type device struct {
	pending   map[string]*request // by device code
	polls     int
	slow      int // how many polls are still told to slow down
	refreshes map[string]map[string]any
}

// request is a login that somebody has begun.
type request struct {
	userCode string
	client   string
	outcome  string // an error of the standard, "" once it was granted
	claims   map[string]any
}

// Grant lets the login with a user code succeed, as somebody of whom claims are said.
func (i *Issuer) Grant(userCode string, claims map[string]any) { i.decide(userCode, "", claims) }

// Refuse ends the login with a user code with an error of RFC 8628: access_denied, expired_token.
func (i *Issuer) Refuse(userCode, with string) { i.decide(userCode, with, nil) }

func (i *Issuer) decide(userCode, outcome string, claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.device.pending {
		if r.userCode == userCode {
			r.outcome, r.claims = outcome, claims
			return
		}
	}
	i.t.Errorf("nobody logs in with %s", userCode)
}

// SlowDown has the next so many polls be told to slow down.
func (i *Issuer) SlowDown(polls int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.device.slow = polls
}

// Polls is how often somebody asked whether a login is done.
func (i *Issuer) Polls() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.device.polls
}

func (i *Issuer) begin(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.device.pending) + 1
	code, user := fmt.Sprintf("device-%d", n), fmt.Sprintf("USER-%04d", n)
	i.device.pending[code] = &request{userCode: user, client: r.FormValue("client_id"), outcome: "authorization_pending"}
	answer(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": user, "verification_uri": i.URL + "/activate",
		"verification_uri_complete": i.URL + "/activate?code=" + user, "expires_in": 600, "interval": 1,
	})
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	claims, outcome := i.settle(r)
	i.mu.Unlock()
	if outcome != "" {
		answer(w, http.StatusBadRequest, map[string]any{"error": outcome})
		return
	}
	i.mu.Lock()
	if i.device.refreshes == nil {
		i.device.refreshes = map[string]map[string]any{}
	}
	refresh := fmt.Sprintf("refresh-%d", len(i.device.refreshes)+1)
	i.device.refreshes[refresh] = claims
	i.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{
		"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh, "id_token": i.Token(claims),
	})
}

// settle is what a request for a token comes to.
func (i *Issuer) settle(r *http.Request) (claims map[string]any, outcome string) {
	d := i.device
	if r.FormValue("grant_type") == "refresh_token" {
		claims, known := d.refreshes[r.FormValue("refresh_token")]
		if !known {
			return nil, "invalid_grant"
		}
		return claims, ""
	}
	d.polls++
	login, known := d.pending[r.FormValue("device_code")]
	switch {
	case !known || login.client != r.FormValue("client_id"):
		return nil, "invalid_grant"
	case d.slow > 0:
		d.slow--
		return nil, "slow_down"
	case login.outcome != "":
		return nil, login.outcome
	}
	claims = map[string]any{"aud": login.client}
	maps.Copy(claims, login.claims)
	return claims, ""
}
