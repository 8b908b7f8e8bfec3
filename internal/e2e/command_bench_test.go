package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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
// 200 runs move a cluster each, a batch every half minute: a hundred of them are paused and resumed, two commands a second. The
// limit is 200 ms at the 99th percentile. Beside each command the run is asked where it is, which is the least that an answer of a
// workflow costs on that machine.
func BenchmarkCommandLimits(b *testing.B) {
	const runs, commanded, apart = 200, 100, 500 * time.Millisecond
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
	f.moves = func(ctx context.Context, _ step.AdvanceRequest) error {
		return wait(ctx, 20*time.Second+rand.N(20*time.Second)) // no two in step
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
		var took, asked []time.Duration
		for _, command := range []string{api.UpdatePause, api.UpdateResume} {
			for _, name := range names[:commanded] {
				if err := wait(b.Context(), apart); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if _, err := f.client.QueryWorkflow(b.Context(), name, "", api.QueryStatus); err != nil {
					b.Fatal(err)
				}
				asked = append(asked, time.Since(began))
				began = time.Now()
				if _, err := e.Command(b.Context(), name, command, api.Command{Who: "ops", Reason: "a bench"}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		slices.Sort(asked)
		p50, p99 := took[len(took)/2], took[(len(took)*99+99)/100-1]
		b.ReportMetric(float64(len(took)), "commands")
		b.ReportMetric(float64(p50.Milliseconds()), "p50-ms")
		b.ReportMetric(float64(p99.Milliseconds()), "p99-ms")
		b.ReportMetric(float64(p99)/float64(200*time.Millisecond), "p99/limit")
		b.ReportMetric(float64(p50)/float64(asked[len(asked)/2]), "p50/query")
		b.ReportMetric(float64(p99)/float64(asked[(len(asked)*99+99)/100-1]), "p99/query")
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
