package e2e_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// BenchmarkBigStage runs a stage of 2,000 fake clusters, 200 at a time, on the real Temporal server, and pauses and resumes it all
// the while. It prints how long that takes, how long the run's history gets, and how long a command takes to be answered. BIG=1
// asks for it; another number is that of the clusters.
func BenchmarkBigStage(b *testing.B) {
	clusters, err := strconv.Atoi(os.Getenv("BIG"))
	if err != nil || clusters < 1 {
		b.Skip("make bench BIG=1 asks for it")
	}
	if clusters == 1 {
		clusters = 2000
	}
	f := newFakeFleet(b, "big", clusters)
	for b.Loop() {
		began := time.Now()
		run := f.start("big-" + strconv.FormatInt(began.Unix(), 10))
		over := make(chan api.RunStatus, 1)
		go func() {
			var end api.RunStatus
			if err := run.Get(context.WithoutCancel(b.Context()), &end); err != nil && !api.Ended(err, &end) {
				b.Error(err)
			}
			over <- end
		}()
		var took []time.Duration
		var end api.RunStatus
		for command := 0; end.Phase == ""; command++ {
			select {
			case end = <-over:
			case <-time.After(5 * time.Second):
				// The last one may come too late.
				if d, err := f.try(run.GetID(), []string{api.UpdatePause, api.UpdateResume}[command%2]); err == nil {
					took = append(took, d)
				}
			}
		}
		if end.Phase != api.PhaseSucceeded {
			b.Fatalf("the run ended %s", end.Phase)
		}
		slices.Sort(took)
		b.ReportMetric(time.Since(began).Seconds(), "seconds")
		b.ReportMetric(float64(clusters), "clusters")
		b.ReportMetric(float64(f.events(run.GetID())), "root-events")
		b.ReportMetric(float64(f.events(run.GetID()+"/stage-1/1")), "part-events")
		if n := len(took); n > 0 {
			b.ReportMetric(float64(took[(n*95+99)/100-1].Milliseconds()), "p95-command-ms")
			b.ReportMetric(float64(took[n/2].Milliseconds()), "p50-command-ms")
		}
	}
}

func TestAFakeFleetIsJudgedByGroupAndStage(t *testing.T) {
	turns.Take(t)
	f := newFakeFleet(t, "judged", 2)
	check := func(name string, at pipelines.Point) pipelines.ResolvedCheck {
		return pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{at}, Enforcement: pipelines.Enforcing,
			Gates: []pipelines.ResolvedGate{{Name: name, CEL: "stage.succeeded == stage.units"}},
		}
	}
	f.plan.Stages[0].Checks = []pipelines.ResolvedCheck{check("group", pipelines.AfterGroup), check("stage", pipelines.AfterStage)}
	if end := f.ended(f.start("judged-1")); end.Phase != api.PhaseSucceeded || len(end.Stages[0].Checks) != 1 {
		t.Errorf("the run ended %s: %+v", end.Phase, end.Stages[0].Checks)
	}
}

func TestAUnitOfAFakeFleetWaitsForAnotherRun(t *testing.T) {
	turns.Take(t)
	f := newFakeFleet(t, "locked", 1)
	free := make(chan struct{})
	f.moves = func(ctx context.Context, r step.AdvanceRequest) error {
		if r.Run != "locked-1" {
			return nil
		}
		beating, stop := context.WithCancel(ctx)
		defer stop()
		go func() { _ = wait(beating, time.Hour) }()
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	first := f.start("locked-1")
	f.until("locked-1", "moving", func(r api.RunStatus) bool { return unitOf(r, "fake-1-0001").Phase == api.PhaseMoving })
	second := f.start("locked-2")
	f.until("locked-2", "locked", func(r api.RunStatus) bool { return unitOf(r, "fake-1-0001").Phase == api.PhaseLocked })
	close(free)
	for _, run := range []api.RunStatus{f.ended(first), f.ended(second)} {
		if run.Phase != api.PhaseSucceeded {
			t.Errorf("%s ended %s", run.Name, run.Phase)
		}
	}
}

func TestARunOfAFakeFleetContinuesAsNew(t *testing.T) {
	turns.Take(t)
	f := newFakeFleet(t, "carried-on", 1, 1)
	f.plan.Stages[0].Approvals, f.plan.Stages[1].Approvals = 1, 1
	run := f.start("carried-on-1")
	first := run.GetRunID() // it goes on with the run
	approvable := func(stage int) func(api.RunStatus) bool {
		return func(r api.RunStatus) bool {
			return len(r.Stages) > stage && r.Stages[stage].Waiting != nil && r.Stages[stage].Waiting.Kind == "approval"
		}
	}
	f.until(run.GetID(), "waiting for its first approval", approvable(0))
	for f.events(run.GetID()) < 2100 {
		f.tell(run.GetID(), api.UpdatePause)
		f.tell(run.GetID(), api.UpdateResume)
	}
	f.tell(run.GetID(), api.UpdateApprove)
	f.until(run.GetID(), "waiting for its second approval", approvable(1))
	if n := f.events(run.GetID()); n > 1000 {
		t.Errorf("its latest execution has %d events: it did not continue as new", n)
	}
	f.tell(run.GetID(), api.UpdateApprove)
	end := f.ended(run)
	if end.Phase != api.PhaseSucceeded || len(end.Moves) != 2 {
		t.Errorf("the run ended %s; units moved in the order %v", end.Phase, end.Moves)
	}
	f.keep(run.GetID(), first)
}

func TestABigStageOfAFakeFleetGoesInParts(t *testing.T) {
	turns.Take(t)
	f := newFakeFleet(t, "parted", 101)
	run := f.start("parted-1")
	if end := f.ended(run); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	f.keep("parted-1/stage-1/1", "")
	f.keep("parted-vpc/fake-1-0001/parted", "")
}

func TestTheLooksOfAFakeFleetEndWithTheNextRun(t *testing.T) {
	turns.Take(t)
	f := newFakeFleet(t, "looked", 1)
	f.plan.Stages[0].SoakStage, f.plan.Stages[0].Looks = 20*time.Second, true
	first := f.start("looked-1")
	f.until("looked-1", "soaking", func(r api.RunStatus) bool { return r.Phase == api.PhaseSoaking })
	second := f.start("looked-2")
	f.until("looked-1", "superseded", func(r api.RunStatus) bool { return unitOf(r, "fake-1-0001").Superseded == "looked-2" })
	f.keep("looked-vpc/fake-1-0001/looked/look", "")
	for _, end := range []api.RunStatus{f.ended(first), f.ended(second)} {
		if end.Phase != api.PhaseSucceeded {
			t.Errorf("%s ended %s", end.Name, end.Phase)
		}
	}
}
