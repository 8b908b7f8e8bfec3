package workflows_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

func bad(v api.Verdict) []api.Check {
	return []api.Check{{Name: "restarts", At: "during", Verdict: v, Message: "containers restart"}}
}

func TestTheSoakOfAStageLooksAtItsUnits(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		reason   string
		set      func(w *world)
		run      api.Phase
		a, b     api.Phase
		least    time.Duration // how long the run takes
		most     time.Duration
		failure  api.Verdict // of a
		asked    []string
		unasked  []string
		advisory string // a check that a ends with
	}{
		{
			reason: "nothing is seen, and it takes its time", set: func(*world) {},
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: day, most: day + time.Minute,
		},
		{
			reason: "a failure takes the whole run back",
			set: func(w *world) {
				w.plan.OnFailure = pipelines.Rollback
				w.sees("a", time.Hour, bad(api.Failed), nil)
			},
			run: api.PhaseRolledBack, a: api.PhaseRolledBack, b: api.PhaseRolledBack, least: time.Hour, most: 2 * time.Hour,
			failure: api.Failed, asked: []string{"Release b Succeeded", "Observe a at rest", "Release b RolledBack", "Release a RolledBack"},
		},
		{
			reason: "a failure pauses; resumed in time, the soak ends in time",
			set: func(w *world) {
				w.sees("a", time.Hour, bad(api.Failed), nil)
				w.command(3*time.Hour, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: day, most: day + time.Minute,
			asked: []string{"Observe a at rest"}, unasked: []string{"Revert a/2"},
		},
		{
			reason: "a failure pauses; resumed after the soak's time, the unit is looked at once more",
			set: func(w *world) {
				w.sees("a", time.Hour, bad(api.Failed), nil)
				w.command(2*day, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: 2*day + time.Minute, most: 2*day + 2*time.Minute,
		},
		{
			reason: "a person takes a failed unit back while the run is paused",
			set: func(w *world) {
				w.sees("a", time.Hour, bad(api.Failed), nil)
				w.command(3*time.Hour, api.UpdateRollback, api.Command{Scope: api.Scope{Clusters: []string{"a"}}})
			},
			run: api.PhaseRolledBack, a: api.PhaseRolledBack, b: api.PhaseSucceeded, least: 3 * time.Hour, most: 4 * time.Hour,
			failure: api.Failed, asked: []string{"Release a RolledBack"}, unasked: []string{"Release b RolledBack"},
		},
		{
			reason: "a failure that the stage bears ends its unit, and nothing else",
			set: func(w *world) {
				w.plan.Stages[0].MaxFailures = 1
				w.plan.OnFailure = pipelines.Rollback
				w.sees("a", time.Hour, bad(api.Failed), nil)
			},
			run: api.PhaseFailed, a: api.PhaseFailed, b: api.PhaseSucceeded, least: day, most: day + time.Minute, failure: api.Failed,
			unasked: []string{"Release a RolledBack"},
		},
		{
			reason: "what cannot be judged holds, and takes nothing back by itself; an abort leaves it failed",
			set: func(w *world) {
				w.plan.OnFailure = pipelines.Rollback
				w.sees("a", time.Hour, nil, fault.New(fault.Conflict, "somebody else changed its pod template"))
				w.command(2*day, api.UpdateAbort, api.Command{})
			},
			run: api.PhaseFailed, a: api.PhaseFailed, b: api.PhaseSucceeded, least: 2 * day, most: 2*day + time.Minute, failure: api.Error,
			unasked: []string{"Release a RolledBack", "Release b RolledBack"},
		},
		{
			reason: "a verdict that is none holds until it is looked at again",
			set: func(w *world) {
				w.plan.OnFailure = pipelines.Rollback
				w.sees("a", time.Hour, bad(api.Inconclusive), nil)
				w.command(2*day, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: 2*day + time.Minute, most: 2*day + 2*time.Minute,
			unasked: []string{"Release a RolledBack"},
		},
		{
			reason: "a cluster out of reach is waited for, and looked at for a minute more",
			set: func(w *world) {
				w.sees("a", day-10*time.Second, nil, away)
				w.returns("a", 3*time.Hour)
			},
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: day + 3*time.Hour, most: day + 3*time.Hour + 2*time.Minute,
			asked: []string{"Observe a at rest", "ledger.Unobserved a"},
		},
		{
			reason: "a cluster out of reach that the stage bears holds nobody up, and the end says so",
			set: func(w *world) {
				w.plan.Stages[0].MaxUnreachable = 1
				w.sees("a", time.Hour, nil, away)
				w.returns("a", 2*day)
			},
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: day, most: day + time.Minute, advisory: "soak",
		},
		{
			reason: "an abort ends it", set: func(w *world) { w.command(time.Hour, api.UpdateAbort, api.Command{}) },
			run: api.PhaseSucceeded, a: api.PhaseSucceeded, b: api.PhaseSucceeded, least: time.Hour, most: time.Hour + time.Minute,
		},
		{
			reason: "a rollback ends it", set: func(w *world) { w.command(time.Hour, api.UpdateRollback, api.Command{}) },
			run: api.PhaseRolledBack, a: api.PhaseRolledBack, b: api.PhaseRolledBack, least: time.Hour, most: time.Hour + 10*time.Minute,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = day, true
			c.set(w)
			end := w.run(t)
			units := end.Stages[0].Units
			if end.Phase != c.run || units[0].Phase != c.a || units[1].Phase != c.b {
				t.Errorf("the run ended %s, a %s and b %s; want %s, %s and %s", end.Phase, units[0].Phase, units[1].Phase, c.run, c.a, c.b)
			}
			if took := end.Ended.Sub(end.Started); took < c.least || took > c.most {
				t.Errorf("the run took %s, want %s to %s", took, c.least, c.most)
			}
			switch failure := units[0].Failure; {
			case c.failure == "" && failure != nil:
				t.Errorf("unit a ended with the failure %+v", failure)
			case c.failure != "" && (failure == nil || failure.Verdict != c.failure || units[0].FailedAt != "prod/a"):
				t.Errorf("unit a does not say what stopped it: %+v at %q", failure, units[0].FailedAt)
			}
			if n := len(units[0].Checks); c.advisory == "" && n > 0 || c.advisory != "" && (n != 1 || units[0].Checks[0].Name != c.advisory) {
				t.Errorf("unit a ended with the checks %+v", units[0].Checks)
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}

func TestASoakOfAGroupEndsBeforeTheNextGroup(t *testing.T) {
	w := newWorld(t, "a", "b")
	stage := &w.plan.Stages[0]
	second := stage.Groups[0]
	stage.Groups = append(stage.Groups, second)
	stage.Groups[0].Units, stage.Groups[1].Units = second.Units[:1], second.Units[1:]
	stage.SoakGroup, stage.Looks = time.Hour, true
	w.plan.OnFailure = pipelines.Rollback
	w.sees("a", time.Minute, bad(api.Failed), nil)
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	w.expect(t, []string{"Release a Succeeded", "Observe a at rest", "Release a RolledBack"}, []string{"Acquire b"})
}

func TestAClusterWhoseReturnCannotBeSeenIsWaitedFor(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
	w.sees("a", time.Hour, nil, away)
	torn := temporal.NewNonRetryableApplicationError("cannot read the kubeconfig", string(fault.Invalid), nil)
	w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).Times(3).Return("", torn)
	w.returns("a", time.Minute)
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || len(end.Stages[0].Units[0].Checks) > 0 {
		t.Errorf("the run ended %s, a with %+v", end.Phase, end.Stages[0].Units[0].Checks)
	}
	w.expect(t, []string{"Observe a at rest"}, nil)
}

func TestAClusterThatComesBackInTheSoakOfItsStageIsSoakedToo(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	stage := w.plan.Stages[0]
	stage.MaxUnreachable = 1
	canary, production := stage, stage
	canary.Name, production.Name = "canary", "production"
	canary.SoakStage, canary.Looks = time.Hour, true
	first, second := stage.Groups[0], stage.Groups[0]
	first.Units, second.Units = stage.Groups[0].Units[:2], stage.Groups[0].Units[2:]
	canary.Groups, production.Groups = []plan.Group{first}, []plan.Group{second}
	w.plan.Stages = []step.RunStage{canary, production}
	down := true
	w.at(59*time.Minute, func() { down = false })
	w.fails = func(name, cluster string) error {
		if down && cluster == "a" && name == step.Acquire.Name() {
			return away
		}
		return nil
	}
	w.returns("a", 59*time.Minute+30*time.Second)
	looked := 0
	w.env.OnActivity(step.Observe.Name(), mock.Anything, mock.MatchedBy(func(r step.ObserveRequest) bool { return r.Cluster == "a" && r.Record != "" })).
		After(time.Minute).Return(func(context.Context, step.ObserveRequest) (api.Facts, error) { looked++; return api.Facts{}, nil })
	end := w.run(t)
	log := w.asked()
	if looked != 1 || slices.Index(log, "Acquire c") < slices.Index(log, "Release a Succeeded") || end.Phase != api.PhaseSucceeded {
		t.Errorf("a was looked at %d times, the run ended %s; asked:\n%s", looked, end.Phase, strings.Join(log, "\n"))
	}
}

func TestAStageIsJudgedAfterItsSoak(t *testing.T) {
	w := newWorld(t, "a", "b")
	stage := &w.plan.Stages[0]
	stage.SoakStage, stage.Looks, stage.MaxFailures = time.Hour, true, 1
	stage.Checks = []pipelines.ResolvedCheck{{
		Name: "all", At: []pipelines.Point{pipelines.AfterStage}, Enforcement: pipelines.Enforcing,
		Gates: []pipelines.ResolvedGate{{Name: "all", CEL: "stage.succeeded == stage.units"}},
	}}
	w.sees("a", time.Minute, bad(api.Failed), nil)
	w.env.RegisterDelayedCallback(func() {
		if now := w.now(t); now.Phase != api.PhaseHeld || now.Stages[0].Checks[0].Verdict != api.Failed {
			t.Errorf("a failed in the soak, and the stage was judged %+v; the run is %s", now.Stages[0].Checks, now.Phase)
		}
	}, 2*time.Hour)
	w.command(3*time.Hour, api.UpdateAbort, api.Command{})
	w.run(t)
}

// TestTheFirstBatchMaySoakLonger: what is wrong with a version shows in its first pods.
func TestTheFirstBatchMaySoakLonger(t *testing.T) {
	w := newWorld(t, "a", "b")
	first := pipelines.Duration(time.Hour)
	w.rules.Soak.FirstBatch, w.rules.Soak.Batch = &first, pipelines.Duration(10*time.Minute)
	end := w.run(t)
	// Two clusters, one after the other, of two batches each.
	if took, want := end.Ended.Sub(end.Started), 2*(time.Hour+10*time.Minute); end.Phase != api.PhaseSucceeded || took < want || took > want+10*time.Minute {
		t.Errorf("the run ended as %s after %s, want about %s", end.Phase, took, want)
	}
}
