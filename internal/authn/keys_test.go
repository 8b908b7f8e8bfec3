package authn_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
)

// TestKeysOfAnIssuer has an issuer publish keys of all sorts, and one that a token is signed with among them, or not.
func TestKeysOfAnIssuer(t *testing.T) {
	key, curve := issuertest.NewKey(t, jose.RS256), issuertest.NewKey(t, jose.ES256)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public := func(k issuertest.Key, change func(*jose.JSONWebKey)) jose.JSONWebKey {
		published := jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"}
		if change != nil {
			change(&published)
		}
		return published
	}
	unnamed := key
	unnamed.ID = ""
	many := make([]jose.JSONWebKey, 101)
	for i := range many {
		many[i] = public(key, nil)
	}
	short1024 := issuertest.Key{ID: "foreign", Algorithm: jose.RS256, Private: short}
	for name, c := range map[string]struct {
		keys   any // what is published
		by     issuertest.Key
		change map[string]any // of the discovery
		status int
		reason string // "" is taken
	}{
		"its key":                      {keys: []jose.JSONWebKey{public(key, nil)}, by: key},
		"its key by curves":            {keys: []jose.JSONWebKey{public(curve, nil)}, by: curve},
		"one that says no more":        {keys: []jose.JSONWebKey{{Key: key.Private.Public(), KeyID: key.ID}}, by: key},
		"among what nobody knows":      {keys: []any{map[string]any{"kty": "new", "kid": "x"}, public(key, nil)}, by: key},
		"two of one name":              {keys: []jose.JSONWebKey{public(curve, nil), public(key, nil)}, by: key},
		"no name, and one key":         {keys: []jose.JSONWebKey{public(key, nil)}, by: unnamed},
		"no name, and two keys":        {keys: []jose.JSONWebKey{public(key, nil), public(curve, nil)}, by: unnamed, reason: "the issuer has not"},
		"a short key":                  {keys: []jose.JSONWebKey{public(short1024, nil)}, by: short1024, reason: "no public key for signatures"},
		"a key to encrypt by":          {keys: []jose.JSONWebKey{public(key, func(k *jose.JSONWebKey) { k.Use = "enc" })}, by: key, reason: "no public key for signatures"},
		"a key of another algorithm":   {keys: []jose.JSONWebKey{public(key, func(k *jose.JSONWebKey) { k.Algorithm = "RS512" })}, by: key, reason: "the issuer has not"},
		"a private key":                {keys: []jose.JSONWebKey{public(key, func(k *jose.JSONWebKey) { k.Key = key.Private })}, by: key, reason: "no public key for signatures"},
		"a secret":                     {keys: []jose.JSONWebKey{public(key, func(k *jose.JSONWebKey) { k.Key = []byte("0123456789abcdef0123456789abcdef") })}, by: key, reason: "no public key for signatures"},
		"no keys":                      {keys: []jose.JSONWebKey{}, by: key, reason: "no public key for signatures"},
		"too many keys":                {keys: many, by: key, reason: "101 keys"},
		"what are no keys":             {keys: 5, by: key, reason: "does not say which keys"},
		"endless keys":                 {keys: strings.Repeat("x", 2<<20), by: key, reason: "too large"},
		"an error":                     {keys: []jose.JSONWebKey{public(key, nil)}, by: key, status: http.StatusInternalServerError, reason: "answers 500"},
		"keys where others can listen": {change: map[string]any{"jwks_uri": "http://issuer.example.com/keys"}, by: key, reason: "not https"},
		"keys in a file":               {change: map[string]any{"jwks_uri": "file:///etc/keys"}, by: key, reason: "not https"},
		"keys nowhere":                 {change: map[string]any{"jwks_uri": ""}, by: key, reason: "does not say which keys"},
		"another issuer":               {change: map[string]any{"issuer": "https://issuer.example.com"}, by: key, reason: "does not say which keys"},
		"an endless discovery":         {change: map[string]any{"x": strings.Repeat("x", 2<<20)}, by: key, reason: "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys"}
				for name, value := range c.change {
					answer[name] = value
				}
				if r.URL.Path == "/keys" {
					answer = map[string]any{"keys": c.keys}
					if c.status != 0 {
						w.WriteHeader(c.status)
					}
				}
				_ = json.NewEncoder(w).Encode(answer)
			}))
			t.Cleanup(server.Close)
			config := authn.Config{Issuers: []authn.Issuer{{Name: "corp", URL: server.URL, Audiences: []string{"sluice"}, Kind: authn.People, SubjectClaim: "sub"}}}
			a := authenticator(t, config, nil, (&clock{}).now)
			token := issuertest.Sign(t, c.by, map[string]any{"iss": server.URL, "aud": "sluice", "sub": "anna", "exp": noon.Unix() + 60})
			_, err := a.Bearer(t.Context(), token)
			if c.reason == "" {
				if err != nil {
					t.Errorf("it is refused: %s", err.(*authn.Refusal).Reason)
				}
				return
			}
			refused(t, err, token, c.reason)
		})
	}
}
