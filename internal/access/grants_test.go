package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// binding is one of everything, for whoever the rule means.
func binding(name, subjects string, change ...func(*pipelines.BindingSpec)) *pipelines.Binding {
	b := &pipelines.Binding{
		Metadata: pipelines.Metadata{Name: name},
		Spec:     pipelines.BindingSpec{Subjects: subjects, Scope: pipelines.BindingScope{All: true}},
	}
	for _, c := range change {
		c(&b.Spec)
	}
	return b
}

func roles(all ...pipelines.BindingRole) func(*pipelines.BindingSpec) {
	return func(s *pipelines.BindingSpec) { s.Roles = all }
}

func rights(all ...pipelines.Right) func(*pipelines.BindingSpec) {
	return func(s *pipelines.BindingSpec) { s.Rights = all }
}

func scope(of pipelines.BindingScope) func(*pipelines.BindingSpec) {
	return func(s *pipelines.BindingSpec) { s.Scope = of }
}

func compile(t testing.TB, bindings ...*pipelines.Binding) *access.Grants {
	t.Helper()
	g, err := access.Compile(bindings)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func subject(t testing.TB, kind access.Kind, issuer, name string, claims map[string]any) access.Subject {
	t.Helper()
	s, err := access.NewSubject(kind, issuer, name, claims)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const ann = `subject == "corp:ann@example.com"`

func TestRolesGiveRights(t *testing.T) {
	all := pipelines.Rights()
	want := map[pipelines.BindingRole][]pipelines.Right{
		pipelines.RoleViewer:   {pipelines.RightView},
		pipelines.RolePlanner:  {pipelines.RightView, pipelines.RightPlan},
		pipelines.RoleOperator: {pipelines.RightView, pipelines.RightPlan, pipelines.RightOperate},
		pipelines.RoleApprover: {pipelines.RightView, pipelines.RightApprove},
		pipelines.RoleAdmin:    {pipelines.RightView, pipelines.RightRegister, pipelines.RightBind, pipelines.RightEnforce},
	}
	if len(want) != len(pipelines.BindingRoles()) {
		t.Fatalf("the table has %d roles, the language %d", len(want), len(pipelines.BindingRoles()))
	}
	s := subject(t, access.Person, "corp", "ann@example.com", nil)
	for role, may := range want {
		held := compile(t, binding("b", ann, roles(role))).For(s)
		for _, right := range all {
			if got := held.May(right, access.Object{}).Allowed; got != slices.Contains(may, right) {
				t.Errorf("%s may %s: %v", role, right, got)
			}
		}
	}
	for _, right := range all {
		held := compile(t, binding("b", ann, rights(right))).For(s)
		for _, other := range all {
			if got := held.May(other, access.Object{}).Allowed; got != (right == other) {
				t.Errorf("a binding of %s alone: may %s is %v", right, other, got)
			}
		}
	}
}

func TestWhomABindingBinds(t *testing.T) {
	job := subject(t, access.Job, "github", "repo:org/infra:ref:refs/heads/main", map[string]any{
		"repository_id": "1234", "ref": "refs/heads/main", "groups": []any{"sre"}, "run": int64(9007199254740993), "mail": nil,
	})
	unproven := job
	unproven.Verified = false
	endless := job
	endless.Claims = map[string]any{"a": strings.Repeat("x", access.MaxClaims+1)}
	for name, c := range map[string]struct {
		subjects string
		subject  access.Subject
		want     bool
		reason   string
	}{
		"claims":                                {`issuer == "github" && claims.repository_id == "1234"`, job, true, "that is what claims are for"},
		"another value":                         {`claims.repository_id == "12345"`, job, false, "it is another repository"},
		"another kind of value":                 {`claims.repository_id == 1234`, job, false, "a text is no number"},
		"a claim that is not there":             {`claims.environment == "production"`, job, false, "it is an error, and nobody is bound by one"},
		"not, of a claim that is not there":     {`claims.environment != "forks"`, job, false, "what is not said is not something else"},
		"negation of one that is not there":     {`!(claims.environment == "forks")`, job, false, "an error stays one"},
		"or, beside one that is not there":      {`claims.environment == "production" || kind == "job"`, job, true, "the other side says so"},
		"and, beside one that is not there":     {`claims.environment == "production" && kind == "job"`, job, false, "both have to hold"},
		"an element":                            {`"sre" in claims.groups`, job, true, "a list is one"},
		"an element of a text":                  {`"sre" in claims.repository_id`, job, false, "a text is no list, which is an error"},
		"a large number":                        {`claims.run == 9007199254740993`, job, true, "ids are whole"},
		"a large number beside it":              {`claims.run == 9007199254740992`, job, false, "one that a float would take for it is another"},
		"null":                                  {`claims.mail == ""`, job, false, "null is no text"},
		"the name of another issuer":            {`subject == "gitlab:repo:org/infra:ref:refs/heads/main"`, job, false, "names are unique over issuers"},
		"a subject that nobody vouches for":     {`kind == "job"`, unproven, false, "what somebody says of himself binds nothing"},
		"a subject beyond the bounds":           {`kind == "job"`, endless, false, "nobody looks through that at every request"},
		"a subject with claims of another kind": {`kind == "job"`, access.Subject{Name: "a:b", Kind: access.Job, Issuer: "a", Verified: true, Claims: map[string]any{"a": struct{}{}}}, false, "JSON has no such value"},
	} {
		t.Run(name, func(t *testing.T) {
			d := compile(t, binding("b", c.subjects, roles(pipelines.RoleViewer))).May(c.subject, pipelines.RightView, access.Object{})
			if d.Allowed != c.want {
				t.Errorf("%s: %s: %s", c.subjects, d.Why(), c.reason)
			}
		})
	}
}

func TestACostlyRuleBindsNobody(t *testing.T) {
	many := make([]any, 500)
	for i := range many {
		many[i] = "group"
	}
	s := subject(t, access.Person, "corp", "ann", map[string]any{"groups": many})
	costly := `claims.groups.all(a, claims.groups.all(b, a == b))`
	if d := compile(t, binding("b", costly, roles(pipelines.RoleViewer))).May(s, pipelines.RightView, access.Object{}); d.Allowed {
		t.Error("a rule of 250,000 steps was told")
	}
	if d := compile(t, binding("b", `claims.groups.all(a, a == "group")`, roles(pipelines.RoleViewer))).May(s, pipelines.RightView, access.Object{}); !d.Allowed {
		t.Errorf("one of 500 steps was not: %s", d.Why())
	}
}

func TestScopes(t *testing.T) {
	group := func(name, environment, tier string) map[string]string {
		return map[string]string{"name": name, "environment": environment, "tier": tier}
	}
	gold := &pipelines.Selector{MatchLabels: map[string]string{"tier": "gold"}}
	notGold := &pipelines.Selector{MatchExpressions: []pipelines.SelectorRequirement{{Key: "tier", Operator: pipelines.OpNotIn, Values: []string{"gold"}}}}
	type scopes = []pipelines.BindingScope
	envs := func(names ...string) pipelines.BindingScope { return pipelines.BindingScope{Environments: names} }
	for name, c := range map[string]struct {
		scopes scopes // a binding each
		object access.Object
		want   bool
		reason string
	}{
		"everything":                     {scopes{{All: true}}, access.Object{Component: "agent", Environments: []string{"production"}}, true, ""},
		"nothing":                        {scopes{{}}, access.Object{}, false, "an empty scope reaches nothing, however it came to be kept"},
		"a component":                    {scopes{{Components: []string{"agent"}}}, access.Object{Component: "agent", Environments: []string{"e2e"}}, true, ""},
		"another component":              {scopes{{Components: []string{"agent"}}}, access.Object{Component: "agent-2"}, false, "a name is all of a name"},
		"a star":                         {scopes{{Components: []string{"edge-*"}}}, access.Object{Component: "edge-proxy"}, true, ""},
		"a star that does not fit":       {scopes{{Components: []string{"edge-*"}}}, access.Object{Component: "my-edge-proxy"}, false, ""},
		"no component":                   {scopes{{Components: []string{"*"}}}, access.Object{}, false, "what is about no component is about all of them"},
		"no environment":                 {scopes{envs("e2e")}, access.Object{Component: "agent"}, false, "who forgets to say where must not pass"},
		"an environment":                 {scopes{envs("e2e")}, access.Object{Environments: []string{"e2e"}}, true, ""},
		"one of two":                     {scopes{envs("e2e")}, access.Object{Environments: []string{"e2e", "production"}}, false, "each needs a grant"},
		"two of two":                     {scopes{envs("e2e", "production")}, access.Object{Environments: []string{"e2e", "production"}}, true, ""},
		"two of two, by two bindings":    {scopes{envs("e2e"), envs("production")}, access.Object{Environments: []string{"e2e", "production"}}, true, "they may come from different ones"},
		"one of two groups":              {scopes{{ClusterGroups: gold}}, access.Object{GroupLabels: []map[string]string{group("a", "e2e", "gold"), group("b", "e2e", "tin")}}, false, "each needs a grant"},
		"no groups":                      {scopes{{ClusterGroups: gold}}, access.Object{Environments: []string{"e2e"}}, false, "who forgets to say which must not pass"},
		"no groups, and one that is not": {scopes{{ClusterGroups: notGold}}, access.Object{Environments: []string{"e2e"}}, false, "nothing is known that is not gold"},
		"a group of its environment": {
			scopes{{Environments: []string{"e2e"}, ClusterGroups: notGold}, {Environments: []string{"production"}, ClusterGroups: gold}},
			access.Object{Environments: []string{"e2e", "production"}, GroupLabels: []map[string]string{group("a", "e2e", "tin"), group("b", "production", "gold")}},
			true, "no group stands in two environments",
		},
		"a group of another environment": {
			scopes{{Environments: []string{"e2e"}, ClusterGroups: gold}, {Environments: []string{"production"}, ClusterGroups: notGold}},
			access.Object{Environments: []string{"e2e", "production"}, GroupLabels: []map[string]string{group("a", "e2e", "tin"), group("b", "production", "gold")}},
			false, "gold in e2e and tin in production do not add up to gold in production",
		},
		"an environment that only a group names": {
			scopes{envs("e2e")}, access.Object{Environments: []string{"e2e"}, GroupLabels: []map[string]string{group("a", "production", "gold")}},
			false, "the group is touched, so its environment is",
		},
		"an environment without a group": {
			scopes{{ClusterGroups: gold}}, access.Object{Environments: []string{"e2e", "production"}, GroupLabels: []map[string]string{group("a", "e2e", "gold")}},
			false, "of production nobody said which groups",
		},
		"a group that says no environment": {
			scopes{{Environments: []string{"e2e"}, ClusterGroups: gold}}, access.Object{GroupLabels: []map[string]string{{"tier": "gold"}}},
			false, "it may stand anywhere",
		},
		"a group by name":       {scopes{{ClusterGroups: &pipelines.Selector{Names: []string{"a"}}}}, access.Object{GroupLabels: []map[string]string{group("a", "e2e", "gold")}}, true, ""},
		"a namespace":           {scopes{{Namespaces: []string{"team-*"}}}, access.Object{Namespaces: []string{"team-a", "team-b"}}, true, ""},
		"one of two namespaces": {scopes{{Namespaces: []string{"team-*"}}}, access.Object{Namespaces: []string{"team-a", "kube-system"}}, false, ""},
		"no namespace":          {scopes{{Namespaces: []string{"*"}}}, access.Object{Component: "agent"}, false, "it may be any"},
		"any namespace":         {scopes{{Namespaces: []string{"team-*"}}}, access.Object{AnyNamespace: true}, true, "it is known later which"},
		"any namespace, of a component": {
			scopes{{Components: []string{"agent"}, Namespaces: []string{"team-*"}}}, access.Object{Component: "other", AnyNamespace: true}, false,
			"the rest of the scope counts all the same",
		},
		"any namespace, of two environments": {
			scopes{{Environments: []string{"e2e"}, Namespaces: []string{"team-*"}}},
			access.Object{Environments: []string{"e2e", "production"}, AnyNamespace: true}, false, "each needs a grant",
		},
		"all that is set": {scopes{{Components: []string{"agent"}, Environments: []string{"e2e"}}}, access.Object{Component: "other", Environments: []string{"e2e"}}, false, "a scope is what its parts have in common"},
		"halves of two scopes": {
			scopes{{Components: []string{"agent"}, Environments: []string{"e2e"}}, {Components: []string{"other"}, Environments: []string{"production"}}},
			access.Object{Component: "agent", Environments: []string{"production"}}, false, "no binding gives both",
		},
		"too many places": {
			scopes{{All: true}}, access.Object{Environments: slices.Repeat([]string{"e"}, 300), Namespaces: slices.Repeat([]string{"n"}, 300)},
			false, "nobody looks through that",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*pipelines.Binding
			for i, s := range c.scopes {
				all = append(all, binding(fmt.Sprint("b", i), ann, roles(pipelines.RoleOperator), scope(s)))
			}
			d := compile(t, all...).May(subject(t, access.Person, "corp", "ann@example.com", nil), pipelines.RightOperate, c.object)
			if d.Allowed != c.want {
				t.Errorf("%s: %s", d.Why(), c.reason)
			}
		})
	}
}

func TestADenialTellsNothing(t *testing.T) {
	g := compile(t,
		binding("staging", ann, roles(pipelines.RoleOperator), scope(pipelines.BindingScope{Environments: []string{"staging"}})),
		binding("secret", `subject == "corp:bob"`, roles(pipelines.RoleAdmin)))
	s := subject(t, access.Person, "corp", "ann@example.com", nil)
	for _, c := range []struct {
		reason string
		right  pipelines.Right
		object access.Object
		why    string
	}{
		{"a right that she has elsewhere", pipelines.RightOperate, access.Object{Component: "agent", Environments: []string{"production"}},
			"operate is denied: no binding that gives it reaches component agent, environment production"},
		{"a right that she has nowhere", pipelines.RightBind, access.Object{}, "bind is denied: no binding gives it"},
		{"everything", pipelines.RightView, access.Object{}, "view is denied: no binding that gives it reaches everything"},
	} {
		d := g.May(s, c.right, c.object)
		if d.Allowed || d.Why() != c.why {
			t.Errorf("%s: %q, want %q", c.reason, d.Why(), c.why)
		}
		if err := d.Err(); fault.CodeOf(err) != fault.Refused || err.Error() != access.Denied {
			t.Errorf("%s: she hears %v", c.reason, err)
		}
	}
	d := g.May(s, pipelines.RightPlan, access.Object{Environments: []string{"staging"}})
	if err := d.Err(); err != nil || d.Why() != "plan is allowed by staging" {
		t.Errorf("%v, %s", err, d.Why())
	}
}

func TestExplain(t *testing.T) {
	g := compile(t,
		binding("staging", ann, roles(pipelines.RoleOperator), scope(pipelines.BindingScope{Environments: []string{"staging"}, Components: []string{"a*"}})),
		binding("everywhere", ann, rights(pipelines.RightView)),
		binding("bobs", `subject == "corp:bob"`, roles(pipelines.RoleAdmin)))
	s := subject(t, access.Person, "corp", "ann@example.com", nil)
	bound := []access.Bound{
		{Binding: "everywhere", Rights: []pipelines.Right{pipelines.RightView}, Scope: "everything"},
		{Binding: "staging", Rights: []pipelines.Right{pipelines.RightView, pipelines.RightPlan, pipelines.RightOperate}, Scope: "components a*; environments staging"},
	}
	unproven := s
	unproven.Verified = false
	for _, c := range []struct {
		reason  string
		subject access.Subject
		right   pipelines.Right
		object  access.Object
		want    access.Explanation
	}{
		{"what she may is by which bindings", s, pipelines.RightView, access.Object{}, access.Explanation{Allowed: true, By: []string{"everywhere"}, Bound: bound}},
		{"what she may elsewhere", s, pipelines.RightOperate, access.Object{Component: "agent", Environments: []string{"production"}},
			access.Explanation{Short: "no binding that binds you gives it for all of this", Bound: bound}},
		{"what she may nowhere", s, pipelines.RightBind, access.Object{}, access.Explanation{Short: "no binding that binds you gives it", Bound: bound}},
		{"who is bound by nothing", subject(t, access.Person, "corp", "eve", nil), pipelines.RightView, access.Object{}, access.Explanation{Short: "no binding binds you"}},
		{"who is nobody", unproven, pipelines.RightView, access.Object{}, access.Explanation{Short: "it is not known for sure who you are"}},
	} {
		c.want.Subject, c.want.Right = c.subject.Name, c.right
		if diff := cmp.Diff(c.want, g.Explain(c.subject, c.right, c.object)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestSees(t *testing.T) {
	held := compile(t,
		binding("edge", ann, roles(pipelines.RoleViewer), scope(pipelines.BindingScope{Components: []string{"edge-*"}, Environments: []string{"staging"}})),
		binding("plans", ann, rights(pipelines.RightPlan)),
	).For(subject(t, access.Person, "corp", "ann@example.com", nil))
	for component, want := range map[string]bool{"edge-proxy": true, "agent": false, "": false} {
		if got := held.Sees(pipelines.RightView, component); got != want {
			t.Errorf("she sees %q: %v", component, got)
		}
	}
}

func TestABrokenBindingTakesNothingFromOthers(t *testing.T) {
	g, err := access.Compile([]*pipelines.Binding{binding("a", "claims.", roles(pipelines.RoleAdmin)), binding("b", ann, roles(pipelines.RoleViewer))})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "Binding a binds nobody") || strings.Contains(err.Error(), "Binding b") {
		t.Errorf("it says %v", err)
	}
	s := subject(t, access.Person, "corp", "ann@example.com", nil)
	if d := g.May(s, pipelines.RightView, access.Object{}); !d.Allowed {
		t.Errorf("the other one: %s", d.Why())
	}
	if d := g.May(s, pipelines.RightBind, access.Object{}); d.Allowed {
		t.Errorf("the broken one: %s", d.Why())
	}
	many := slices.Repeat([]*pipelines.Binding{binding("m", ann, roles(pipelines.RoleViewer))}, access.MaxBindings)
	g, err = access.Compile(append(many, binding("z", ann, roles(pipelines.RoleAdmin))))
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("one too many: %v", err)
	}
	if held := g.For(s); !held.May(pipelines.RightView, access.Object{}).Allowed || held.May(pipelines.RightBind, access.Object{}).Allowed {
		t.Error("the first of too many stand, and those beyond do not")
	}
}

// drawn is a binding of some rights and some scope, for somebody.
func drawn(t *rapid.T, name string) *pipelines.Binding {
	b := binding(name, rapid.SampledFrom([]string{ann, `subject == "corp:bob"`, `subject != ""`, `claims.nothing == 1`}).Draw(t, "subjects"))
	b.Spec.Roles = rapid.SliceOfN(rapid.SampledFrom(pipelines.BindingRoles()), 0, 2).Draw(t, "roles")
	b.Spec.Rights = rapid.SliceOfN(rapid.SampledFrom(pipelines.Rights()), 0, 2).Draw(t, "rights")
	b.Spec.Scope = rapid.SampledFrom([]pipelines.BindingScope{
		{All: true}, {}, {Environments: []string{"e2e"}}, {Environments: []string{"production"}}, {Components: []string{"a*"}},
		{ClusterGroups: &pipelines.Selector{MatchLabels: map[string]string{"tier": "gold"}}}, {Namespaces: []string{"kube-*"}},
	}).Draw(t, "scope")
	return b
}

func drawnObject(t *rapid.T) access.Object {
	return access.Object{
		Component:    rapid.SampledFrom([]string{"", "agent", "proxy"}).Draw(t, "component"),
		Environments: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"e2e", "production"}), 0, 2, rapid.ID).Draw(t, "environments"),
		GroupLabels: rapid.SliceOfN(rapid.SampledFrom([]map[string]string{
			{"environment": "e2e", "tier": "gold"}, {"environment": "production"}, {"tier": "gold"},
		}), 0, 2).Draw(t, "groups"),
		Namespaces: rapid.SliceOfN(rapid.SampledFrom([]string{"kube-system", "team"}), 0, 2).Draw(t, "namespaces"),
	}
}

func TestGrantsOnlyAdd(t *testing.T) {
	s := subject(t, access.Person, "corp", "ann@example.com", nil)
	rapid.Check(t, func(r *rapid.T) {
		var all []*pipelines.Binding
		for i := range rapid.IntRange(0, 4).Draw(r, "bindings") {
			all = append(all, drawn(r, fmt.Sprint("b", i)))
		}
		right, object := rapid.SampledFrom(pipelines.Rights()).Draw(r, "right"), drawnObject(r)
		before := compile(t, all...).May(s, right, object)
		if len(all) == 0 && before.Allowed {
			r.Fatal("without a binding something is allowed")
		}
		if after := compile(t, append(slices.Clone(all), drawn(r, "one-more"))...).May(s, right, object); before.Allowed && !after.Allowed {
			r.Fatalf("one more binding takes it away: %s", after.Why())
		}
		shuffled := compile(t, rapid.Permutation(all).Draw(r, "order")...).May(s, right, object)
		if diff := cmp.Diff(before.Why(), shuffled.Why()); diff != "" {
			r.Fatalf("the order of bindings matters:\n%s", diff)
		}
		somewhere := object
		somewhere.AnyNamespace = true
		if before.Allowed && !compile(t, all...).May(s, right, somewhere).Allowed {
			r.Fatal("what is allowed in these namespaces is denied where any would do")
		}
		larger := object
		larger.Environments = append(slices.Clone(object.Environments), "staging")
		if len(object.Environments) > 0 && !before.Allowed && compile(t, all...).May(s, right, larger).Allowed {
			r.Fatal("what touches more is allowed, and what touches less is not")
		}
	})
}
