package e2e_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/worker"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/internal/api"
	changes "sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// What moves at once.
const (
	movingUnits    = 50
	movingLimit    = 250 * time.Millisecond
	movingInterval = time.Second // of each background check
)

// BenchmarkBatchGapWithChecks measures how long it takes from a batch being ready to the next one being asked of its cluster, while 50
// units move at once and five background checks of each ask a server by HTTP every second. Temporal, workflows, the workers of checks
// and what they read of a cluster are real; the pods are not: a batch is ready after 5 to 15 s. What a driver takes to hear of it and
// to write is in BenchmarkBatchGap. The limit is 250 ms at the 95th percentile.
//
// At once has every batch of every unit ready in the same moment, which has no limit: it shows what a burst costs.
func BenchmarkBatchGapWithChecks(b *testing.B) {
	b.Run("spread", func(b *testing.B) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		p95 := moveAtOnce(b, "spread", func(time.Time) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return 5*time.Second + time.Duration(random.Int64N(int64(10*time.Second)))
		})
		b.ReportMetric(float64(p95)/float64(movingLimit), "p95/limit")
	})
	b.Run("at-once", func(b *testing.B) {
		const every = 15 * time.Second
		moveAtOnce(b, "at-once", func(now time.Time) time.Duration {
			return now.Add(every).Truncate(every).Sub(now)
		})
	})
}

// moveAtOnce moves all units, whose batches take as long as takes says, and returns the 95th percentile of the gaps.
func moveAtOnce(b *testing.B, name string, takes func(now time.Time) time.Duration) (p95 time.Duration) {
	f := newFakeFleet(b, name, movingUnits)
	group := &f.plan.Stages[0].Groups[0]
	group.MaxConcurrency = movingUnits
	f.measureIn("a")
	f.batches = nil
	for n := 1; n <= 5; n++ {
		f.batches = append(f.batches, pipelines.Percent(20*n))
	}
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer asked.Close()
	f.checks = backgroundChecks(asked.URL)
	book := &gaps{ready: map[string]time.Time{}}
	f.moves = func(ctx context.Context, r step.AdvanceRequest) error {
		book.asked(r)
		if err := wait(ctx, takes(time.Now())); err != nil {
			return err
		}
		book.isReady(r)
		return nil
	}
	for b.Loop() {
		run := f.start(name + "-" + strconv.FormatInt(time.Now().UnixNano(), 36))
		f.unheld(run.GetID(), 5*time.Minute)
		if end := f.ended(run); end.Phase != api.PhaseSucceeded {
			b.Fatalf("the run ended %s", end.Phase)
		}
	}
	all := book.sorted()
	if want := b.N * movingUnits * (len(f.batches) - 1); len(all) != want {
		b.Fatalf("%d gaps were seen, not %d", len(all), want)
	}
	p95 = all[(len(all)*95+99)/100-1]
	b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(p95.Milliseconds()), "p95-ms")
	b.ReportMetric(float64(all[len(all)-1].Milliseconds()), "max-ms")
	return p95
}

// backgroundChecks are five checks beside a move, each of which asks a server again and again.
func backgroundChecks(url string) (all []pipelines.ResolvedCheck) {
	for i := range 5 {
		name := "check-" + strconv.Itoa(i+1)
		all = append(all, pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing,
			Steps: []pipelines.ResolvedStep{{
				Name:      name + "/ask",
				StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: url, Expect: &pipelines.HTTPExpect{Match: "ok"}}},
				Repeat:    pipelines.Repeat{Interval: new(pipelines.Duration(movingInterval))},
			}},
		})
	}
	return all
}

// lookedAt is what the checks of a fake fleet find in a real cluster.
const lookedAt = `
apiVersion: v1
kind: Namespace
metadata: {name: infra}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: infra}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "registry.example/agent:2.0.0"}]}
`

// measureIn has the checks of the fleet measured by the activities as they are, all in one real cluster of the stack.
func (f *fakeFleet) measureIn(cluster string) {
	f.t.Helper()
	for i := range f.plan.Stages {
		for j := range f.plan.Stages[i].Groups {
			units := f.plan.Stages[i].Groups[j].Units
			for k := range units {
				units[k].Context = cluster
			}
		}
	}
	folder := f.t.TempDir()
	looked := filepath.Join(folder, "looked-at.yaml")
	if err := os.WriteFile(looked, []byte(lookedAt), 0o600); err != nil {
		f.t.Fatal(err)
	}
	stack(f.t).Run(f.t, "kubectl", "--cluster", cluster, "apply", "-f", looked)
	l, err := sqlite.Open(f.t.Context(), filepath.Join(folder, "ledger.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close() })
	f.changes, err = changes.Store(f.t.Context(), l, changes.Set{Objects: []changes.Object{{
		Name: "DaemonSet/infra/agent", Phase: templates.Workloads, Rendered: map[string]any{
			"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": "agent", "namespace": "infra"},
			"spec": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": "agent"}}},
		},
	}}})
	if err != nil {
		f.t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{stack(f.t).Kubeconfig}, UserAgent: "sluice-e2e"})
	f.t.Cleanup(pool.Close)
	w := worker.New(f.client, api.ChecksQueue(f.queue), worker.Options{
		MaxConcurrentActivityExecutionSize: 5000, MaxHeartbeatThrottleInterval: 5 * time.Second,
	})
	sources := check.NewProbes(probe.New(clock.RealClock{}, nil), clock.RealClock{}, "")
	(&checks.Activities{
		Clusters: pool, Ledger: l, Clock: clock.RealClock{}, Measurer: check.NewMeasurer(clock.RealClock{}, check.NewRules(), sources),
	}).Register(w)
	if err := w.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(w.Stop)
}

// unheld waits until a run has ended, and fails where a unit stands: nobody would decide about it.
func (f *fakeFleet) unheld(run string, within time.Duration) {
	f.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(2 * time.Second) {
		var now api.RunStatus
		v, err := f.client.QueryWorkflow(f.t.Context(), run, "", api.QueryStatus)
		if err != nil || v.Get(&now) != nil {
			continue
		}
		if now.Phase.Final() {
			return
		}
		for _, st := range now.Stages {
			for _, u := range st.Units {
				if u.Failure != nil {
					f.t.Fatalf("%s stands at %+v", u.Path, *u.Failure)
				}
			}
		}
	}
	f.t.Fatalf("%s did not end within %s", run, within)
}

// gaps are the times from a batch of a cluster being ready to the next one being asked for.
type gaps struct {
	mu    sync.Mutex
	ready map[string]time.Time // by cluster
	all   []time.Duration
}

func (g *gaps) asked(r step.AdvanceRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ready, ok := g.ready[r.Cluster]; ok {
		g.all = append(g.all, time.Since(ready))
		delete(g.ready, r.Cluster)
	}
}

func (g *gaps) isReady(r step.AdvanceRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Goal.Number < 5 {
		g.ready[r.Cluster] = time.Now()
	}
}

func (g *gaps) sorted() []time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(slices.Values(g.all))
}
