package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// fleetFiles writes a fleet of n clusters of 100 nodes, 20 clusters a group, with a component and a pipeline of four stages.
func fleetFiles(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	var fleet strings.Builder
	environments := []string{"e2e", "canary", "production", "production", "production", "production"}
	for i := range n {
		group := i / 20
		if i%20 == 0 {
			fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: group-%03d, labels: {line: l%d}}\n"+
				"spec: {environment: %s, businessSide: side-%d, networkDomain: vpc}\n", group, group%3, environments[group%len(environments)], group%7)
		}
		fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: cluster-%05d\n  labels: {pool: p%d}\n"+
			"spec:\n  group: group-%03d\n  region: region-%d\n  userGrade: %d\n  size: {nodes: 100, pods: %d}\n", i, i%5, group, i%9, i%11, 2000+i%1000)
	}
	pipeline := `---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: agent}
spec:
  params: [{name: least, type: double, default: 0.99}]
  defaults:
    checks:
    - name: ready
      gate: {cel: "workload.updatedReady == batch.target"}
      at: [afterBatch]
  stages:
  - {name: e2e, clusterGroups: {matchLabels: {environment: e2e}}}
  - {name: canary, clusterGroups: {matchLabels: {environment: canary}}}
  - {name: production-l0, clusterGroups: {matchLabels: {environment: production, line: l0}}, groupBy: region, maxConcurrency: 33%}
  - {name: production, clusterGroups: {all: true}, groupBy: region, maxConcurrency: 33%, maxUnreachable: 5%}
---
apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: node-agent}
spec: {version: 1.4.2, pipeline: agent, template: {chart: chart}}
`
	files := map[string]string{
		"fleet.yaml": fleet.String(), "agent.yaml": pipeline,
		"chart/Chart.yaml": "apiVersion: v2\nname: agent\nversion: 0.1.0\n", "chart/templates/cm.yaml": "kind: ConfigMap\n",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func load(tb testing.TB, dir string) *pipelines.Documents {
	tb.Helper()
	docs, err := pipelines.Load(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}

func inputOf(docs *pipelines.Documents) plan.Input {
	in := input(docs)
	in.Pipeline = docs.Pipelines["agent"]
	in.Component = docs.Components["node-agent"][0]
	return in
}

// measure reports what one operation has put on the heap while nothing was collected but what the run itself collects.
func measure(b *testing.B, clusters int, operation func() *plan.Plan) {
	b.ReportAllocs()
	var p *plan.Plan
	var peak uint64
	for b.Loop() {
		p = operation()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	if p.Units() != clusters {
		b.Fatalf("%d of %d clusters are planned", p.Units(), clusters)
	}
	body, err := plan.Encode(p)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(body)), "plan-bytes")
	b.ReportMetric(float64(peak)/(1<<20), "heap-MB")
}

func benchmarkPlan(b *testing.B, clusters int) {
	dir := fleetFiles(b, clusters)
	b.Run("documents", func(b *testing.B) {
		in := inputOf(load(b, dir))
		measure(b, clusters, func() *plan.Plan {
			p := build(b, in)
			plan.Hash(p)
			return p
		})
	})
	b.Run("files", func(b *testing.B) {
		measure(b, clusters, func() *plan.Plan {
			p := build(b, inputOf(load(b, dir)))
			plan.Hash(p)
			return p
		})
	})
}

// The bounds: 1,000 clusters take at most 2 s and 300 MB on one core, 10,000 clusters at most 12 times that.
func BenchmarkPlan1000(b *testing.B)  { benchmarkPlan(b, 1_000) }
func BenchmarkPlan10000(b *testing.B) { benchmarkPlan(b, 10_000) }

// BenchmarkPlanLimits times planning from files on one core, 1,000 and 10,000 clusters in turn, and reports the medians
// against their limits: 2 s and 300 MB for 1,000, and 12 times as long for 10,000.
func BenchmarkPlanLimits(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	small, large := fleetFiles(b, 1_000), fleetFiles(b, 10_000)
	once := func(dir string) time.Duration {
		// Each as if it were the first of its process: the second collection takes what pools keep over the first.
		runtime.GC()
		runtime.GC()
		began := time.Now()
		plan.Hash(build(b, inputOf(load(b, dir))))
		return time.Since(began)
	}
	var thousand, ratios []float64
	var peak uint64
	for b.Loop() {
		for range 5 {
			t := once(small)
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			thousand = append(thousand, t.Seconds())
			ratios = append(ratios, once(large).Seconds()/t.Seconds())
		}
	}
	slices.Sort(thousand)
	slices.Sort(ratios)
	b.ReportMetric(thousand[len(thousand)/2], "s-for-1000")
	b.ReportMetric(thousand[len(thousand)/2]/2, "s/limit")
	b.ReportMetric(float64(peak)/(300<<20), "heap/limit")
	b.ReportMetric(ratios[len(ratios)/2], "10000-over-1000")
	b.ReportMetric(ratios[len(ratios)/2]*thousand[len(thousand)/2]/(12*2), "s-for-10000/limit")
}
