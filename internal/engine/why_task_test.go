package engine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// TestWhyOfATask: it waits, was left out or failed, each with its reason, and is asked for by its name.
func TestWhyOfATask(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	all := b.temporal.answers[run.Name].(api.RunStatus)
	found := []pipelines.ParamValue{{Name: "hosts", Value: []string{"a"}}}
	all.Results, all.ResultsLeftOut = found, []string{"more"}
	all.Tasks = []api.TaskStatus{
		{Name: "fine", Phase: api.PhaseSucceeded, Reason: "Succeeded", Results: found, Steps: []api.Check{{Name: "ask", Verdict: api.Passed}}},
		{
			Name: "broke", Combination: 2, Phase: api.PhaseFailed, Reason: "Failed", Message: "look failed",
			Steps:    []api.Check{{Name: "ask", Verdict: api.Passed}, {Name: "look", Verdict: api.Failed, Message: "3 of 12"}},
			Attempts: []api.TaskAttempt{{Reason: "ToBeRetried", Message: "5 of 12"}},
		},
		{Name: "left-out", Phase: api.PhaseSkipped, Reason: "When Expressions evaluated to false"},
		{Name: "goes", Phase: api.PhaseMoving, Started: noon},
		{Name: "next", Phase: api.PhasePending},
		{Name: "last", Phase: api.PhasePending, Finally: true},
	}
	b.temporal.answers[run.Name] = all
	for about, want := range map[string]api.Waiting{
		"fine": {}, "broke": {Kind: api.WaitNothing, Unmet: []string{"Failed: look failed"}},
		"broke[2]": {Kind: api.WaitNothing, Unmet: []string{"Failed: look failed"}},
		"left-out": {Kind: api.WaitNothing, Unmet: []string{"When Expressions evaluated to false"}},
		"goes":     {Kind: api.WaitTasks, Name: "goes", Unmet: []string{"its steps have not ended"}},
		"next":     {Kind: api.WaitTurn, Unmet: []string{"the tasks that it is ordered after have not ended"}},
		"last":     {Kind: api.WaitTurn, Unmet: []string{"finally has not begun: it does once the run is over"}},
	} {
		why, err := b.Why(t.Context(), run.Name, about)
		if err != nil || len(why.Reasons) != 1 {
			t.Fatalf("of %s: %+v, %v", about, why, err)
		}
		got := why.Reasons[0].Waiting
		if got == nil {
			got = &api.Waiting{}
		}
		if got.Kind != want.Kind || got.Name != want.Name || !slices.Equal(got.Unmet, want.Unmet) {
			t.Errorf("%s waits for %+v, want %+v", about, got, want)
		}
	}
	fine, err := b.Why(t.Context(), run.Name, "fine")
	if err != nil || fine.Results != nil || !cmp.Equal(fine.Reasons[0].Results, found) {
		t.Errorf("a task hands out %+v, %v", fine, err)
	}
	why, err := b.Why(t.Context(), run.Name, "")
	if err != nil || !cmp.Equal(why.Results, found) || len(why.ResultsLeftOut) != 1 {
		t.Fatalf("the run hands out %+v, %v", why, err)
	}
	i := slices.IndexFunc(why.Reasons, func(r engine.Reason) bool { return r.Subject == "task broke[2]" })
	if i < 0 || why.Reasons[i].Failure == nil || why.Reasons[i].Failure.Message != "3 of 12" || len(why.Reasons[i].Attempts) != 1 {
		t.Errorf("of the run it says %+v", why.Reasons)
	}
	if slices.ContainsFunc(why.Reasons, func(r engine.Reason) bool { return r.Subject == "task left-out" }) {
		t.Errorf("what holds nothing up is among the reasons: %+v", why.Reasons)
	}
	if _, err := b.Why(t.Context(), run.Name, "nobody"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of a task that there is none of: %v", err)
	}
}
