package access_test

import (
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		reason, issuer, name, want string
	}{
		{"an address", "corp", "ann@example.com", "corp:ann@example.com"},
		{"the same one of another issuer is another subject", "partner", "ann@example.com", "partner:ann@example.com"},
		{"a job", "github", "repo:org/infra:ref:refs/heads/main", "github:repo:org/infra:ref:refs/heads/main"},
		{"a name that ends as a mark is not marked", "corp", "ann (unverified)", "corp:ann%20%28unverified%29"},
		{"nor does one become a job", "corp", "ann [ci]", "corp:ann%20%5Bci%5D"},
		{"what is escaped is not what was written so", "corp", "ann%20", "corp:ann%2520"},
		{"what moves a cursor is written out", "corp", "ann\x1b[2J\u202e", "corp:ann%1B%5B2J%E2%80%AE"},
		{"other letters stay", "corp", "änne", "corp:änne"},
	} {
		s, err := access.NewSubject(access.Person, c.issuer, c.name, nil)
		if err != nil || s.Name != c.want {
			t.Errorf("%s: %q, %v; want %q", c.reason, s.Name, err, c.want)
		}
	}
	for reason, c := range map[string]struct {
		kind         access.Kind
		issuer, name string
	}{
		"no name":                      {access.Person, "corp", ""},
		"no issuer":                    {access.Person, "", "ann"},
		"an issuer that is two":        {access.Person, "corp:partner", "ann"},
		"a name that no column can be": {access.Person, "corp", strings.Repeat("a", 300)},
		"no kind":                      {"", "corp", "ann"},
		"another kind":                 {"root", "corp", "ann"},
	} {
		if s, err := access.NewSubject(c.kind, c.issuer, c.name, nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %q, %v", reason, s.Name, err)
		}
	}
}

func TestWho(t *testing.T) {
	for kind, want := range map[access.Kind]calendar.Invoker{
		access.Person: calendar.Person, access.Job: calendar.CI, access.Service: calendar.CI, access.Machine: calendar.CI,
	} {
		s := subject(t, kind, "corp", "sluice", nil)
		if got := identity.Invoker(s.Who()); got != want || !identity.Verified(s.Who()) {
			t.Errorf("a %s acts as %s, which counts as %s", kind, s.Who(), got)
		}
		s.Verified = false
		if identity.Verified(s.Who()) {
			t.Errorf("a %s that nobody vouches for acts as %s", kind, s.Who())
		}
	}
}

func TestClaimsAreBounded(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 8) + "1" + strings.Repeat("}", 8)
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"a mapping":          {`{"a": [1, 2.5, "x", true, null, {"b": {}}]}`, true},
		"nothing":            {``, false},
		"null":               {`null`, false},
		"a list":             {`[]`, false},
		"two":                {`{} {}`, false},
		"half":               {`{"a"`, false},
		"deep":               {deep, false},
		"long":               {`{"a": "` + strings.Repeat("x", access.MaxClaims) + `"}`, false},
		"many":               {`{"a": [` + strings.Repeat("1,", 1500) + `1]}`, false},
		"a number too large": {`{"a": 1e999}`, false},
	} {
		claims, err := access.ReadClaims([]byte(c.text))
		if (err == nil) != c.good || err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v, %v", name, claims, err)
		}
	}
	claims, err := access.ReadClaims([]byte(`{"id": 9007199254740993}`))
	if err != nil || claims["id"] != int64(9007199254740993) {
		t.Errorf("a large id is %v (%T), %v", claims["id"], claims["id"], err)
	}
}

// FuzzClaims: whatever an issuer signs is within bounds or refused, and can be asked about without an end.
func FuzzClaims(f *testing.F) {
	f.Add(`{"groups": ["sre"], "n": 1, "x": {"y": [null, 1.5]}}`)
	f.Add(`{"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}`)
	f.Add(`{"": 1e400}`)
	g := compile(f, binding("b", `"sre" in claims.groups && claims.n > 0`, roles(pipelines.RoleAdmin)))
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := access.ReadClaims([]byte(text))
		if err != nil {
			return
		}
		if err := access.CheckClaims(claims); err != nil {
			t.Fatalf("what was read does not pass: %v", err)
		}
		d := g.May(subject(t, access.Person, "corp", "ann", claims), pipelines.RightBind, access.Object{})
		if want := contains(claims["groups"], "sre") && positive(claims["n"]); d.Allowed != want {
			t.Errorf("%s: bound is %v, want %v", text, d.Allowed, want)
		}
	})
}

// contains is what "in" means: an element of a list, or a key of a mapping.
func contains(value any, name string) bool {
	switch v := value.(type) {
	case []any:
		return slices.Contains(v, any(name))
	case map[string]any:
		_, ok := v[name]
		return ok
	}
	return false
}

func positive(value any) bool {
	switch v := value.(type) {
	case int64:
		return v > 0
	case float64:
		return v > 0
	}
	return false
}

// FuzzSubjects: no rule panics, ends by itself, or means a subject after an error.
func FuzzSubjects(f *testing.F) {
	for _, text := range []string{
		ann, `claims.a == "b"`, `claims.groups.all(a, claims.groups.all(b, a == b))`, `kind in ["job"]`, `claims["x"].matches("(a+)+$")`, `1/0 == 1`,
		`lists.range(1000).map(x, lists.range(1000).map(y, x*y)).size() > 0`,
	} {
		f.Add(text)
	}
	s := subject(f, access.Person, "corp", "ann", map[string]any{"a": "b", "groups": []any{"x", "y"}, "x": strings.Repeat("a", 2000)})
	nobody := s
	nobody.Verified = false
	f.Fuzz(func(t *testing.T, text string) {
		g, err := access.Compile([]*pipelines.Binding{binding("b", text, roles(pipelines.RoleViewer))})
		if d := g.May(s, pipelines.RightView, access.Object{}); d.Allowed && err != nil {
			t.Errorf("%q does not compile, and binds", text)
		}
		if d := g.May(nobody, pipelines.RightView, access.Object{}); d.Allowed {
			t.Errorf("%q binds nobody", text)
		}
	})
}
