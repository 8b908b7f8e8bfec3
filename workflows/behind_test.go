package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// dead is some dead nodes of ten.
func dead(names ...string) []goal.Behind {
	if len(names) == 0 {
		return nil
	}
	b := goal.Behind{Workload: "DaemonSet/infra/agent", NodeSet: "all", Count: len(names), Total: 10}
	for _, name := range names {
		b.Nodes = append(b.Nodes, goal.Node{Name: name, Why: "Ready is Unknown"})
	}
	return []goal.Behind{b}
}

func behind(u api.UnitStatus) string {
	var names []string
	for _, b := range u.Behind {
		for _, n := range b.Nodes {
			names = append(names, n.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestADeadNodeIsListedAndLeft(t *testing.T) {
	w := newWorld(t, "a")
	w.dead = func(string, string) []goal.Behind { return dead("n1") }
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || behind(end.Stages[0].Units[0]) != "n1" || behind(w.records[0].UnitStatus) != "n1" {
		t.Errorf("the run ended %s with %q behind, its record says %q", end.Phase, behind(end.Stages[0].Units[0]), behind(w.records[0].UnitStatus))
	}
	// Once more before the workload is given back: the node may have come back while the last batch soaked.
	if n := w.times("Advance a/2"); n != 2 {
		t.Errorf("the last batch was moved %d times, want once more before the end", n)
	}
}

func TestANodeThatComesBackIsNotBehind(t *testing.T) {
	w := newWorld(t, "a")
	w.dead = func(name, _ string) []goal.Behind {
		if name == step.Diff.Name() {
			return dead("n1")
		}
		return nil
	}
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || len(end.Stages[0].Units[0].Behind) != 0 || w.times("Advance a/2") != 1 {
		t.Errorf("the run ended %s with %q behind, and moved the last batch %d times", end.Phase, behind(end.Stages[0].Units[0]), w.times("Advance a/2"))
	}
}

func TestMoreDeadNodesThanMayStayBehindHoldTheUnit(t *testing.T) {
	w := newWorld(t, "a", "b")
	died := true
	w.dead = func(name, cluster string) []goal.Behind {
		if died && name == step.Advance.Name() && cluster == "a" {
			return dead("n1", "n2")
		}
		return nil
	}
	w.env.RegisterDelayedCallback(func() {
		u := w.now(t).Stages[0].Units[0]
		if u.Phase != api.PhaseHeld || u.Failure == nil || u.Failure.Name != "max-behind" || u.Failure.Verdict != api.Error || u.FailedAt != "prod/a/all/1" {
			t.Errorf("the unit is %s at %q by %+v", u.Phase, u.FailedAt, u.Failure)
		}
		w.expect(t, []string{"Advance a/1", "Disarm a"}, []string{"Look a/1", "Acquire b"})
	}, time.Hour)
	w.at(2*time.Hour, func() { died = false })
	w.command(3*time.Hour, api.UpdateResume, api.Command{})
	if end := w.run(t); end.Phase != api.PhaseSucceeded {
		t.Errorf("resumed with its nodes back the run ended %s", end.Phase)
	}
}

func TestAUsualGateHoldsABatchThatLostANode(t *testing.T) {
	w := newWorld(t, "a")
	w.rules.Checks[0].Gates[0].CEL = "batch.updatedReady == batch.target"
	lost := true
	w.facts = func(_ string, f *rule.Facts) {
		if lost {
			f.Batch.Lost, f.Batch.UpdatedReady = 1, f.Batch.Target-1
		}
	}
	w.env.RegisterDelayedCallback(func() {
		u := w.now(t).Stages[0].Units[0]
		if u.Phase != api.PhaseHeld || u.Failure == nil || u.Failure.Name != "ready" {
			t.Errorf("the unit is %s by %+v", u.Phase, u.Failure)
		}
	}, time.Hour)
	w.at(2*time.Hour, func() { lost = false })
	w.command(3*time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || w.records[0].Batches[0].Lost != 0 {
		t.Errorf("the run ended %s, its first batch is %+v", end.Phase, w.records[0].Batches[0])
	}
}

func TestARollbackThatDoesNotGetOnStands(t *testing.T) {
	w := newWorld(t, "a")
	w.rules.ProgressDeadline = pipelines.Duration(deadline)
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 3 }
	w.reverts = func(r step.AdvanceRequest) {
		if r.Deadline != deadline {
			t.Errorf("the way back has a deadline of %s, want that of the stage", r.Deadline)
		}
	}
	w.dead = func(name, _ string) []goal.Behind {
		if name == step.Revert.Name() {
			return dead("n1")
		}
		return nil
	}
	stands := true
	w.bends = func(name, _ string, seen *api.Facts) {
		if stands && name == step.Revert.Name() {
			seen.Stalled = true
			seen.Checks = append(seen.Checks, api.Check{Name: api.Progress, At: "during", Verdict: api.Inconclusive, Message: "nothing got on"})
		}
	}
	w.env.RegisterDelayedCallback(func() {
		u := w.now(t).Stages[0].Units[0]
		if u.Phase != api.PhaseStalled || u.Failure == nil || u.Failure.Name != "rollback" || u.Failure.Message != "nothing got on" {
			t.Errorf("the unit is %s by %+v", u.Phase, u.Failure)
		}
		if slices.Contains(w.asked(), "Finish a") {
			t.Error("a workload was given back that is not back")
		}
	}, time.Hour)
	w.at(2*time.Hour, func() { stands = false })
	w.command(3*time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack || behind(end.Stages[0].Units[0]) != "n1" {
		t.Errorf("resumed, the run ended %s with %q behind", end.Phase, behind(end.Stages[0].Units[0]))
	}
}
