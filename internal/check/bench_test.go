package check_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// BenchmarkGateLimits evaluates gates on one core, as a look does: found by their source, evaluated over the facts of a workload of 100
// pods, with what they saw noted down. The limits are 10,000 evaluations a second, and 1 ms at the 99th percentile.
func BenchmarkGateLimits(b *testing.B) {
	const evaluations = 30_000
	b.ReportAllocs()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runner, facts := check.New(), hundredPods()
	var requests []step.EvaluateRequest
	for _, source := range []string{
		"batch.updatedReady == batch.target && workload.unavailable <= params.unavailable",
		"!workload.events.exists(e, e.reason == 'OOMKilling' && e.count > params.unavailable)",
		"batch.pods.all(p, p.startsWith('agent-')) && size(batch.nodes) == 100",
		"double(workload.available) >= 0.98 * double(workload.desired) && unit.labels['tier'] == 'gold'",
	} {
		requests = append(requests, step.EvaluateRequest{Point: pipelines.AfterBatch, Facts: facts, Checks: []pipelines.ResolvedCheck{{
			Name: "gate", Enforcement: pipelines.Enforcing, Gates: []pipelines.ResolvedGate{{Name: "gate", CEL: source}},
			Params: []pipelines.ParamValue{{Name: "unavailable", Value: int64(1)}},
		}}})
	}
	for b.Loop() {
		took := make([]time.Duration, 0, evaluations)
		for i := range evaluations {
			began := time.Now()
			found := runner.Evaluate(b.Context(), requests[i%len(requests)])
			took = append(took, time.Since(began))
			if found[0].Verdict != api.Passed {
				b.Fatalf("the gate is %s: %s", found[0].Verdict, found[0].Message)
			}
		}
		var all time.Duration
		for _, t := range took {
			all += t
		}
		slices.Sort(took)
		rate := evaluations / all.Seconds()
		p99 := took[evaluations*99/100]
		b.ReportMetric(rate, "evals/s")
		b.ReportMetric(10_000/rate, "limit/rate")
		b.ReportMetric(float64(p99.Microseconds()), "p99-µs")
		b.ReportMetric(float64(p99)/float64(time.Millisecond), "p99/limit")
	}
}

// hundredPods are the facts of a workload of a hundred pods, all of them updated, with as many events as facts hold.
func hundredPods() rule.Facts {
	f := rule.Facts{
		Workload: rule.Workload{
			Kind: "DaemonSet", Namespace: "infra", Name: "agent", Revision: "5d4f", Desired: 100, Ready: 100, Available: 100,
			Updated: 100, UpdatedReady: 100, UpdatedAvailable: 100, Waiting: []string{},
		},
		Batch: rule.Batch{Number: 4, NodeSet: "all", Size: 50, Target: 100, Total: 100, Updated: 100, UpdatedReady: 100},
		Unit:  rule.Unit{Path: "vpc/c1/all/4", Cluster: "c1", Labels: map[string]string{"tier": "gold"}},
	}
	for i := range 100 {
		f.Batch.Pods = append(f.Batch.Pods, fmt.Sprintf("agent-%04d", i))
		f.Batch.Nodes = append(f.Batch.Nodes, fmt.Sprintf("node-%04d", i))
	}
	for i := range 20 {
		f.Workload.Events = append(f.Workload.Events, rule.Event{Type: "Warning", Reason: "Unhealthy", Object: fmt.Sprintf("Pod/agent-%04d", i), Count: 3})
	}
	return f
}
