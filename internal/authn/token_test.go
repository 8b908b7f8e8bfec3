package authn_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/tokenstest"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func TestServiceTokens(t *testing.T) {
	c := &clock{}
	store := tokenstest.NewMemory()
	a := authenticator(t, authn.Config{}, store, c.now)
	made := func(name string) (ledger.Token, string) {
		t.Helper()
		token, text, err := authn.NewToken(name, "corp:ann", c.now(), c.now().Add(30*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := store.PutToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		return token, text
	}
	token, text := made("deployer")
	if !regexp.MustCompile(`^sluice_[a-z2-7]{16}_[a-z2-7]{52}$`).MatchString(text) {
		t.Errorf("the token is %s", text)
	}
	if _, secret, _ := strings.Cut(strings.TrimPrefix(text, "sluice_"), "_"); strings.Contains(string(token.Hash[:]), secret) {
		t.Error("its secret is kept")
	}
	s, err := a.Bearer(t.Context(), text)
	if err != nil || s.Name != "service:deployer" || s.Kind != access.Service || !s.Verified || s.Claims["token"] != token.ID {
		t.Fatalf("%+v, %v", s, err)
	}
	other, otherText := made("deployer")
	if s, err := a.Bearer(t.Context(), otherText); err != nil || s.Name != "service:deployer" || other.ID == token.ID {
		t.Errorf("two tokens have one name while one takes the place of the other: %+v, %v", s, err)
	}
	_, revoked := made("gone")
	if _, err := store.RevokeToken(t.Context(), strings.Split(revoked, "_")[1], "corp:bob", c.now()); err != nil {
		t.Fatal(err)
	}
	secret := func(of string) string { return of[strings.LastIndex(of, "_")+1:] }
	for name, tc := range map[string]struct{ token, reason string }{
		"nothing behind the prefix":   {"sluice_", "the form"},
		"no secret":                   {"sluice_" + token.ID, "the form"},
		"an empty secret":             {"sluice_" + token.ID + "_", "the form"},
		"a long secret":               {text + "a", "the form"},
		"an id of other letters":      {"sluice_" + strings.Repeat("'", 16) + "_" + secret(text), "the form"},
		"an unknown id":               {"sluice_" + strings.Repeat("a", 16) + "_" + secret(text), "there is no service token aaaaaaaaaaaaaaaa"},
		"a wrong secret":              {"sluice_" + token.ID + "_" + strings.Repeat("a", 52), "the secret of service token " + token.ID + " is another"},
		"the secret of another token": {"sluice_" + token.ID + "_" + secret(otherText), "is another"},
		"the hash as a secret":        {"sluice_" + token.ID + "_" + strings.ToLower(string(token.Hash[:])), ""},
		"a revoked one":               {revoked, "is revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := a.Bearer(t.Context(), tc.token)
			if err == nil {
				t.Fatalf("it is taken for %+v", s)
			}
			r := refused(t, err, "", tc.reason)
			if strings.Contains(r.Reason, secret(text)) || strings.Contains(r.Reason, secret(revoked)) {
				t.Errorf("the reason has a secret: %s", r.Reason)
			}
		})
	}
	c.advance(30*24*time.Hour - time.Second)
	if _, err := a.Bearer(t.Context(), text); err != nil {
		t.Errorf("a second before it expires: %v", err)
	}
	c.advance(time.Second)
	_, err = a.Bearer(t.Context(), text)
	refused(t, err, text, "has expired")
}

func TestWhenATokenWasUsedIsKeptCoarsely(t *testing.T) {
	c := &clock{}
	store := tokenstest.NewMemory()
	a := authenticator(t, authn.Config{}, store, c.now)
	token, text, err := authn.NewToken("deployer", "corp:ann", c.now(), c.now().Add(authn.MaxTokenLife))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := a.Bearer(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Minute)
	}
	if store.Uses() != 2 {
		t.Errorf("in 100 minutes it was written down %d times", store.Uses())
	}
}

func TestAStoreThatIsAwayIsNoRefusal(t *testing.T) {
	c := &clock{}
	store := tokenstest.NewMemory()
	store.Fail(fault.New(fault.Unreachable, "the ledger does not answer"))
	_, text, err := authn.NewToken("deployer", "corp:ann", c.now(), c.now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	_, err = authenticator(t, authn.Config{}, store, c.now).Bearer(t.Context(), text)
	var r *authn.Refusal
	if errors.As(err, &r) || fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("it says %v", err)
	}
}

func TestNewTokenIsBounded(t *testing.T) {
	for reason, tc := range map[string]struct {
		name, by string
		expires  time.Time
	}{
		"no name":                     {"", "ann", noon.Add(time.Hour)},
		"a name that is two":          {"a:b", "ann", noon.Add(time.Hour)},
		"made by nobody":              {"a", "", noon.Add(time.Hour)},
		"no expiry":                   {"a", "ann", time.Time{}},
		"an expiry that has been":     {"a", "ann", noon},
		"an expiry that is years off": {"a", "ann", noon.Add(authn.MaxTokenLife + time.Second)},
	} {
		if token, text, err := authn.NewToken(tc.name, tc.by, noon, tc.expires); fault.CodeOf(err) != fault.Invalid || text != "" || token.ID != "" {
			t.Errorf("%s: %+v, %v", reason, token, err)
		}
	}
}
