package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
)

var away = fault.New(fault.Unreachable, "cannot reach it")

func TestAClusterThatIsOutOfReachAtARollbackIsOwed(t *testing.T) {
	for _, c := range []struct {
		reason string
		in     api.RolloutInput
		set    func(w *world)
	}{
		{
			"the run itself goes back", api.RolloutInput{Run: "agent-1"},
			func(w *world) {
				w.plan.Stages[0].SoakStage = 24 * time.Hour
				w.command(time.Hour, api.UpdateRollback, api.Command{})
			},
		},
		{"a run of its own takes it back", api.RolloutInput{Run: "agent-2", Back: &api.BackInput{Run: "agent-1", Units: []string{"a", "b"}}}, func(*world) {}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			c.set(w)
			down := c.in.Back != nil
			w.at(30*time.Minute, func() { down = true })
			w.at(110*time.Minute, func() { down = false })
			w.fails = func(name, cluster string) error {
				if down && cluster == "a" && name == step.Acquire.Name() {
					return away
				}
				return nil
			}
			w.returns("a", 2*time.Hour)
			c.in.Plan, c.in.By = "0123456789abcdef", "ops"
			end := w.play(t, c.in)
			for cluster, phase := range unitPhases(end) {
				if phase != api.PhaseRolledBack {
					t.Errorf("cluster %s ended %s", cluster, phase)
				}
			}
			if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseRolledBack || took < 2*time.Hour {
				t.Errorf("the run ended %s after %s", end.Phase, took)
			}
		})
	}
}

func TestAnOwedRollbackThatIsRefusedAsksAPerson(t *testing.T) {
	w := newWorld(t, "a")
	tries := 0
	w.fails = func(name, _ string) error {
		if name != step.Revert.Name() {
			return nil
		}
		switch tries++; tries {
		case 1:
			return away
		case 2:
			return fault.New(fault.Refused, "an admission webhook says no")
		}
		return nil
	}
	w.returns("a", 3*time.Hour)
	w.command(8*time.Second, api.UpdateRollback, api.Command{})
	w.command(10*time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseRolledBack || took < 10*time.Hour {
		t.Errorf("the run ended %s after %s", end.Phase, took)
	}
}

func TestARollbackThatWasAcceptedIsObeyed(t *testing.T) {
	for _, c := range []struct {
		reason string
		set    func(w *world)
		at     time.Duration
	}{
		{"after an abort that is not done", func(w *world) {
			w.once(step.Disarm.Name(), "b", fault.New(fault.Internal, "slow"))
			w.command(14*time.Second, api.UpdateAbort, api.Command{})
		}, 14500 * time.Millisecond},
		{"while a part goes back", func(w *world) {
			w.plan.Stages[0].SoakStage = 24 * time.Hour
			w.command(time.Hour, api.UpdateRollback, api.Command{Scope: api.Scope{Clusters: []string{"a"}}})
		}, time.Hour + 3*time.Second},
		{"while the run waits for a cluster that is owed", func(w *world) {
			w.plan.Stages[0].SoakStage = 24 * time.Hour
			w.at(30*time.Minute, func() { w.once(step.Acquire.Name(), "a", away) })
			w.returns("a", 8*time.Hour)
			w.command(time.Hour, api.UpdateRollback, api.Command{Scope: api.Scope{Clusters: []string{"a"}}})
		}, 5 * time.Hour},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			c.set(w)
			asked := w.command(c.at, api.UpdateRollback, api.Command{})
			end := w.run(t)
			if !asked.accepted || asked.err != nil {
				t.Fatalf("it was not accepted: %+v", asked)
			}
			for cluster, phase := range unitPhases(end) {
				if phase != api.PhaseRolledBack {
					t.Errorf("%q, and cluster %s ended %s; asked:\n%s", asked.answer.Message, cluster, phase, strings.Join(w.asked(), "\n"))
				}
			}
		})
	}
}

func TestNothingIsTakenOnceTheEndIsWrittenDown(t *testing.T) {
	for _, name := range []string{api.UpdateRollback, api.UpdatePause, api.UpdateAbort, api.UpdateResume} {
		w := newWorld(t, "a")
		w.env.OnActivity(step.SaveRun.Name(), mock.Anything, mock.Anything).After(10*time.Minute).Return("", nil)
		asked := w.command(5*time.Minute, name, api.Command{})
		end := w.run(t)
		if asked.rejected == nil || !strings.Contains(asked.rejected.Error(), "has just ended") || end.Phase != api.PhaseSucceeded {
			t.Errorf("%s: %+v, the run ended %s", name, asked, end.Phase)
		}
		if code := ask.CodeOf(asked.rejected); code != fault.Conflict {
			t.Errorf("%s: it is %s, want what is asked again once the run has ended", name, code)
		}
	}
}

func TestAnEndThatIsAskedForComes(t *testing.T) {
	t.Run("of a rollback whose pods never get ready", func(t *testing.T) {
		w := newWorld(t, "a")
		w.at(7*time.Second, func() { w.advances = 1000 * time.Hour })
		w.command(8*time.Second, api.UpdateRollback, api.Command{})
		w.command(time.Hour, api.UpdateAbort, api.Command{Abandon: true})
		end := w.run(t)
		if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseFailed || took > 2*time.Hour {
			t.Errorf("the run ended %s after %s", end.Phase, took)
		}
	})
	t.Run("of a run that takes another back", func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.advances = time.Hour
		w.command(time.Minute, api.UpdateAbort, api.Command{Abandon: true})
		end := w.play(t, api.RolloutInput{Run: "agent-2", Plan: "0123456789abcdef", By: "ops", Back: &api.BackInput{Run: "agent-1", Units: []string{"a", "b"}}})
		for cluster, phase := range unitPhases(end) {
			if !phase.Final() {
				t.Errorf("cluster %s was left %s", cluster, phase)
			}
		}
	})
	t.Run("of a unit that cannot be disarmed, since its cluster is gone", func(t *testing.T) {
		w := newWorld(t, "a")
		w.fails = func(name, _ string) error {
			if name == step.Disarm.Name() || name == step.Release.Name() {
				return away
			}
			return nil
		}
		w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(1000*time.Hour).Return("", nil)
		w.command(2*time.Second, api.UpdatePause, api.Command{})
		w.command(time.Hour, api.UpdateAbort, api.Command{}) // it is owed
		w.command(90*time.Minute, api.UpdateAbort, api.Command{})
		end := w.run(t)
		if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseAborted || took < 80*time.Minute || took > 2*time.Hour {
			t.Errorf("the run ended %s after %s", end.Phase, took)
		}
	})
}

func TestTheBrakeOfARollbackHoldsAndOpensBesideAClusterOutOfReach(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	w.plan.Stages[0].SoakStage = 24 * time.Hour
	broken := false
	w.at(30*time.Minute, func() { broken = true })
	w.fails = func(name, cluster string) error {
		switch {
		case !broken || name != step.Acquire.Name():
		case cluster == "d":
			return away
		case cluster == "c" || cluster == "b":
			return fault.New(fault.Refused, "no")
		}
		return nil
	}
	w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(200*time.Hour).Return("", nil)
	w.command(time.Hour, api.UpdateRollback, api.Command{})
	w.env.RegisterDelayedCallback(func() {
		if now := w.now(t); now.Phase != api.PhaseHeld || unitPhases(now)["a"] == api.PhaseRolledBack {
			t.Errorf("two clusters could not go back, and the run is %s, cluster a %s", now.Phase, unitPhases(now)["a"])
		}
	}, 2*time.Hour)
	w.command(3*time.Hour, api.UpdateResume, api.Command{})
	w.env.RegisterDelayedCallback(func() {
		if now := unitPhases(w.now(t)); now["a"] != api.PhaseRolledBack {
			t.Errorf("an hour after it was resumed: %v", now)
		}
	}, 4*time.Hour)
	w.command(60*time.Hour, api.UpdateAbort, api.Command{Abandon: true})
	end := w.run(t)
	if now := unitPhases(end); now["a"] != api.PhaseRolledBack || !now["d"].Final() {
		t.Errorf("the run ended %s: %v", end.Phase, now)
	}
}

func TestAnApprovalIsTakenAfterTheRunHasContinuedAsNew(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.Stages[0].Approvals = 1
	w.command(time.Hour, api.UpdateApprove, api.Command{Who: "one", Plan: "0123456789"})
	unit := api.UnitStatus{Path: "prod/a", Cluster: "a", Group: "prod", Stage: "production", Phase: api.PhasePending}
	end := w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops", State: &api.RunState{
		Status: api.RunStatus{Name: "agent-1", Phase: api.PhaseMoving, Stages: []api.StageStatus{{Name: "production", Units: []api.UnitStatus{unit}}}},
	}})
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
}

func TestTheRunKnowsWhenAClusterIsWithinReachAgain(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].MaxUnreachable = 1
	w.once(step.Disarm.Name(), "a", away)
	w.returns("a", 10*time.Second)
	w.command(2*time.Second, api.UpdatePause, api.Command{})
	w.command(time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if log := w.asked(); slices.Index(log, "Acquire b") < slices.Index(log, "Release a Succeeded") {
		t.Errorf("b started while a moved, one may at a time (run %s):\n%s", end.Phase, strings.Join(log, "\n"))
	}
}

func TestPodsThatWereLostWhilePausedAreMovedAgain(t *testing.T) {
	w := newWorld(t, "a")
	w.rules.Soak.Batch = pipelines.Duration(10 * time.Minute)
	lost := false
	w.fails = func(name, _ string) error {
		switch name {
		case step.Disarm.Name():
			lost = true
		case step.Advance.Name():
			lost = false
		case step.Finish.Name():
			if lost {
				return fault.New(fault.Refused, "1 of 10 pods are not at revision new and would move at once")
			}
		}
		return nil
	}
	w.command(15*time.Minute, api.UpdatePause, api.Command{})
	w.command(time.Hour, api.UpdateResume, api.Command{})
	w.command(10*time.Hour, api.UpdateAbort, api.Command{})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s; asked:\n%s", end.Phase, strings.Join(w.asked(), "\n"))
	}
	w.expect(t, []string{"Advance a/2", "Disarm a", "Arm a", "Advance a/2", "Finish a"}, nil)
}

func TestAClusterThatIsLostForAMomentIsNotGivenUp(t *testing.T) {
	for back, want := range map[time.Duration]api.Phase{10 * time.Second: api.PhaseSucceeded, time.Hour: api.PhaseFailed} {
		t.Run(string(want), func(t *testing.T) {
			w := newWorld(t, "a")
			w.plan.Stages[0].MaxUnreachable = 1 // so the stage waits for nobody
			w.once(step.Advance.Name(), "a", away)
			w.returns("a", back)
			end := w.run(t)
			u := end.Stages[0].Units[0]
			if end.Phase != want || u.Phase != want {
				t.Fatalf("the run ended %s, its unit %s", end.Phase, u.Phase)
			}
			if want == api.PhaseFailed && (u.Failure == nil || !strings.Contains(u.Failure.Message, "a was out of reach to the end of the run: ")) {
				t.Errorf("it says that it failed because of %+v", u.Failure)
			}
		})
	}
}
