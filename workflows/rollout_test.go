package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func clientOptions(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: id, TaskQueue: api.Queue("0123456789")}
}

func TestAGoodVersionGoesThroughEveryUnitInOrder(t *testing.T) {
	w := newWorld(t, "a", "b")
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	want := []string{
		"ledger.LoadRun",
		"ledger.LoadUnit a", "ledger.Enter a", "Acquire a", "Diff a", "Apply a", "Prepare a",
		"Advance a/1", "Look a/1", "Advance a/2", "Look a/2", "Finish a", "Release a Succeeded",
		"ledger.LoadUnit b", "ledger.Enter b", "Acquire b", "Diff b", "Apply b", "Prepare b",
		"Advance b/1", "Look b/1", "Advance b/2", "Look b/2", "Finish b", "Release b Succeeded",
	}
	got := slices.DeleteFunc(w.asked(), func(s string) bool {
		return s == "gate.Evaluate" || s == "ledger.SaveUnit" || s == "ledger.SaveRun"
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was asked of the world (-want +got):\n%s", diff)
	}
}

// TestACreatedWorkloadPassesTheGateOfItsOneBatch judges a first installation by the README's own gate: all pods come at
// once, on nodes of every set.
func TestACreatedWorkloadPassesTheGateOfItsOneBatch(t *testing.T) {
	w := newWorld(t, "a")
	w.created, w.whole, w.noBack, w.pods = true, true, true, 2
	w.rules.NodeSets = []pipelines.NodeSet{{Name: "canary", Selector: pipelines.Selector{MatchLabels: map[string]string{"pool": "canary"}}}, {Name: "all", Selector: pipelines.Selector{All: true}}}
	w.rules.Checks[0].Gates[0].CEL = "batch.updatedReady == batch.target"
	w.asks = func(req step.AdvanceRequest) {
		if sets := req.Goal.Sets; len(sets) != 1 || !sets[0].All || req.Goal.Amount != pipelines.Percent(100) || req.Target != 2 || req.Total != 2 {
			t.Errorf("a batch asks for %+v, %d of %d pods", req.Goal, req.Target, req.Total)
		}
	}
	w.facts = func(_ string, f *rule.Facts) { f.Batch.Updated, f.Batch.UpdatedReady = 2, 2 }
	if got := w.run(t); got.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended as %s: %+v", got.Phase, got.Stages[0].Units)
	}
	if n := len(slices.DeleteFunc(w.asked(), func(line string) bool { return !strings.HasPrefix(line, "Advance") })); n != 1 {
		t.Errorf("%d batches were moved: %q", n, w.asked())
	}
}

func TestABadVersionIsStoppedInItsFirstBatch(t *testing.T) {
	crash := func(cluster string, f *rule.Facts) { f.Workload.Restarts = 3 }
	for _, c := range []struct {
		reason   string
		policy   pipelines.OnFailure
		rollback pipelines.RollbackMode
		after    func(w *world)
		run      api.Phase
		units    map[string]api.Phase
		asked    []string
		unasked  []string
	}{
		{
			reason: "Rollback takes the unit back, and nothing else has moved", policy: pipelines.Rollback, rollback: pipelines.RollbackAuto,
			run: api.PhaseRolledBack, units: map[string]api.Phase{"a": api.PhaseRolledBack, "b": api.PhaseSkipped},
			asked: []string{"Disarm a", "Unapply a", "Revert a/1", "Finish a", "Release a RolledBack"}, unasked: []string{"Prepare b", "Advance a/2"},
		},
		{
			reason: "a component that may be rolled back by a person only waits for one", policy: pipelines.Rollback, rollback: pipelines.RollbackManual,
			after: func(w *world) { w.command(time.Hour, api.UpdateAbort, api.Command{}) },
			run:   api.PhaseAborted, units: map[string]api.Phase{"a": api.PhaseAborted, "b": api.PhaseSkipped},
			asked: []string{"Disarm a", "Release a Aborted"}, unasked: []string{"Revert a/1", "Prepare b"},
		},
		{
			reason: "Pause waits for a person, who rolls back while it is paused", policy: pipelines.Pause, rollback: pipelines.RollbackAuto,
			after: func(w *world) { w.command(time.Hour, api.UpdateRollback, api.Command{}) },
			run:   api.PhaseRolledBack, units: map[string]api.Phase{"a": api.PhaseRolledBack, "b": api.PhaseSkipped},
			asked: []string{"Revert a/1"}, unasked: []string{"Prepare b"},
		},
		{
			reason: "Continue leaves the failed unit and goes on, and every unit fails", policy: pipelines.Continue, rollback: pipelines.RollbackAuto,
			run: api.PhaseFailed, units: map[string]api.Phase{"a": api.PhaseFailed, "b": api.PhaseFailed},
			asked: []string{"Release a Failed", "Prepare b"}, unasked: []string{"Revert a/1"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.facts, w.plan.OnFailure, w.plan.Rollback = crash, c.policy, c.rollback
			if c.policy == pipelines.Continue {
				w.plan.Stages[0].MaxFailures = 2
			}
			if c.after != nil {
				c.after(w)
			}
			end := w.run(t)
			if end.Phase != c.run {
				t.Errorf("the run ended %s, want %s", end.Phase, c.run)
			}
			if diff := cmp.Diff(c.units, unitPhases(end)); diff != "" {
				t.Errorf("units (-want +got):\n%s", diff)
			}
			w.expect(t, c.asked, c.unasked)
			if u := end.Stages[0].Units[0]; u.Failure == nil || u.Failure.Verdict != api.Failed || u.FailedAt != "prod/a/all/1" {
				t.Errorf("the unit does not say what stopped it where: %+v at %q", u.Failure, u.FailedAt)
			}
		})
	}
}

// expect checks that something was asked of the world, in this order, and something else was not.
func (w *world) expect(t *testing.T, asked, unasked []string) {
	t.Helper()
	log := w.asked()
	at := 0
	for _, want := range asked {
		i := slices.Index(log[at:], want)
		if i < 0 {
			t.Errorf("%q was not asked after %d others; asked:\n%s", want, at, strings.Join(log, "\n"))
			return
		}
		at += i + 1
	}
	for _, no := range unasked {
		if slices.Contains(log, no) {
			t.Errorf("%q was asked; asked:\n%s", no, strings.Join(log, "\n"))
		}
	}
}

func TestFailureMode_R07_NoVerdictIsNotAPass(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.OnFailure = pipelines.Rollback
	w.rules.Checks[0].Gates[0].CEL = "unit.labels['missing'] == 'x'"
	w.command(time.Hour, api.UpdateAbort, api.Command{})
	end := w.run(t)
	if got := unitPhases(end)["a"]; got != api.PhaseAborted {
		t.Errorf("a gate that could not be evaluated left the unit %s: it must hold, and never roll back by itself", got)
	}
	w.expect(t, []string{"Disarm a"}, []string{"Revert a/1", "Advance a/2", "Prepare b"})
}

func TestFailureMode_R13_AnEmptyStageIsSkippedAndWaitsForNobody(t *testing.T) {
	w := newWorld(t, "a")
	empty := step.RunStage{Name: "empty", Skipped: "selects no cluster", Approvals: 1}
	w.plan.Stages = append([]step.RunStage{empty}, w.plan.Stages...)
	end := w.run(t)
	if end.Stages[0].Phase != api.PhaseSkipped || end.Phase != api.PhaseSucceeded {
		t.Errorf("empty stage %s, run %s", end.Stages[0].Phase, end.Phase)
	}
}

func TestFailureMode_R11_AnUnreachableClusterDoesNotBlockTheOthers(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].MaxUnreachable = 1
	down := true
	w.fails = func(name, cluster string) error {
		if cluster == "a" && down && (name == step.Acquire.Name() || name == step.Reachable.Name()) {
			return fault.New(fault.Unreachable, "cannot reach a")
		}
		return nil
	}
	w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(24*time.Hour).Return("", nil)
	w.env.RegisterDelayedCallback(func() { w.mu.Lock(); down = false; w.mu.Unlock() }, time.Hour)
	end := w.run(t)
	if diff := cmp.Diff(map[string]api.Phase{"a": api.PhaseMissed, "b": api.PhaseSucceeded}, unitPhases(end)); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
}

func TestAClusterThatComesBackInItsTurnGoesOn(t *testing.T) {
	w := newWorld(t, "a")
	down := true
	w.fails = func(name, cluster string) error {
		if down && name == step.Advance.Name() {
			down = false
			return fault.New(fault.Unreachable, "cannot reach a")
		}
		return nil
	}
	w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(time.Minute).Return("", nil)
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	w.expect(t, []string{"Advance a/1", "ledger.Unobserved a", "Advance a/1", "Advance a/2", "Finish a"}, nil)
}

func TestASoakWaitsItsTimeAndAFailingLookEndsIt(t *testing.T) {
	t.Run("quiet", func(t *testing.T) {
		w := newWorld(t, "a")
		w.rules.Soak.Batch = pipelines.Duration(10 * time.Minute)
		w.rules.Soak.Cluster = pipelines.Duration(time.Hour)
		w.plan.Stages[0].SoakStage = 7 * 24 * time.Hour
		end := w.run(t)
		want := 2*10*time.Minute + time.Hour + 7*24*time.Hour
		if took := end.Ended.Sub(end.Started); took < want || took > want+time.Minute {
			t.Errorf("the run took %s, want %s and the batches", took, want)
		}
	})
	t.Run("a check fails in the soak", func(t *testing.T) {
		w := newWorld(t, "a")
		w.plan.OnFailure = pipelines.Rollback
		w.rules.Soak.Batch = pipelines.Duration(2 * 365 * 24 * time.Hour)
		w.sees("a", time.Hour, bad(api.Failed), nil)
		end := w.run(t)
		if end.Phase != api.PhaseRolledBack {
			t.Errorf("the run ended %s", end.Phase)
		}
		w.expect(t, []string{"Advance a/1", "Observe a/1", "Disarm a", "Revert a/1"}, []string{"Advance a/2"})
	})
}

func TestFailureMode_R08_TheEndIsComputedFromUnits(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].MaxFailures = 1
	w.facts = func(cluster string, f *rule.Facts) {
		if cluster == "a" {
			f.Workload.Restarts = 1
		}
	}
	var shown []string
	w.env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		said := args.Get(0).(temporal.SearchAttributes)
		_, ofRun := said.GetInt64(temporal.NewSearchAttributeKeyInt64("SluicePercent"))
		if phase, ok := said.GetKeyword(temporal.NewSearchAttributeKeyKeyword("SluicePhase")); ok && ofRun {
			shown = append(shown, phase)
		}
	})
	end := w.run(t)
	if slices.Contains(shown, string(api.PhaseHeld)) {
		t.Errorf("the run shows %q: a unit that fails within the budget is told to end, and holds nobody", shown)
	}
	if diff := cmp.Diff(map[string]api.Phase{"a": api.PhaseFailed, "b": api.PhaseSucceeded}, unitPhases(end)); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	if end.Phase != api.PhaseFailed {
		t.Errorf("one unit failed within the budget, and the run ended %s", end.Phase)
	}
}

func TestUnitsSlideUnderTheConcurrency(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.plan.Stages[0].Groups[0].MaxConcurrency = 2
	w.run(t)
	log := w.asked()
	if slices.Index(log, "Acquire b") > slices.Index(log, "Release a Succeeded") {
		t.Error("b did not start beside a")
	}
	if slices.Index(log, "Acquire c") < min(slices.Index(log, "Release a Succeeded"), slices.Index(log, "Release b Succeeded")) {
		t.Error("c started before a slot was free")
	}
}

func TestAClusterOutOfReachDoesNotKeepOthersFromGoingBack(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.plan.OnFailure = pipelines.Rollback
	w.plan.Stages[0].Groups[0].MaxConcurrency = 1
	w.facts = func(cluster string, f *rule.Facts) {
		if cluster == "c" {
			f.Workload.Restarts = 1
		}
	}
	gone := true
	w.fails = func(name, cluster string) error {
		if cluster == "c" && gone && name == step.Revert.Name() {
			return fault.New(fault.Unreachable, "cannot reach c")
		}
		return nil
	}
	w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(24*time.Hour).Return("", nil)
	w.env.RegisterDelayedCallback(func() { w.mu.Lock(); gone = false; w.mu.Unlock() }, 12*time.Hour)
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	log := w.asked()
	if slices.Index(log, "Release a RolledBack") > slices.Index(log, "Release c RolledBack") {
		t.Error("a and b waited for c, which was out of reach for a day")
	}
	w.expect(t, []string{"Revert c/1", "Release b RolledBack", "Release a RolledBack", "Release c RolledBack"}, nil)
}

func TestADeletedWorkloadHoldsItsUnitAndIsHeard(t *testing.T) {
	w := newWorld(t, "a")
	w.fails = func(name, _ string) error {
		if name == step.Advance.Name() || name == step.Disarm.Name() {
			return fault.New(fault.NotFound, "the DaemonSet is gone")
		}
		return nil
	}
	w.command(time.Hour, api.UpdateAbort, api.Command{})
	end := w.run(t)
	if got := unitPhases(end)["a"]; got != api.PhaseAborted {
		t.Errorf("the unit ended %s: it must be held, and hear the abort", got)
	}
}

func TestAnAPIServerThatIsReadyAndRefusesIsAskedLessAndLess(t *testing.T) {
	w := newWorld(t, "a")
	asked := 0
	w.fails = func(name, _ string) error {
		if name == step.Apply.Name() {
			if asked++; asked < 12 {
				return fault.New(fault.Unreachable, "failed calling webhook")
			}
		}
		return nil
	}
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	if took := end.Ended.Sub(end.Started); took < 15*time.Minute {
		t.Errorf("twelve tries took %s: there is next to no pause between them", took)
	}
}

func TestAClusterThatWasOutOfReachAtItsTurnIsStartedOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.once(step.LoadUnit.Name(), "a", away)
	w.returns("a", time.Hour)
	end := w.run(t)
	if want := []string{"prod/a", "prod/b"}; !slices.Equal(end.Moves, want) || end.Phase != api.PhaseSucceeded {
		t.Errorf("units started in the order %v, want %v; the run ended %s", end.Moves, want, end.Phase)
	}
}

func TestTheEndIsInTheSearchAttributes(t *testing.T) {
	w := newWorld(t, "a")
	var last string
	w.env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		if phase, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(temporal.NewSearchAttributeKeyKeyword("SluicePhase")); ok {
			last = phase
		}
	})
	if end := w.run(t); string(end.Phase) != last {
		t.Errorf("the run ended %s, and its search attribute says %q", end.Phase, last)
	}
}

func TestARunWhoseOnlyUnitIsHeldSaysSo(t *testing.T) {
	w := newWorld(t, "a")
	w.rules.Checks[0].Gates[0].CEL = "unit.labels['missing'] == 'x'"
	w.env.RegisterDelayedCallback(func() {
		if now := w.now(t); now.Phase != api.PhaseHeld {
			t.Errorf("the run is %s", now.Phase)
		}
	}, time.Hour)
	w.command(2*time.Hour, api.UpdateAbort, api.Command{})
	if end := w.run(t); end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
}
