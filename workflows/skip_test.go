package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// skips has somebody leave a cluster out.
func (w *world) skips(after time.Duration, clusters ...string) *heard {
	return w.command(after, api.UpdateSkip, api.Command{Who: "ann", Reason: "its rack is down", Scope: api.Scope{Clusters: clusters}})
}

func TestASkippedClusterIsLeftOut(t *testing.T) {
	for _, c := range []struct {
		reason  string
		set     func(w *world) []*heard // that are to be taken
		a       api.Phase
		most    time.Duration
		unasked []string
		asked   []string
	}{
		{
			reason: "before it starts", a: api.PhaseSkipped, most: time.Hour, unasked: []string{"Acquire a"},
			set: func(w *world) []*heard {
				w.plan.Stages[0].Approvals = 1
				s := w.skips(time.Second, "a")
				return []*heard{s, w.command(time.Minute, api.UpdateApprove, api.Command{Who: "bob", Plan: "0123456789"})}
			},
		},
		{
			reason: "while a check holds it", a: api.PhaseSkipped, most: 3 * time.Hour, unasked: []string{"Revert a/1", "Advance a/2"},
			asked: []string{"Disarm a", "Release a Skipped"},
			set: func(w *world) []*heard {
				w.facts = func(cluster string, f *rule.Facts) {
					if cluster == "a" {
						f.Workload.Restarts = 1
					}
				}
				return []*heard{w.skips(time.Hour, "a"), w.command(2*time.Hour, api.UpdateResume, api.Command{})}
			},
		},
		{
			reason: "while it is out of reach, which its stage does not bear", a: api.PhaseSkipped, most: 2 * time.Hour,
			set: func(w *world) []*heard {
				w.fails = func(name, cluster string) error {
					if cluster == "a" {
						return fault.New(fault.Unreachable, "cannot reach a")
					}
					return nil
				}
				w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(24*time.Hour).Return("", nil)
				return []*heard{w.skips(time.Hour, "a"), w.skips(time.Hour+time.Second, "a")}
			},
		},
		{
			reason: "while the run is paused in its move", a: api.PhaseSkipped, most: 3 * time.Hour, asked: []string{"Disarm a", "Release a Skipped"},
			set: func(w *world) []*heard {
				pause := w.command(2*time.Second, api.UpdatePause, api.Command{})
				return []*heard{pause, w.skips(time.Hour, "a"), w.command(2*time.Hour, api.UpdateResume, api.Command{})}
			},
		},
		{
			reason: "while it stands in the soak of its stage", a: api.PhaseSkipped, most: 25 * time.Hour, asked: []string{"Observe a at rest"},
			set: func(w *world) []*heard {
				w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
				w.sees("a", time.Hour, bad(api.Inconclusive), nil)
				return []*heard{w.skips(3*time.Hour, "a")}
			},
		},
		{
			reason: "but not while it moves", a: api.PhaseSucceeded, most: time.Hour, asked: []string{"Finish a"},
			set: func(w *world) []*heard {
				no := w.skips(2*time.Second, "a")
				w.env.RegisterDelayedCallback(func() {
					if no.rejected == nil || !strings.Contains(no.rejected.Error(), "pause agent-1 first") {
						t.Errorf("what moves was skipped: %+v", no)
					}
				}, 3*time.Second)
				return nil
			},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.plan.OnFailure = pipelines.Pause
			taken := c.set(w)
			end := w.run(t)
			for i, h := range taken {
				if !h.accepted || h.err != nil {
					t.Errorf("command %d: %+v", i, h)
				}
			}
			if diff := cmp.Diff(map[string]api.Phase{"a": c.a, "b": api.PhaseSucceeded}, unitPhases(end)); diff != "" {
				t.Errorf("units (-want +got):\n%s", diff)
			}
			if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseSucceeded || end.Failed != 0 || took > c.most {
				t.Errorf("the run ended %s with %d failed, after %s", end.Phase, end.Failed, took)
			}
			if left := end.LeftOut(); c.a == api.PhaseSkipped && (len(left) != 1 || left[0].Ending.By != "ann (unverified)" || left[0].Ending.Reason != "its rack is down") {
				t.Errorf("it says that these were left out: %+v", left)
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}

func TestWhatGoesAfterASkippedClusterStarts(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].Groups[0].Units[1].After = []string{"a"}
	w.fails = func(name, cluster string) error {
		if name == step.Acquire.Name() && cluster == "a" {
			return fault.New(fault.Conflict, "another installation holds it")
		}
		return nil
	}
	skip := w.skips(time.Hour, "a")
	end := w.run(t)
	if !skip.accepted || skip.answer.Message != "agent-1 goes on without a; pods there stay as they are" {
		t.Errorf("skip: %+v", skip)
	}
	if diff := cmp.Diff(map[string]api.Phase{"a": api.PhaseSkipped, "b": api.PhaseSucceeded}, unitPhases(end)); diff != "" || end.Phase != api.PhaseSucceeded {
		t.Errorf("%s (-want +got):\n%s", end.Phase, diff)
	}
}

func TestASkippedClusterThatMovedStillGoesBack(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.command(2*time.Second, api.UpdatePause, api.Command{})
	w.skips(time.Minute, "a")
	w.command(time.Hour, api.UpdateRollback, api.Command{Reason: "bad"})
	end := w.run(t)
	if got := unitPhases(end)["a"]; got != api.PhaseRolledBack || end.Phase != api.PhaseRolledBack {
		t.Errorf("a ended %s, the run %s", got, end.Phase)
	}
}

// TestACheckOfAGroupCountsSkipsAnew: a check of the group that a failed cluster fails asks again once that is left out.
func TestACheckOfAGroupCountsSkipsAnew(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.OnFailure = pipelines.Continue
	w.plan.Stages[0].MaxFailures = 1
	w.plan.Stages[0].Checks = []pipelines.ResolvedCheck{{
		Name: "none-failed", At: []pipelines.Point{pipelines.AfterGroup}, Enforcement: pipelines.Enforcing,
		Gates: []pipelines.ResolvedGate{{Name: "none-failed", CEL: "stage.failed == 0"}},
	}}
	w.facts = func(cluster string, f *rule.Facts) {
		if cluster == "a" {
			f.Workload.Restarts = 1
		}
	}
	skip := w.skips(time.Hour, "a")
	w.command(2*time.Hour, api.UpdateResume, api.Command{Who: "ann"})
	w.command(10*time.Hour, api.UpdateAbort, api.Command{Who: "ann"})
	end := w.run(t)
	if !skip.accepted || end.Phase != api.PhaseSucceeded || end.Ended.Sub(end.Started) > 3*time.Hour {
		t.Errorf("it ended %s after %s; the skip %+v, the check %+v", end.Phase, end.Ended.Sub(end.Started), skip, end.Stages[0].Checks)
	}
}
