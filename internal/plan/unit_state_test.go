package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines/rule"
)

func TestEveryPhaseIsAState(t *testing.T) {
	want := map[api.Phase]plan.State{
		api.PhasePending: plan.Pending, api.PhaseSucceeded: plan.Succeeded, api.PhaseSkipped: plan.Skipped,
		api.PhaseUnreachable: plan.Unreachable, api.PhaseMissed: plan.Unreachable,
		api.PhaseFailed: plan.Failed, api.PhaseAborted: plan.Failed, api.PhaseRolledBack: plan.Failed,
	}
	for _, p := range api.Phases() {
		state, said := want[p]
		if !said {
			state = plan.Running // whatever it does or waits for, it takes a slot
		}
		if got := plan.StateOf(p); got != state {
			t.Errorf("a unit that is %s counts as %q, want %q", p, got, state)
		}
		if p == api.PhaseRolledBack {
			state = plan.Succeeded
		}
		if got := plan.StateOfBack(p); got != state {
			t.Errorf("on the way back a unit that is %s counts as %q, want %q", p, got, state)
		}
	}
}

func TestLeftBefore(t *testing.T) {
	group := func(names ...string) plan.Group { return plan.Group{Units: units(names...)} }
	stages := []plan.StagePlan{
		{Groups: []plan.Group{group("a", "b")}},
		{Groups: []plan.Group{group("c"), group("d", "e"), group("f")}},
		{Groups: []plan.Group{group("g")}},
	}
	states := map[string]plan.State{
		"b": plan.Failed, "c": plan.Unreachable, "d": plan.Failed, "e": plan.Succeeded, "f": plan.Failed, "g": plan.Failed,
	}
	for _, c := range []struct {
		reason       string
		stage, group int
		want         []plan.Left
	}{
		{"nothing is before the first", 0, 0, nil},
		{"earlier stages count, and not against this one's budget", 1, 0, []plan.Left{{Cluster: "b", Group: "g", State: plan.Failed}}},
		{"earlier groups of the stage count against its budget; what comes after does not", 1, 1, []plan.Left{
			{Cluster: "b", Group: "g", State: plan.Failed}, {Cluster: "c", Group: "g", State: plan.Unreachable, SameStage: true},
		}},
	} {
		got := plan.LeftBefore(stages, c.stage, c.group, func(cluster string) plan.State { return states[cluster] })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestStageFacts(t *testing.T) {
	var all []api.UnitStatus
	for _, p := range api.Phases() {
		all = append(all, api.UnitStatus{Phase: p})
	}
	want := rule.Stage{Name: "prod", Units: 17, Succeeded: 1, Failed: 3, Unreachable: 2, Waiting: 11}
	if diff := cmp.Diff(want, plan.StageFacts("prod", all)); diff != "" {
		t.Errorf("a unit in each phase (-want +got):\n%s", diff)
	}
}
