package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// BenchmarkCommandLimits measures how long a command takes to be answered, as the command line asks, on the real Temporal server while
// 200 runs move a cluster each, a batch every half minute: each is paused and resumed, one command after the other. The limit is 200 ms
// at the 99th percentile.
func BenchmarkCommandLimits(b *testing.B) {
	const runs = 200
	l, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	installation, err := l.Installation(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	f := newFakeFleetAt(b, "busy", api.Queue(installation), 1)
	for i := range 10 {
		f.batches = append(f.batches[:i:i], pipelines.Count(i+1))
	}
	f.moves = func(ctx context.Context, r step.AdvanceRequest) error {
		return wait(ctx, time.Duration(20+len(r.Run)*7%20)*time.Second)
	}
	of := f.plan
	f.plans = func(name string) step.RunPlan {
		p := of
		p.Subject = api.Component(name)
		return p
	}
	e := engine.New(l, func(ctx context.Context) (*engine.Server, error) {
		c, err := engine.Dial(ctx, engine.DialOptions{Dir: stack(b).Dir})
		if err != nil {
			return nil, err
		}
		return c.Server(), nil
	}, engine.Options{})
	names := make([]string, runs)
	for i := range names {
		component := fmt.Sprintf("busy%03d", i)
		names[i] = f.record(l, component)
		f.startPlan(names[i], component)
	}
	for _, name := range names {
		f.until(name, "moving", func(r api.RunStatus) bool { return r.Phase == api.PhaseMoving })
	}
	for b.Loop() {
		var took []time.Duration
		for _, command := range []string{api.UpdatePause, api.UpdateResume} {
			for _, name := range names {
				began := time.Now()
				if _, err := e.Command(b.Context(), name, command, api.Command{Who: "ops", Reason: "a bench"}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		p99 := took[(len(took)*99+99)/100-1]
		b.ReportMetric(float64(len(took)), "commands")
		b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
		b.ReportMetric(float64(p99.Milliseconds()), "p99-ms")
		b.ReportMetric(float64(p99)/float64(200*time.Millisecond), "p99/limit")
	}
	for _, name := range names {
		_ = f.client.TerminateWorkflow(context.WithoutCancel(b.Context()), name, "", "the bench is over")
	}
}

// record has a ledger know a run of a fake fleet, by a plan of its own.
func (f *fakeFleet) record(l ledger.Ledger, component string) string {
	f.t.Helper()
	ctx := f.t.Context()
	p := &plan.Plan{Format: plan.Format, Subject: api.Component(component), Version: "2.0.0"}
	body, err := plan.Encode(p)
	if err != nil {
		f.t.Fatal(err)
	}
	digest, err := l.PutBlob(ctx, body)
	if err != nil {
		f.t.Fatal(err)
	}
	stored := ledger.Plan{Hash: plan.Hash(p), Subject: p.Subject, Version: p.Version, Body: digest, Created: time.Now(), By: "bench"}
	if err := l.SavePlan(ctx, stored); err != nil {
		f.t.Fatal(err)
	}
	run, err := l.NewRun(ctx, ledger.Run{Plan: stored.Hash, Subject: p.Subject, Version: p.Version, Phase: "Moving", Started: time.Now(), By: "bench"})
	if err != nil {
		f.t.Fatal(err)
	}
	return run.Name
}
