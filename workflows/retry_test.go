package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// breaks has checks of some clusters fail until a time.
func (w *world) breaks(until time.Duration, clusters ...string) {
	broken := true
	w.facts = func(cluster string, f *rule.Facts) {
		if broken && slices.Contains(clusters, cluster) {
			f.Workload.Restarts = 1
		}
	}
	w.at(until, func() { broken = false })
}

func TestARetryOfAnOpenRun(t *testing.T) {
	for _, c := range []struct {
		reason  string
		set     func(w *world)
		refused string // "" where it is taken
		says    string
		a, c    api.Phase
		run     api.Phase
	}{
		{
			reason: "what ended as failed begins anew, where its group still starts units", says: "agent-1 tries again: a to begin anew, b to look again",
			set: func(w *world) { w.plan.Stages[0].MaxFailures = 1; w.breaks(time.Hour, "a", "b") },
			a:   api.PhaseSucceeded, c: api.PhaseSucceeded, run: api.PhaseSucceeded,
		},
		{
			reason: "what stands looks again", says: "agent-1 tries again: a to look again",
			set: func(w *world) { w.breaks(time.Hour, "a") },
			a:   api.PhaseSucceeded, c: api.PhaseSucceeded, run: api.PhaseSucceeded,
		},
		{
			reason: "not where a person has paused it", refused: "cannot retry agent-1: it is paused; resume it first",
			set: func(w *world) {
				broken := true
				w.fails = func(name, cluster string) error {
					if broken && name == step.Prepare.Name() {
						return fault.New(fault.Refused, "an admission webhook says no")
					}
					return nil
				}
				w.at(time.Hour, func() { broken = false })
				w.command(90*time.Minute, api.UpdatePause, api.Command{})
				w.command(4*time.Hour, api.UpdateResume, api.Command{})
			},
			a: api.PhaseSucceeded, c: api.PhaseSucceeded, run: api.PhaseSucceeded,
		},
		{
			reason: "not what the run has gone on from", refused: "cannot retry agent-1: it has gone on from where a failed; retry it once it has ended",
			set: func(w *world) {
				units := w.plan.Stages[0].Groups[0].Units
				w.plan.Stages[0].MaxFailures = 1
				w.plan.Stages[0].SoakStage = 24 * time.Hour
				w.plan.Stages[0].Groups = []plan.Group{{Units: units[:1], MaxConcurrency: 1}, {Units: units[1:], MaxConcurrency: 1}}
				w.breaks(time.Hour, "a")
			},
			a: api.PhaseFailed, c: api.PhaseSucceeded, run: api.PhaseFailed,
		},
		{
			reason: "not what is fine", refused: "cannot retry agent-1: nothing of it stands or has failed",
			set: func(w *world) { w.plan.Stages[0].SoakStage = 24 * time.Hour },
			a:   api.PhaseSucceeded, c: api.PhaseSucceeded, run: api.PhaseSucceeded,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c")
			w.plan.OnFailure = pipelines.Pause
			c.set(w)
			retry := w.command(2*time.Hour, api.UpdateRetry, api.Command{Who: "ann"})
			end := w.run(t)
			switch {
			case c.refused == "" && (!retry.accepted || retry.answer.Message != c.says):
				t.Errorf("it answers %+v", retry)
			case c.refused != "" && (retry.rejected == nil || !strings.Contains(retry.rejected.Error(), c.refused)):
				t.Errorf("it answers %+v", retry)
			}
			if diff := cmp.Diff(map[string]api.Phase{"a": c.a, "b": api.PhaseSucceeded, "c": c.c}, unitPhases(end)); diff != "" || end.Phase != c.run {
				t.Errorf("%s (-want +got):\n%s", end.Phase, diff)
			}
			if a := end.Stages[0].Units[0]; c.a == api.PhaseSucceeded && a.Failure != nil {
				t.Errorf("a has arrived, and says that it was stopped by %+v", a.Failure)
			}
		})
	}
}

func TestARetryGoesOverItsPartOfThePlan(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.plan.Stages = append(w.plan.Stages, w.plan.Stages[0])
	w.plan.Stages[1].Name = "last"
	w.plan.Stages[1].Groups = []plan.Group{{Units: []plan.Unit{{Path: "prod/d", Cluster: "d", Group: "prod"}}, MaxConcurrency: 1}}
	w.plan.Stages[1].Approvals = 1
	end := w.play(t, api.RolloutInput{
		Run: "agent-2", Plan: "0123456789abcdef", By: "ops", Retry: &api.RetryInput{Run: "agent-1", Units: []string{"b"}},
	})
	if diff := cmp.Diff(map[string]api.Phase{"b": api.PhaseSucceeded}, unitPhases(end)); diff != "" || end.Phase != api.PhaseSucceeded || end.Retry != "agent-1" {
		t.Errorf("%s of %s (-want +got):\n%s", end.Phase, end.Retry, diff)
	}
	if last := end.Stages[1]; last.Phase != api.PhaseSkipped || last.Skipped != "has nothing to try again" {
		t.Errorf("the stage without a cluster says %+v", last)
	}
}

// TestARetriedClusterGoesBackWhole: what the first attempt had moved is nothing that the second one knows of.
func TestARetriedClusterGoesBackWhole(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].MaxFailures = 1
	w.plan.OnFailure = pipelines.Pause
	w.plan.Stages[0].Groups[0].MaxConcurrency = 2
	w.advances = 10 * time.Minute
	w.breaks(90*time.Minute, "a", "b")
	retry := w.command(2*time.Hour, api.UpdateRetry, api.Command{Who: "ann"})
	back := w.command(2*time.Hour+15*time.Minute, api.UpdateRollback, api.Command{Who: "ann"})
	end := w.run(t)
	if !retry.accepted || !back.accepted {
		t.Fatalf("retry %+v, rollback %+v", retry, back)
	}
	asked := w.asked()
	for _, failed := range []string{"a", "b"} { // the other one stood
		i := slices.Index(asked, "Release "+failed+" Aborted")
		if i >= 0 && end.Phase == api.PhaseRolledBack && slices.Contains(asked[i:], "Diff "+failed) && slices.Contains(asked[i:], "Release "+failed+" RolledBack") {
			return
		}
	}
	t.Errorf("it ended %s; what had failed was to stop, be compared as a whole, and go back:\n%s", end.Phase, strings.Join(asked, "\n"))
}

func TestAPauseIsKeptBesideADecision(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.OnFailure = pipelines.Pause
	w.plan.Stages[0].MaxFailures = 1
	w.breaks(90*time.Minute, "a", "b")
	w.command(time.Hour, api.UpdatePause, api.Command{Who: "ann"})
	retry := w.command(2*time.Hour, api.UpdateRetry, api.Command{Who: "bob"})
	w.command(3*time.Hour, api.UpdateResume, api.Command{Who: "ann"})
	w.command(3*time.Hour+30*time.Minute, api.UpdateAbort, api.Command{Who: "ann"})
	w.run(t)
	if retry.rejected == nil || !strings.Contains(retry.rejected.Error(), "it is paused; resume it first") {
		t.Errorf("ann had paused it, and bob's retry is %+v", retry)
	}
}
