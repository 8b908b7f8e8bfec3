package identity_test

import (
	"testing"

	"sluice.dev/sluice/internal/identity"
)

func TestUnverified(t *testing.T) {
	for name, c := range map[string]struct{ want, reason string }{
		"ann@example.org":              {"ann@example.org (unverified)", "a name that git says is nobody's proof"},
		"ann@example.org (unverified)": {"ann@example.org (unverified)", "it is marked once, however many doors it goes through"},
		"sluice":                       {"sluice (unverified)", "whoever calls himself so is not what acts by itself"},
		"":                             {"", "no name is refused as such elsewhere"},
	} {
		if got := identity.Unverified(name); got != c.want {
			t.Errorf("%q became %q, not %q: %s", name, got, c.want, c.reason)
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		want   bool
		reason string
	}{
		{"ann", "ann (unverified)", true, "the mark is no part of the person"},
		{"Ann@Example.org", "ann@example.org", true, "an address in capitals is the same mailbox"},
		{" ann ", "ann", true, "nor is the space around a name"},
		{"ann", "bob", false, "two names are two people, as far as one can tell"},
		{"ann", "anna", false, "one that begins alike is another"},
	} {
		if got := identity.Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%q, %q) = %v: %s", c.a, c.b, got, c.reason)
		}
	}
}
