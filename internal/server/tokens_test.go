package server_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sluice.dev/sluice/internal/authn/issuertest"
)

// badTokens are those that nobody takes, with what the log says of each.
func (b *bench) badTokens() map[string][2]string {
	b.t.Helper()
	now := b.clock.Now()
	claims := map[string]any{
		"iss": b.issuer.URL, "aud": "sluice", "sub": "operator", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		b.t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	public, err := x509.MarshalPKIXPublicKey(b.issuer.Key().Private.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	options := (&jose.SignerOptions{}).WithHeader("kid", b.issuer.Key().ID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, options)
	if err != nil {
		b.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		b.t.Fatal(err)
	}
	confused, err := signed.CompactSerialize()
	if err != nil {
		b.t.Fatal(err)
	}
	foreign := issuertest.NewKey(b.t, jose.RS256)
	foreign.ID = b.issuer.Key().ID
	return map[string][2]string{
		"expired":           {b.issuer.Token(map[string]any{"sub": "operator", "exp": now.Add(-time.Hour).Unix()}), "expired"},
		"for another":       {b.issuer.Token(map[string]any{"sub": "operator", "aud": "other"}), "audience"},
		"unsigned":          {text([]byte(`{"alg":"none"}`)) + "." + text(payload) + ".", "alg"},
		"by another key":    {b.issuer.TokenBy(foreign, map[string]any{"sub": "operator"}), "sign"},
		"by the public key": {confused, "alg"},
		"garbage":           {"garbage-of-somebody", "three parts"},
		"long":              {strings.Repeat("long", 5_000), "longer"},
	}
}

func TestTokensThatNobodyTakes(t *testing.T) {
	b := newBench(t)
	b.callers()
	there, _ := b.seed()
	h := b.handler()
	heard := map[string]int{}
	for name, bad := range b.badTokens() {
		before := len(b.log.String())
		for _, r := range requests() {
			w := b.ask(h, r.method, there.Replace(r.path), there.Replace(r.body), bad[0])
			if r.over == open {
				continue
			}
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with a token that is %s: %d", r.operation, name, w.Code)
			}
			heard[w.Body.String()]++
		}
		said := b.log.String()[before:]
		if first, _, _ := strings.Cut(said, "\n"); !strings.Contains(said, bad[1]) {
			t.Errorf("of a token that is %s the log says %s", name, first)
		}
		for _, part := range strings.Split(bad[0], ".") {
			if len(part) > 10 && strings.Contains(said, part[:min(len(part), 40)]) {
				t.Errorf("the log has the token that is %s", name)
			}
		}
	}
	if len(heard) != 1 {
		t.Errorf("whoever tries tokens hears why they are none: %v", heard)
	}
	if got := b.temporal.started; got != 0 {
		t.Errorf("%d runs were started", got)
	}
}
