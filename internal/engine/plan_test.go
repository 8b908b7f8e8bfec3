package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// wants fails the test unless an error has a code and says all of some words.
func wants(t *testing.T, err error, code fault.Code, words ...string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("code %q, want %q: %v", fault.CodeOf(err), code, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error does not say %q: %v", w, err)
		}
	}
}

func TestPlanIsStoredLookedAtAndAudited(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	if err := p.Refused(); err != nil {
		t.Fatal(err)
	}
	if len(b.temporal.started) != 1 || !strings.HasPrefix(b.temporal.started[0].ID, "preview/"+p.Hash[:12]+"/") {
		t.Fatalf("started %v, want one preview of the plan", b.temporal.started)
	}
	in := b.temporal.inputs[0].(api.PreviewInput)
	if len(in.Clusters) != 2 || in.Clusters[0] != (api.PreviewUnit{Cluster: "c1", Context: "c1"}) {
		t.Errorf("looked at %v, want both clusters in plan order", in.Clusters)
	}
	again, err := b.LoadPlan(t.Context(), p.Hash[:8])
	if err != nil {
		t.Fatal(err)
	}
	if plan.Hash(again.Plan) != p.Hash || len(again.Live.Clusters) != 2 {
		t.Errorf("loaded another plan than was made: %+v", again)
	}
	if o := again.Stored.Origin; o.Commit != "abc" || !o.Dirty {
		t.Errorf("origin is %+v, want that of the files", o)
	}
	entries, err := b.Audit(t.Context(), p.Hash, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Who != "ann (unverified)" || entries[0].Outcome != "accepted" {
		t.Errorf("audit has %+v, want that ann planned", entries)
	}
}

func TestPlanRefused(t *testing.T) {
	broken := plan.ClusterDiff{Refusals: []api.Refusal{{Rule: "render", Message: "chart.yaml:3: no such value"}}}
	forbidden := plan.ClusterDiff{Refusals: []api.Refusal{{Rule: "selector", Object: "DaemonSet/a/agent", Message: "cannot change"}}}
	for name, c := range map[string]struct {
		reason   string
		clusters map[string]plan.ClusterDiff
		code     fault.Code
		words    []string
	}{
		"a chart fails to render for some clusters": {
			reason:   "wrong input names every cluster that it is wrong for",
			clusters: map[string]plan.ClusterDiff{"c1": broken, "c2": broken},
			code:     fault.Invalid, words: []string{"c1, c2: render: chart.yaml:3: no such value"},
		},
		"a context is missing": {
			reason:   "the kubeconfig is input too",
			clusters: map[string]plan.ClusterDiff{"c2": {Refusals: []api.Refusal{{Rule: "context", Message: "not in the kubeconfig"}}}},
			code:     fault.Invalid, words: []string{"c2: context"},
		},
		"a rule forbids the change": {
			reason: "a rule is a refusal", clusters: map[string]plan.ClusterDiff{"c1": forbidden},
			code: fault.Refused, words: []string{"c1: selector: DaemonSet/a/agent: cannot change"},
		},
		"a cluster is out of reach": {
			reason: "it is diffed at its turn", clusters: map[string]plan.ClusterDiff{"c1": {Unreachable: "no route"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.clusters = c.clusters
			p := b.plan()
			wants(t, p.Refused(), c.code, c.words...)
			_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
			if fault.CodeOf(err) != c.code {
				t.Errorf("run says %v: %s", err, c.reason)
			}
		})
	}
}

func TestPlanBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		files  map[string]string
		change func(*engine.PlanRequest)
		code   fault.Code
		words  []string
	}{
		"an unknown component": {
			reason: "the message lists what there is",
			change: func(r *engine.PlanRequest) { r.Component = "agnet" }, code: fault.NotFound, words: []string{"agnet", "components agent"},
		},
		"several versions": {
			reason: "nothing is guessed", files: map[string]string{"two.yaml": component("2.0.0")},
			change: func(*engine.PlanRequest) {}, code: fault.Invalid, words: []string{"1.0.0, 2.0.0", "--to"},
		},
		"an unknown version": {
			reason: "the message lists what there is",
			change: func(r *engine.PlanRequest) { r.Version = "9" }, code: fault.Invalid, words: []string{"version 9", "1.0.0"},
		},
		"an unknown pipeline": {
			reason: "the message lists what there is",
			change: func(r *engine.PlanRequest) { r.Pipeline = "fast" }, code: fault.Invalid, words: []string{"fast", "careful"},
		},
		"a param of another type": {
			reason: "params are typed",
			change: func(r *engine.PlanRequest) { r.Params = map[string]string{"least": "much"} }, code: fault.Invalid, words: []string{"least", "double"},
		},
		"a param that nobody declared": {
			reason: "a misspelt param is no param",
			change: func(r *engine.PlanRequest) { r.Params = map[string]string{"lest": "1"} }, code: fault.Invalid, words: []string{"lest"},
		},
		"narrowed to what is not there": {
			reason: "a misspelt cluster must not plan the rest",
			change: func(r *engine.PlanRequest) { r.Only = []string{"c9"} }, code: fault.Invalid, words: []string{"c9"},
		},
		"a file that does not parse": {
			reason: "every error is listed", files: map[string]string{"bad.yaml": "a: [\n", "worse.yaml": "kind: Nothing\napiVersion: sluice.dev/v1alpha1\n"},
			change: func(*engine.PlanRequest) {}, code: fault.Invalid, words: []string{"bad.yaml:", "worse.yaml:"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for file, text := range c.files {
				b.write(file, text)
			}
			req := engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"}
			c.change(&req)
			_, err := b.Plan(t.Context(), req)
			wants(t, err, c.code, c.words...)
			if len(b.temporal.started) > 0 {
				t.Errorf("a workflow was started: %s", c.reason)
			}
		})
	}
}

func TestPlanWithoutWorker(t *testing.T) {
	b := newBench(t)
	b.temporal.workers, b.temporal.hang = 0, true
	planned := b.planning()
	b.clock.Step(10 * time.Millisecond)
	wants(t, <-planned, fault.Unreachable, "no worker answers on task queue sluice", "fake:7233", "sluice worker")
}

func TestAWorkerThatHasNotAskedForWorkForLongIsNone(t *testing.T) {
	b := newBench(t)
	b.temporal.hang = true
	planned := b.planning()
	b.clock.Step(90*time.Second - 1)
	select {
	case err := <-planned:
		t.Fatalf("it may be asking right now: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	b.clock.Step(time.Second)
	wants(t, <-planned, fault.Unreachable, "no worker answers")
}

// planning makes a plan, and returns when that waits for a worker.
func (b *bench) planning() <-chan error {
	planned := make(chan error, 1)
	go func() {
		_, err := b.Plan(b.t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
		planned <- err
	}()
	for !b.clock.HasWaiters() && len(planned) == 0 {
		time.Sleep(time.Millisecond)
	}
	return planned
}

// countingLedger counts the blobs that are stored.
type countingLedger struct {
	ledger.Ledger
	puts int
}

func (l *countingLedger) PutBlob(ctx context.Context, data []byte) (string, error) {
	l.puts++
	return l.Ledger.PutBlob(ctx, data)
}

// big writes a fleet of many clusters in groups, each group with a configuration of its own.
func (b *bench) big(clusters, groups int) {
	var fleet, layers strings.Builder
	for g := range groups {
		fmt.Fprintf(&fleet, "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: g%d}\nspec: {environment: production}\n---\n", g)
		fmt.Fprintf(&layers, "      g%d: {interval: %ds}\n", g, g+1)
	}
	for c := range clusters {
		fmt.Fprintf(&fleet, "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: big-%04d}\nspec: {group: g%d}\n---\n", c, c%groups)
	}
	fmt.Fprint(&fleet, "apiVersion: sluice.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: careful}\nspec:\n  stages:\n")
	for g := range groups {
		fmt.Fprintf(&fleet, "  - {name: s%d, clusterGroups: {names: [g%d]}}\n", g, g)
	}
	b.write("fleet.yaml", fleet.String())
	b.write("component.yaml", component("1.0.0")+"    clusterGroups:\n"+layers.String())
}

func TestPlanStoresEqualValuesOnce(t *testing.T) {
	b := newBench(t)
	b.big(1000, 10)
	counting := &countingLedger{Ledger: b.ledger}
	e := engine.New(counting, func(context.Context) (*engine.Server, error) {
		return &engine.Server{Temporal: b.temporal}, nil
	}, engine.Options{Origin: func(string) (api.Origin, error) { return api.Origin{}, nil }})
	p, err := e.Plan(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	for i := range p.Plan.Stages {
		for _, g := range p.Plan.Stages[i].Groups {
			for _, u := range g.Units {
				values[u.Values]++
			}
		}
	}
	// The template, the plan's body, and one blob for each of the ten configurations.
	if len(values) != 10 || counting.puts != 12 {
		t.Errorf("%d configurations in %d blobs, want 10 in 12", len(values), counting.puts)
	}
}

func TestPlanThatIsTooBigIsNotStarted(t *testing.T) {
	b := newBench(t)
	b.big(2001, 1)
	p := b.plan()
	wants(t, p.Refused(), fault.Refused, "2001 clusters", "at most 2000")
	if len(b.temporal.started) > 0 {
		t.Error("its clusters were looked at")
	}
	if _, err := b.LoadPlan(t.Context(), p.Hash); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("it can be started by its hash: %v", err)
	}
}

func TestPlanFailsWhereItsPreviewFails(t *testing.T) {
	b := newBench(t)
	b.temporal.onStart = func(client.StartWorkflowOptions, any) error { return nil } // a worker on another ledger
	_, err := b.Plan(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
	wants(t, err, fault.Internal, "same ledger")
	stored, err := b.Plans(t.Context(), "agent", 1)
	if err != nil || len(stored) != 1 {
		t.Fatal(stored, err)
	}
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: stored[0].Hash, By: "ann"})
	wants(t, err, fault.Refused, "nobody has seen")
}

// BenchmarkPlan loads a fleet from files, resolves it and stores the plan, with a worker that looks at nothing. The
// larger fleet is more than a run takes: it is resolved, and not stored.
func BenchmarkPlan(b *testing.B) {
	for _, clusters := range []int{1000, 10000} {
		b.Run(fmt.Sprint(clusters), func(b *testing.B) {
			bench := newBench(b)
			bench.big(clusters, 10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.Plan(b.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{bench.dir}}, Component: "agent", By: "ann"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
