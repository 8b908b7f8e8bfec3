package identity_test

import (
	"testing"

	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/pipelines/calendar"
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
		{"ann [ci] (unverified)", "ann", true, "who has a build system start a run is still the one who started it"},
		{"ann", "anna", false, "one that begins alike is another"},
	} {
		if got := identity.Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%q, %q) = %v: %s", c.a, c.b, got, c.reason)
		}
	}
}

func TestMaybeSame(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		want   bool
		reason string
	}{
		{"corp:ann@example.org", "corp:ann@example.org", true, "one name is one person's"},
		{"corp:ann@example.org", "partner:Ann@example.org", true, "two issuers vouch for one mailbox"},
		{"corp:ann@example.org", "ann@example.org (unverified)", true, "git says so, and an issuer too"},
		{"corp:ann@example.org", "corp:bob@example.org", false, "two mailboxes are two people's, as far as one can tell"},
		{"corp::17", "partner::17", false, "what an issuer counts its people by means nothing to another"},
		{"corp:ann", "partner:ann", false, "a name without a domain is two people's as soon as there are two issuers"},
		{"github:repo:acme/x@main [ci]", "gitlab:repo:acme/x@main [ci]", false, "what names a job is no mailbox"},
		{"corp:@", "partner:@", false, "nor is this"},
		{"", "", true, "nobody is nobody"},
	} {
		if got := identity.MaybeSame(c.a, c.b); got != c.want || identity.MaybeSame(c.b, c.a) != got {
			t.Errorf("MaybeSame(%q, %q) = %v: %s", c.a, c.b, got, c.reason)
		}
	}
}

func TestInvoker(t *testing.T) {
	for name, c := range map[string]struct {
		want   calendar.Invoker
		reason string
	}{
		identity.Unverified("ann"):                {calendar.Person, "a name is a person's"},
		identity.Unverified(identity.OfCI("ann")): {calendar.CI, "a job of a build system says so"},
		identity.OfCI(identity.OfCI("ann")):       {calendar.CI, "however often"},
		"sluice":                                  {calendar.Automatic, "what acts by itself has this name"},
		identity.Unverified("sluice"):             {calendar.Person, "whoever calls himself so is not what acts by itself"},
		"":                                        {calendar.Automatic, "nobody is trusted least"},
		identity.OfCI(""):                         {calendar.Automatic, "no name becomes none by a mark"},
	} {
		if got := identity.Invoker(name); got != c.want {
			t.Errorf("%q is %s, not %s: %s", name, got, c.want, c.reason)
		}
	}
}
