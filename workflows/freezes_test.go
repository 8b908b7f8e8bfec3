package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
)

// holds has the run hear, from a time on, that these freezes hold it.
func (w *world) holds(after time.Duration, revision int64, list ...api.Hold) {
	w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow(api.SignalHolds, api.Holds{Revision: revision, List: list}) }, after)
}

func freeze(name string, in api.InFlight, clusters ...string) api.Hold {
	return api.Hold{Freeze: name, By: "ann", Reason: "the network flaps", InFlight: in, Clusters: clusters}
}

func TestAFreezeStopsWhatIsInFlight(t *testing.T) {
	for in, c := range map[api.InFlight]struct {
		disarms, judges, finishes bool // before it is lifted
	}{
		api.PauseNow:        {disarms: true},
		api.PauseAtBoundary: {disarms: true, judges: true},
		api.Finish:          {judges: true, finishes: true},
	} {
		t.Run(string(in), func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.advances = time.Minute
			w.holds(30*time.Second, 1, freeze("freeze-1", in))
			var at api.RunStatus
			var log []string
			w.at(time.Hour, func() { at, log = w.now(t), slices.Clone(w.log) })
			w.holds(2*time.Hour, 2)
			end := w.run(t)
			if end.Phase != api.PhaseSucceeded {
				t.Errorf("the run ended %s", end.Phase)
			}
			if took := end.Ended.Sub(end.Started); took < 2*time.Hour {
				t.Errorf("the run took %s, and was frozen for two hours", took)
			}
			if got := slices.Contains(log, "Disarm a"); got != c.disarms {
				t.Errorf("disarmed: %v", got)
			}
			if slices.Contains(log, "Acquire b") {
				t.Error("a cluster started while the run was frozen")
			}
			if got := slices.Contains(log, "gate.Evaluate"); got != c.judges {
				t.Errorf("the batch had ended: %v", got)
			}
			if got := slices.Contains(log, "Advance a/2"); got != c.finishes {
				t.Errorf("the next batch had moved: %v", got)
			}
			if ended := at.Stages[0].Units[0].Phase == api.PhaseSucceeded; ended != c.finishes {
				t.Errorf("the cluster had ended: %v", ended)
			}
			waits := at.WaitsFor()
			if waits == nil || waits.Kind != api.WaitFreeze || waits.Name != "freeze-1" || waits.Owner != "whoever may lift freeze-1" ||
				!strings.Contains(waits.Unmet[0], "by ann: the network flaps") {
				t.Errorf("it says that it waits for %+v", waits)
			}
		})
	}
}

func TestAFreezeHoldsOnlyItsClusters(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.plan.Stages[0].Groups[0].Units[2].After = []string{"b"}
	in := api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "bob"}
	in.Holds = api.Holds{Revision: 3, List: []api.Hold{freeze("freeze-3", api.PauseNow, "b")}}
	var at api.RunStatus
	w.at(time.Hour, func() { at = w.now(t) })
	w.holds(2*time.Hour, 4)
	w.holds(2*time.Hour+time.Second, 3, freeze("freeze-3", api.PauseNow)) // late
	end := w.play(t, in)
	if end.Phase != api.PhaseSucceeded || end.Ended.Sub(end.Started) > 3*time.Hour {
		t.Errorf("the run ended %s after %s", end.Phase, end.Ended.Sub(end.Started))
	}
	units := at.Stages[0].Units
	if got := []api.Phase{units[0].Phase, units[1].Phase, units[2].Phase}; !slices.Equal(got, []api.Phase{api.PhaseSucceeded, api.PhasePending, api.PhasePending}) {
		t.Errorf("the clusters are %v: the second is frozen, and the third goes after it", got)
	}
	if w := at.Stages[0].Waiting; w == nil || w.Kind != api.WaitFreeze || !slices.Contains(w.Unmet, "1 cluster cannot start") {
		t.Errorf("the stage waits for %+v", w)
	}
}

func TestNothingOfAFrozenRunStarts(t *testing.T) {
	w := newWorld(t, "a")
	in := api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "bob"}
	in.Holds = api.Holds{Revision: 1, List: []api.Hold{freeze("freeze-1", api.Finish)}}
	w.command(time.Minute, api.UpdatePause, api.Command{Reason: "me too"})
	resume := w.command(10*time.Minute, api.UpdateResume, api.Command{})
	var paused, frozen api.RunStatus
	w.at(5*time.Minute, func() { paused = w.now(t) })
	w.at(time.Hour, func() { frozen = w.now(t) })
	w.holds(2*time.Hour, 2, freeze("freeze-2", api.Finish)) // another one holds it instead
	w.at(3*time.Hour, func() {
		if got := w.now(t).Waiting; got == nil || got.Name != "freeze-2" {
			t.Errorf("it waits for %+v", got)
		}
	})
	w.holds(4*time.Hour, 3)
	end := w.play(t, in)
	if end.Phase != api.PhaseSucceeded || end.Ended.Sub(end.Started) < 4*time.Hour {
		t.Errorf("the run ended %s after %s", end.Phase, end.Ended.Sub(end.Started))
	}
	if paused.Waiting == nil || paused.Waiting.Kind != api.WaitPerson {
		t.Errorf("paused, it waits for %+v", paused.Waiting)
	}
	if !resume.accepted || !strings.Contains(resume.answer.Message, "freeze-1 by ann") {
		t.Errorf("who resumes hears %+v", resume)
	}
	if frozen.Waiting == nil || frozen.Waiting.Kind != api.WaitFreeze || frozen.Phase != api.PhasePaused {
		t.Errorf("resumed, it is %s and waits for %+v", frozen.Phase, frozen.Waiting)
	}
}

func TestAFreezeKeepsNothingFromGoingBack(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.holds(8*time.Second, 1, freeze("freeze-1", api.PauseNow))
	w.command(time.Hour, api.UpdateRollback, api.Command{Reason: "bad"})
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack || end.Ended.Sub(end.Started) > 2*time.Hour {
		t.Errorf("the run ended %s after %s", end.Phase, end.Ended.Sub(end.Started))
	}
	w.expect(t, []string{"Disarm a", "Revert a/2", "Release a RolledBack"}, []string{"Acquire b"})
}

func TestAFrozenRunCanBeAborted(t *testing.T) {
	w := newWorld(t, "a")
	w.holds(2*time.Second, 1, freeze("freeze-1", api.PauseNow))
	w.command(time.Hour, api.UpdateAbort, api.Command{Reason: "no more"})
	if end := w.run(t); end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
}

// A pause and a freeze each have their own end: the unit goes on after both.
func TestAPauseAndAFreezeAreTwoThings(t *testing.T) {
	w := newWorld(t, "a")
	w.advances = time.Minute
	w.holds(30*time.Second, 1, freeze("freeze-1", api.PauseNow))
	w.command(40*time.Second, api.UpdatePause, api.Command{Reason: "look"})
	w.holds(time.Hour, 2)
	var at api.RunStatus
	w.at(90*time.Minute, func() { at = w.now(t) })
	w.command(2*time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || end.Ended.Sub(end.Started) < 2*time.Hour {
		t.Errorf("the run ended %s after %s", end.Phase, end.Ended.Sub(end.Started))
	}
	if at.Phase != api.PhasePaused || at.Waiting == nil || at.Waiting.Kind != api.WaitPerson {
		t.Errorf("thawed, it is %s and waits for %+v", at.Phase, at.Waiting)
	}
	if got := w.counted("Disarm a"); got != 1 {
		t.Errorf("disarmed %d times", got)
	}
}

func TestARunThatTakesBackIsNotFrozen(t *testing.T) {
	w := newWorld(t, "a")
	in := api.RolloutInput{Run: "agent-2", Plan: "0123456789abcdef", By: "bob", Back: &api.BackInput{Run: "agent-1", Units: []string{"a"}}}
	w.holds(time.Second, 1, freeze("freeze-1", api.PauseNow))
	if end := w.play(t, in); end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
}
