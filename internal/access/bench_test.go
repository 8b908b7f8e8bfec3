package access_test

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/pipelines"
)

// BenchmarkMay asks 1,000 bindings about a job, as each request does, of which the last gives it. A request may wait 10 ms for that.
func BenchmarkMay(b *testing.B) {
	var all []*pipelines.Binding
	for i := range access.MaxBindings {
		all = append(all, binding(fmt.Sprintf("b%04d", i), fmt.Sprintf(
			`issuer == "github" && claims.repository_id == "%d" && claims.ref == "refs/heads/main"`, i), roles(pipelines.RoleOperator)))
	}
	g := compile(b, all...)
	s := subject(b, access.Job, "github", "repo:org/infra", map[string]any{
		"repository_id": fmt.Sprint(access.MaxBindings - 1), "ref": "refs/heads/main", "event_name": "push",
	})
	o := access.Object{Component: "agent", Environments: []string{"e2e", "production"}}
	b.ReportAllocs()
	for b.Loop() {
		if d := g.May(s, pipelines.RightOperate, o); !d.Allowed {
			b.Fatal(d.Why())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/10, "ratio/limit")
}

// BenchmarkPlaces asks about a run through 500 groups in 4 namespaces, by two bindings that share them.
func BenchmarkPlaces(b *testing.B) {
	var o access.Object
	for i := range 500 {
		o.GroupLabels = append(o.GroupLabels, map[string]string{"environment": "production", "name": fmt.Sprint("g", i), "tier": fmt.Sprint(i % 2)})
	}
	o.Namespaces = []string{"a", "b", "c", "d"}
	half := func(tier string) func(*pipelines.BindingSpec) {
		return scope(pipelines.BindingScope{ClusterGroups: &pipelines.Selector{MatchLabels: map[string]string{"tier": tier}}})
	}
	g := compile(b, binding("even", ann, roles(pipelines.RoleOperator), half("0")), binding("odd", ann, roles(pipelines.RoleOperator), half("1")))
	s := subject(b, access.Person, "corp", "ann@example.com", nil)
	for b.Loop() {
		if d := g.May(s, pipelines.RightOperate, o); !d.Allowed {
			b.Fatal(d.Why())
		}
	}
}
