package plan_test

import (
	"bytes"
	"maps"
	"math/rand"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// whole is an input that uses everything a plan can hold.
func whole() plan.Input {
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("prod", "production", "shop"), group("shop", "production")}
	clusters := []*pipelines.Cluster{
		cluster("a", "e2e", 1), at("north", cluster("b", "prod", 1)), at("north", cluster("c", "prod", 2, "b")),
		at("north", cluster("d", "shop", 3)), at("north", cluster("e", "shop", 4)),
	}
	clusters[0].Metadata.Labels = map[string]string{"x": "1", "y": "2", "z": "<3>"}
	gate := func(name, cel string) pipelines.Check {
		return pipelines.Check{Name: name, Gate: &pipelines.Gate{CEL: cel, Position: pipelines.Position{File: "secret/place.yaml", Line: 4711}}}
	}
	production := stage("production", "production", groupBy("region"), concurrency(pipelines.Percent(33)))
	production.Soak = &pipelines.Soak{Group: new(pipelines.Duration(12 * time.Hour))}
	in := input(documents(groups, clusters), stage("e2e", "e2e"), production)
	in.Pipeline.Position = pipelines.Position{File: "secret/place.yaml", Line: 4711}
	in.Pipeline.Spec.Defaults.Checks = []pipelines.Check{gate("ready", "workload.updatedReady == batch.target")}
	in.Pipeline.Spec.Params = []pipelines.Param{
		{Name: "least", Type: pipelines.TypeDouble, Default: 0.99},
		{Name: "quiet", Type: pipelines.TypeDuration, Default: 10 * time.Minute},
		{Name: "tries", Type: pipelines.TypeInt, Default: int64(1) << 60},
	}
	in.Component.Dir = "/home/somebody/secret"
	in.Component.Spec.Config.Fleet = map[string]any{"a": int64(1), "b": map[string]any{"c": true}}
	in.WayBack = map[string]plan.WayBack{
		"a": {Version: "1.4.1", Target: "sha256:t", Objects: "sha256:o", Run: "node-agent-3"},
		"b": {Version: "1.4.1", Target: "sha256:t", Objects: "sha256:o", Run: "node-agent-3"},
	}
	in.Documents.Files = []string{"secret/place.yaml"}
	return in
}

func TestHashIsStable(t *testing.T) {
	want, err := plan.Encode(build(t, whole()))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range int64(50) {
		in := whole()
		in.Documents.Clusters = shuffled(in.Documents.Clusters, seed)
		in.Documents.ClusterGroups = shuffled(in.Documents.ClusterGroups, seed)
		in.WayBack = shuffled(in.WayBack, seed)
		in.Component.Spec.Config.Fleet = shuffled(in.Component.Spec.Config.Fleet, seed)
		in.Documents.Files = []string{"elsewhere.yaml"}
		in.Pipeline.Position.Line = int(seed)
		in.Pipeline.Spec.Defaults.Checks[0].Position.Line = int(seed)
		in.Component.Dir = "/elsewhere"
		slices.Reverse(in.Pipeline.Spec.Params)
		got, err := plan.Encode(build(t, in))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Fatalf("shuffled with seed %d (-want +got):\n%s", seed, cmp.Diff(string(want), string(got)))
		}
	}
}

func TestEveryInputHasOnePlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := anyInput(rt)
		one, oneErr := plan.Build(in)
		in.Documents.Clusters = shuffled(in.Documents.Clusters, 1)
		in.Documents.ClusterGroups = shuffled(in.Documents.ClusterGroups, 1)
		two, twoErr := plan.Build(in)
		if oneErr != nil || twoErr != nil {
			if oneErr == nil || twoErr == nil || oneErr.Error() != twoErr.Error() {
				rt.Fatalf("the same input is refused as %v and as %v", oneErr, twoErr)
			}
			return
		}
		if plan.Hash(one) != plan.Hash(two) {
			rt.Fatalf("the same input has two plans:\n%s", cmp.Diff(one, two))
		}
	})
}

func TestEveryPlanTakesEachClusterOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := anyInput(rt)
		p, err := plan.Build(in)
		if err != nil {
			rt.Skip("this input has no plan")
		}
		turn := map[string]int{}
		for _, s := range p.Stages {
			for _, g := range s.Groups {
				for _, u := range g.Units {
					if _, twice := turn[u.Cluster]; twice {
						rt.Fatalf("%s is taken twice", u.Cluster)
					}
					for _, name := range u.After {
						if _, before := turn[name]; !before {
							rt.Fatalf("%s goes after %s and stands before it", u.Cluster, name)
						}
					}
					turn[u.Cluster] = len(turn)
				}
			}
		}
		if len(turn) != len(in.Documents.Clusters) {
			rt.Fatalf("%d of %d clusters are planned, and the last stage takes all", len(turn), len(in.Documents.Clusters))
		}
	})
}

func TestHashCovers(t *testing.T) {
	before := plan.Hash(build(t, whole()))
	cases := map[string]func(*plan.Input){
		"a cluster":         func(in *plan.Input) { in.Documents.Clusters["f"] = cluster("f", "shop", 1) },
		"the order":         func(in *plan.Input) { in.Documents.Clusters["d"].Spec.UserGrade = 9 },
		"an order by name":  func(in *plan.Input) { in.Pipeline.Spec.Stages[1].Order = &pipelines.Order{By: "name"} },
		"a check":           func(in *plan.Input) { in.Pipeline.Spec.Defaults.Checks[0].Name = "other" },
		"a rule of a check": func(in *plan.Input) { in.Pipeline.Spec.Defaults.Checks[0].Gate.CEL = "true" },
		"a batch":           func(in *plan.Input) { in.Pipeline.Spec.Stages[0].Batches = []pipelines.Amount{pipelines.Percent(100)} },
		"a soak of first batches": func(in *plan.Input) {
			in.Pipeline.Spec.Stages[1].Soak.Batch = &pipelines.BatchSoak{First: new(pipelines.Duration(time.Hour))}
		},
		"a soak":                       func(in *plan.Input) { in.Pipeline.Spec.Stages[1].Soak.Group = new(pipelines.Duration(time.Hour)) },
		"a budget":                     func(in *plan.Input) { in.Pipeline.Spec.Stages[0].MaxFailures = new(pipelines.Count(1)) },
		"the values":                   func(in *plan.Input) { in.Values = func(pipelines.Place) (string, error) { return "sha256:v", nil } },
		"the template":                 func(in *plan.Input) { in.Template = "sha256:other" },
		"the config":                   func(in *plan.Input) { in.Component.Spec.Config.Fleet["a"] = int64(2) },
		"an image":                     func(in *plan.Input) { in.Component.Spec.Images["agent"] = pipelines.Image{Default: "x"} },
		"the version":                  func(in *plan.Input) { in.Component.Spec.Version = "1.4.3" },
		"the namespace":                func(in *plan.Input) { in.Component.Spec.Namespace = "other" },
		"a param":                      func(in *plan.Input) { in.Params = []pipelines.ParamValue{{Name: "least", Value: 0.5}} },
		"a way back":                   func(in *plan.Input) { in.WayBack["c"] = plan.WayBack{Objects: "sha256:o"} },
		"what is done about a failure": func(in *plan.Input) { in.Pipeline.Spec.OnFailure = pipelines.Rollback },
		"the drift policy":             func(in *plan.Input) { in.Component.Spec.Drift = pipelines.DriftKeep },
		"an exception":                 func(in *plan.Input) { in.Pipeline.Spec.Exceptions = []pipelines.Exception{{Rule: "x"}} },
		"an ignore rule":               func(in *plan.Input) { in.Component.Spec.Ignore = []pipelines.IgnoreRule{{Kind: "x"}} },
		"a narrowing":                  func(in *plan.Input) { in.Only.Clusters = []string{"a"} },
		"a context":                    func(in *plan.Input) { in.Documents.Clusters["a"].Spec.Context = "other" },
		"a site":                       func(in *plan.Input) { in.Documents.Clusters["a"].Spec.Site = "far" },
		"an after":                     func(in *plan.Input) { in.Documents.Clusters["e"].Spec.After = []string{"d"} },
		"a label":                      func(in *plan.Input) { in.Documents.Clusters["a"].Metadata.Labels["x"] = "2" },
	}
	seen := map[string]string{before: "nothing"}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		in := whole()
		cases[name](&in)
		after := plan.Hash(build(t, in))
		if other, taken := seen[after]; taken {
			t.Errorf("changing %s gives the hash of changing %s", name, other)
		}
		seen[after] = name
	}
}

func TestTargetIsWhatRuns(t *testing.T) {
	target := func(change func(*plan.Input)) string {
		in := whole()
		change(&in)
		u, _, _ := build(t, in).Unit("a")
		return u.Target
	}
	before := target(func(*plan.Input) {})
	same := map[string]func(*plan.Input){
		"the order of workloads": func(in *plan.Input) { in.Component.Spec.WorkloadOrder = []string{"DaemonSet/agent"} },
		"the way back":           func(in *plan.Input) { in.WayBack = nil },
		"another cluster":        func(in *plan.Input) { in.Documents.Clusters["f"] = cluster("f", "shop", 1) },
		"a check":                func(in *plan.Input) { in.Pipeline.Spec.Defaults.Checks = nil },
	}
	for name, change := range same {
		if target(change) != before {
			t.Errorf("changing %s changes the target, and what runs is the same", name)
		}
	}
	other := map[string]func(*plan.Input){
		"the values":    func(in *plan.Input) { in.Values = func(pipelines.Place) (string, error) { return "sha256:v", nil } },
		"the template":  func(in *plan.Input) { in.Template = "sha256:other" },
		"the version":   func(in *plan.Input) { in.Component.Spec.Version = "1.4.3" },
		"the namespace": func(in *plan.Input) { in.Component.Spec.Namespace = "other" },
		"the region":    func(in *plan.Input) { in.Documents.Clusters["a"].Spec.Region = "other" },
		"hooks":         func(in *plan.Input) { in.Component.Spec.Hooks = pipelines.SkipHooks },
		"the kind":      func(in *plan.Input) { in.Component.Spec.Template = pipelines.Template{Manifests: "x"} },
	}
	for name, change := range other {
		if target(change) == before {
			t.Errorf("changing %s leaves the target, and something else runs", name)
		}
	}
}

func TestPlanHasNoProvenance(t *testing.T) {
	body, err := plan.Encode(build(t, whole()))
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"secret", "4711", "place.yaml"} {
		if bytes.Contains(body, []byte(trace)) {
			t.Errorf("a plan must not depend on where its files lie, and has %q", trace)
		}
	}
	if escaped := regexp.MustCompile(`\\u00(3c|3e|26)`).Find(body); escaped != nil {
		t.Errorf("the canonical form escapes for HTML: %s", escaped)
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	p := build(t, whole())
	body, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := plan.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if plan.Hash(got) != plan.Hash(p) {
		t.Error("the hash changes on the way through the store")
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := map[string]struct{ reason, body string }{
		"a field that it does not know": {"the hash would not cover it", `{"format":1,"surprise":true}`},
		"another format":                {"a newer Sluice wrote it", `{"format":2}`},
		"what is no plan":               {"the store may hold anything", `[]`},
		"bytes after the plan":          {"one digest, one plan", `{"format":1} {}`},
	}
	for name, tc := range cases {
		if _, err := plan.Decode([]byte(tc.body)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %s: got %v, want it refused as invalid", name, tc.reason, err)
		}
	}
}

// shuffled makes a map anew, its keys put in another order.
func shuffled[V any](m map[string]V, seed int64) map[string]V {
	keys := slices.Sorted(maps.Keys(m))
	rand.New(rand.NewSource(seed)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	result := map[string]V{}
	for _, k := range keys {
		result[k] = m[k]
	}
	return result
}
