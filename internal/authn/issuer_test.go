package authn_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/authn/tokenstest"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// clock stands until it is moved.
type clock struct{ past atomic.Int64 }

func (c *clock) now() time.Time          { return noon.Add(time.Duration(c.past.Load())) }
func (c *clock) advance(d time.Duration) { c.past.Add(int64(d)) }

// people is a configuration of one issuer that vouches for people.
func people(i *issuertest.Issuer) authn.Config {
	return authn.Config{Issuers: []authn.Issuer{{Name: "corp", URL: i.URL, Audiences: []string{"sluice"}, Kind: authn.People, SubjectClaim: "sub"}}}
}

func authenticator(t testing.TB, c authn.Config, tokens ledger.Tokens, now func() time.Time) *authn.Authenticator {
	t.Helper()
	a, err := authn.New(c, tokens, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refused fails the test where an error is not a refusal that reads as all do, keeps the token to itself, and gives a reason.
func refused(t *testing.T, err error, token, reason string) *authn.Refusal {
	t.Helper()
	var r *authn.Refusal
	if !errors.As(err, &r) || fault.CodeOf(err) != fault.Unauthorized || err.Error() != "unauthorized: the token is not accepted" {
		t.Fatalf("it is no refusal as all others: %v", err)
	}
	if !strings.Contains(r.Reason, reason) || len(r.Reason) > 400 || strings.ContainsAny(r.Reason, "\n\r\x1b") {
		t.Errorf("the reason is %q, want %q", r.Reason, reason)
	}
	if r.Unwrap().Error() != "the token is not accepted" {
		t.Errorf("the cause says %q", r.Unwrap())
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) >= 16 && strings.Contains(r.Reason, part[:16]) {
			t.Errorf("the reason has a part of the token: %q", r.Reason)
		}
	}
	return r
}

func TestTokensThatAreTaken(t *testing.T) {
	c := &clock{}
	i := issuertest.New(t, c.now)
	config := people(i)
	config.Issuers = append(config.Issuers,
		authn.Issuer{Name: "builds", URL: i.URL, Audiences: []string{"builds", "builds-2"}, Kind: authn.Jobs},
		authn.Issuer{Name: "nick", URL: i.URL, Audiences: []string{"nick"}, Kind: authn.People, SubjectClaim: "nickname"},
		authn.Issuer{Name: "post", URL: i.URL, Audiences: []string{"post"}, Kind: authn.People},
		authn.Issuer{Name: "mail", URL: i.URL, Audiences: []string{"mail"}, Kind: authn.Jobs, SubjectClaim: "email"})
	a := authenticator(t, config, nil, c.now)
	for _, tc := range []struct {
		reason string
		claims map[string]any
		name   string
		kind   access.Kind
	}{
		{"an address that the issuer has verified", map[string]any{"aud": "post", "email": "ann@example.com", "email_verified": true}, "post:ann@example.com", access.Person},
		{"who is named by sub has one name, with an address", map[string]any{"email": "ann@example.com", "email_verified": true}, "corp::anna", access.Person},
		{"and without", map[string]any{}, "corp::anna", access.Person},
		{"what somebody has chosen as sub is not the address of another", map[string]any{"sub": "ann@example.com"}, "corp::ann@example.com", access.Person},
		{"a job", map[string]any{"aud": "builds", "sub": "repo:org/infra:ref:refs/heads/main"}, "builds:repo:org/infra:ref:refs/heads/main", access.Job},
		{"one of two audiences", map[string]any{"aud": []string{"else", "builds-2"}}, "builds:anna", access.Job},
		{"a claim that the configuration names", map[string]any{"aud": "nick", "nickname": "ann (unverified)"}, "nick:ann%20%28unverified%29", access.Person},
		{"a number", map[string]any{"aud": "nick", "nickname": 1234}, "nick:1234", access.Person},
		{"a verified address of a job", map[string]any{"aud": "mail", "email": "bot@example.com", "email_verified": true}, "mail:bot@example.com", access.Job},
		{"it expired, but less than clocks are apart", map[string]any{"exp": noon.Add(-59 * time.Second).Unix()}, "corp::anna", access.Person},
		{"it counts from now on, give or take", map[string]any{"nbf": noon.Add(59 * time.Second).Unix()}, "corp::anna", access.Person},
		{"times may be fractions", map[string]any{"exp": float64(noon.Unix()) + 60.5}, "corp::anna", access.Person},
		{"it does not say since when", map[string]any{"iat": nil}, "corp::anna", access.Person},
	} {
		token := i.Token(tc.claims)
		for range 2 { // the second time is the replay of a bearer token, which is one as long as it counts
			s, err := a.Bearer(t.Context(), token)
			if err != nil {
				var r *authn.Refusal
				_ = errors.As(err, &r)
				t.Errorf("%s: %v: %+v", tc.reason, err, r)
				continue
			}
			if s.Name != tc.name || s.Kind != tc.kind || !s.Verified || s.Claims["iss"] != i.URL || s.Issuer+":" != s.Name[:len(s.Issuer)+1] {
				t.Errorf("%s: it is %+v", tc.reason, s)
			}
		}
	}
	if i.Asked() != 5 {
		t.Errorf("five issuers of the configuration asked for keys %d times", i.Asked())
	}
	i.Rotate(jose.ES256)
	c.advance(11 * time.Second)
	if _, err := a.Bearer(t.Context(), i.Token(nil)); err != nil {
		t.Errorf("a token signed by elliptic curves: %v", err)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	c := &clock{}
	i, other := issuertest.New(t, c.now), issuertest.New(t, c.now)
	config := people(i)
	config.Issuers = append(config.Issuers,
		authn.Issuer{Name: "other", URL: other.URL, Audiences: []string{"sluice"}, Kind: authn.Jobs, SubjectClaim: "email"},
		authn.Issuer{Name: "builds", URL: i.URL, Audiences: []string{"builds"}, Kind: authn.Jobs},
		authn.Issuer{Name: "post", URL: i.URL, Audiences: []string{"post"}, Kind: authn.People})
	a := authenticator(t, config, nil, c.now)
	good := i.Token(nil)
	if _, err := a.Bearer(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Bearer(t.Context(), other.Token(map[string]any{"email": "a@b", "email_verified": true})); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	public, err := x509.MarshalPKIXPublicKey(i.Key().Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	symmetric := func(secret []byte) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", i.Key().ID))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(fmt.Sprintf(`{"iss": %q, "aud": "sluice", "sub": "root", "exp": %d}`, i.URL, noon.Add(time.Hour).Unix())))
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	foreign := issuertest.NewKey(t, jose.RS256)
	foreign.ID = i.Key().ID
	elliptic := issuertest.NewKey(t, jose.ES256)
	elliptic.ID = i.Key().ID
	otherKey := other.Key()
	otherKey.ID = i.Key().ID
	signed, err := jose.ParseSignedCompact(good, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ token, reason string }{
		"none":                         {"", "there is no token"},
		"garbage":                      {"garbage", "no token of three parts"},
		"dots":                         {"..", "no token of three parts"},
		"10 MB":                        {strings.Repeat("a", 10<<20), "longer than any"},
		"16 KiB and one":               {strings.Repeat("a", authn.MaxToken+1), "longer than any"},
		"unsigned":                     {encode(map[string]any{"alg": "none"}) + "." + parts[1] + ".", "an algorithm with two keys"},
		"unsigned, in other letters":   {encode(map[string]any{"alg": "nOnE"}) + "." + parts[1] + ".", "an algorithm with two keys"},
		"without its signature":        {parts[0] + "." + parts[1] + ".", "does not fit the key"},
		"another payload":              {parts[0] + "." + encode(map[string]any{"iss": i.URL, "aud": "sluice", "sub": "root", "exp": noon.Unix() + 60}) + "." + parts[2], "does not fit the key"},
		"the public key as a secret":   {symmetric(public), "an algorithm with two keys"},
		"the public key as PEM":        {symmetric(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), "an algorithm with two keys"},
		"in JSON":                      {signed.FullSerialize(), "no token of three parts"},
		"a wrong key":                  {i.TokenBy(foreign, nil), "does not fit the key"},
		"a wrong kind of key":          {i.TokenBy(elliptic, nil), "the issuer has not"},
		"a key of another issuer":      {i.TokenBy(otherKey, nil), "does not fit the key"},
		"a key that nobody knows":      {i.TokenBy(issuertest.NewKey(t, jose.RS256), nil), "the issuer has not"},
		"another issuer":               {i.Token(map[string]any{"iss": "https://elsewhere.example.com"}), "no issuer of the configuration"},
		"an issuer that breaks a line": {i.Token(map[string]any{"iss": "x\n2026 all is well"}), "no issuer of the configuration"},
		"no issuer":                    {i.Token(map[string]any{"iss": nil}), "no issuer of the configuration"},
		"a foreign audience":           {i.Token(map[string]any{"aud": "another-service"}), "another audience"},
		"no audience":                  {i.Token(map[string]any{"aud": nil}), "another audience"},
		"an audience that is no text":  {i.Token(map[string]any{"aud": 5}), "no set of claims"},
		"two audiences of ours":        {i.Token(map[string]any{"aud": []string{"sluice", "builds"}}), "another audience, or for two"},
		"expired":                      {i.Token(map[string]any{"exp": noon.Add(-61 * time.Second).Unix()}), "expired at 2026-11-29T11:58:59Z"},
		"expired for as long as clocks are apart": {i.Token(map[string]any{"exp": noon.Add(-time.Minute).Unix()}), "expired"},
		"no expiry":                      {i.Token(map[string]any{"exp": nil}), "when it expires"},
		"an expiry that is no time":      {i.Token(map[string]any{"exp": 1e300}), "when it expires"},
		"not yet valid":                  {i.Token(map[string]any{"nbf": noon.Add(61 * time.Second).Unix()}), "by nbf it counts from 2026-11-29T12:01:01Z"},
		"issued later":                   {i.Token(map[string]any{"iat": noon.Add(10 * time.Minute).Unix()}), "by iat it counts from"},
		"a start that is no time":        {i.Token(map[string]any{"nbf": -5}), "nbf is no time"},
		"no name":                        {i.Token(map[string]any{"sub": nil}), "names nobody in sub"},
		"a name that is another claim":   {i.Token(map[string]any{"sub": nil, "email": "a@b", "email_verified": true}), "names nobody in sub"},
		"no address":                     {i.Token(map[string]any{"aud": "post"}), "has not verified the address in email; where it vouches for no addresses, the configuration has to say subjectClaim: sub"},
		"one that it has not verified":   {i.Token(map[string]any{"aud": "post", "email": "a@b", "email_verified": false}), "has not verified"},
		"one that it says nothing of":    {i.Token(map[string]any{"aud": "post", "email": "a@b"}), "has not verified"},
		"one that a text has verified":   {i.Token(map[string]any{"aud": "post", "email": "a@b", "email_verified": "true"}), "has not verified"},
		"one that is a list":             {i.Token(map[string]any{"aud": "post", "email": []string{"a@b"}, "email_verified": true}), "names nobody in email; where"},
		"one that is verified and empty": {i.Token(map[string]any{"aud": "post", "email": "", "email_verified": true}), "names nobody in email; where"},
		"an address nobody has verified": {other.Token(map[string]any{"email": "a@b"}), "has not verified"},
		"a name that is long":            {i.Token(map[string]any{"sub": strings.Repeat("a", 500)}), "longer than 200"},
		"a name with a colon in front":   {i.Token(map[string]any{"aud": "builds", "sub": ":anna"}), "a colon in front"},
		"claims that are deep":           {i.Token(map[string]any{"a": map[string]any{"a": map[string]any{"a": map[string]any{"a": map[string]any{"a": map[string]any{"a": map[string]any{"a": 1}}}}}}}), "nested deeper"},
		"a service token":                {"sluice_abc", "no service tokens are taken"},
	} {
		t.Run(name, func(t *testing.T) {
			c.advance(0)
			s, err := a.Bearer(t.Context(), tc.token)
			if err == nil {
				t.Fatalf("it is taken for %+v", s)
			}
			refused(t, err, tc.token, tc.reason)
			if s.Name != "" || s.Verified {
				t.Errorf("it is refused, and names %+v", s)
			}
		})
	}
	if _, err := a.Bearer(t.Context(), good); err != nil {
		t.Errorf("after all that a good one is refused: %v", err)
	}
}

// TestClaimsAreReadToTheLetter: a claim that somebody may add at an issuer under another case does not stand for a registered one.
func TestClaimsAreReadToTheLetter(t *testing.T) {
	c := &clock{}
	i := issuertest.New(t, c.now)
	a := authenticator(t, people(i), nil, c.now)
	key := i.Key()
	for _, tc := range []struct {
		reason, claims string
		good           bool
	}{
		{"as it should be", `"iss": "URL", "aud": "sluice"`, true},
		{"an audience beside the real one", `"iss": "URL", "aud": "elsewhere", "AUD": "sluice"`, false},
		{"an issuer beside the real one", `"aud": "sluice", "iss": "https://elsewhere.example.com", "ISS": "URL"`, false},
		{"no real audience", `"iss": "URL", "Aud": "sluice"`, false},
	} {
		payload := fmt.Sprintf(`{"sub": "anna", "exp": %d, %s}`, noon.Add(time.Hour).Unix(), strings.ReplaceAll(tc.claims, "URL", i.URL))
		options := (&jose.SignerOptions{}).WithHeader("kid", key.ID)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: key.Algorithm, Key: key.Private}, options)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Bearer(t.Context(), token); (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.reason, err)
		}
	}
}

func TestClocksApart(t *testing.T) {
	theirs, ours := &clock{}, &clock{}
	i := issuertest.New(t, theirs.now)
	a := authenticator(t, people(i), nil, ours.now)
	for _, tc := range []struct {
		reason string
		apart  time.Duration
		good   bool
	}{
		{"in step", 0, true}, {"half a minute ahead", 30 * time.Second, true}, {"half a minute behind", -30 * time.Second, true},
		{"the issuer is ten minutes ahead", 10 * time.Minute, false},
		{"the issuer is ten minutes behind, within the hour of its tokens", -10 * time.Minute, true},
	} {
		theirs.past.Store(int64(tc.apart))
		_, err := a.Bearer(t.Context(), i.Token(nil))
		if (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.reason, err)
		}
	}
	theirs.past.Store(int64(-10 * time.Minute))
	token := i.Token(map[string]any{"exp": theirs.now().Add(5 * time.Minute).Unix()})
	_, err := a.Bearer(t.Context(), token)
	refused(t, err, token, "expired")
}

func TestAnIssuerThatIsAway(t *testing.T) {
	c := &clock{}
	i := issuertest.New(t, c.now)
	i.Stop()
	a := authenticator(t, people(i), nil, c.now) // it starts
	token := i.Token(nil)
	_, err := a.Bearer(t.Context(), token)
	if r := refused(t, err, token, "does not say which keys it has"); !r.Retry {
		t.Error("nobody says that it may be taken later")
	}
	i.Start()
	_, err = a.Bearer(t.Context(), token)
	if r := refused(t, err, token, "asked just now"); !r.Retry {
		t.Error("nobody says that it may be taken later")
	}
	c.advance(10 * time.Second)
	if _, err = a.Bearer(t.Context(), token); err != nil {
		t.Fatalf("the issuer is back: %v", err)
	}
	i.Stop()
	c.advance(20 * time.Minute)
	if _, err = a.Bearer(t.Context(), i.Token(nil)); err != nil {
		t.Errorf("a key that is known counts while the issuer is away: %v", err)
	}
	c.advance(2 * time.Hour)
	if _, err = a.Bearer(t.Context(), i.Token(nil)); err != nil {
		t.Errorf("also where it should be asked for anew: %v", err)
	}
	before := i.Key()
	i.Rotate(jose.RS256)
	c.advance(time.Minute)
	token = i.Token(nil)
	_, err = a.Bearer(t.Context(), token)
	refused(t, err, token, "does not say which keys it has")
	i.Start()
	c.advance(time.Minute)
	if _, err = a.Bearer(t.Context(), i.Token(nil)); err != nil {
		t.Errorf("the new key: %v", err)
	}
	token = i.TokenBy(before, nil)
	_, err = a.Bearer(t.Context(), token)
	refused(t, err, token, "the issuer has not")
}

func TestAKeyThatIsWithdrawnIsTakenNoLonger(t *testing.T) {
	c := &clock{}
	i := issuertest.New(t, c.now)
	a := authenticator(t, people(i), nil, c.now)
	stolen := i.Key()
	if _, err := a.Bearer(t.Context(), i.Token(nil)); err != nil {
		t.Fatal(err)
	}
	i.Rotate(jose.RS256) // nobody sends a token of the new key
	c.advance(61 * time.Minute)
	until := time.Now().Add(10 * time.Second)
	for {
		token := i.TokenBy(stolen, nil)
		_, err := a.Bearer(t.Context(), token)
		if err != nil {
			refused(t, err, token, "the issuer has not")
			return
		}
		if time.Now().After(until) {
			t.Fatal("after an hour the key is still taken")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestInventedKeysDoNotHammerTheIssuer(t *testing.T) {
	c := &clock{}
	i := issuertest.New(t, c.now)
	a := authenticator(t, people(i), nil, c.now)
	key := issuertest.NewKey(t, jose.ES256)
	var wait sync.WaitGroup
	for n := range 200 {
		k := key
		k.ID = fmt.Sprint("invented-", n)
		token := i.TokenBy(k, nil)
		wait.Go(func() {
			if _, err := a.Bearer(context.Background(), token); err == nil {
				t.Error("an invented key is taken")
			}
		})
	}
	wait.Wait()
	if i.Asked() > 1 {
		t.Errorf("200 invented keys had the issuer asked %d times", i.Asked())
	}
	if _, err := a.Bearer(t.Context(), i.Token(nil)); err != nil {
		t.Errorf("a good token among them: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.advance(time.Minute)
	_, err := a.Bearer(ctx, i.TokenBy(key, nil))
	refused(t, err, "", "")
}

// FuzzBearer: whatever comes as a token, nobody is known by it, and every refusal reads alike.
func FuzzBearer(f *testing.F) {
	c := &clock{}
	i := issuertest.New(f, c.now)
	a := authenticator(f, people(i), tokenstest.NewMemory(), c.now)
	good := i.Token(nil)
	if _, err := a.Bearer(f.Context(), good); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, "", "..", good[:len(good)-1], "sluice_", "sluice_aaaaaaaaaaaaaaaa_" + strings.Repeat("a", 52), "{}", `{"payload":"e30"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		s, err := a.Bearer(t.Context(), token)
		if err == nil {
			// base64 has bits to spare at its end: the same signature, written otherwise
			if head := strings.LastIndex(good, "."); !strings.HasPrefix(token, good[:head]) || s.Name != "corp::anna" {
				t.Fatalf("%q is taken for %+v", token, s)
			}
			return
		}
		refused(t, err, token, "")
	})
}
