package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

const deadline = 15 * time.Minute

// slow is a world whose batches take a day, in which nothing of theirs moves.
func slow(t *testing.T, clusters ...string) *world {
	t.Helper()
	w := newWorld(t, clusters...)
	w.rules.ProgressDeadline = pipelines.Duration(deadline)
	w.rules.Batches = []pipelines.Amount{pipelines.Percent(100)}
	w.advances = 24 * time.Hour
	w.facts = func(_ string, f *rule.Facts) {
		f.Batch.Updated, f.Batch.UpdatedReady, f.Workload.UpdatedReady = 3, 2, 2
	}
	return w
}

func (w *world) times(what string) int {
	n := 0
	for _, line := range w.asked() {
		if line == what {
			n++
		}
	}
	return n
}

func TestABatchThatDoesNotGetOnStands(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.OnFailure = pipelines.Rollback
	stalled := true
	w.stalls = func(cluster string, number int) bool { return stalled && cluster == "a" && number == 2 }
	w.env.RegisterDelayedCallback(func() {
		now := w.now(t)
		u := now.Stages[0].Units[0]
		if now.Phase != api.PhaseStalled || u.Phase != api.PhaseStalled {
			t.Errorf("the run is %s and its unit %s, want both Stalled", now.Phase, u.Phase)
		}
		if u.Failure == nil || u.Failure.Name != api.Progress || u.Failure.Verdict != api.Inconclusive || u.FailedAt != "prod/a/all/2" {
			t.Errorf("it stands at %q by %+v", u.FailedAt, u.Failure)
		}
		w.expect(t, []string{"Advance a/2", "Disarm a"}, []string{"Acquire b", "Revert a/2"})
	}, time.Hour)
	w.at(2*time.Hour, func() { stalled = false })
	w.command(3*time.Hour, api.UpdateResume, api.Command{})
	if end := w.run(t); end.Phase != api.PhaseSucceeded {
		t.Errorf("resumed, the run ended %s", end.Phase)
	}
	w.expect(t, []string{"Disarm a", "Arm a", "Advance a/2", "Release a Succeeded", "Release b Succeeded"}, nil)
	batch := w.records[0].Batches[1]
	i := slices.IndexFunc(batch.Checks, func(c api.Check) bool { return c.Name == api.Progress })
	if batch.Phase != api.PhaseSucceeded || batch.Stuck != nil || i < 0 || batch.Checks[i].Verdict != api.Passed {
		t.Errorf("the batch that went on is kept as %+v", batch)
	}
}

func TestAStalledUnitHearsEveryOrder(t *testing.T) {
	for order, want := range map[string]api.Phase{
		api.UpdateAbort: api.PhaseAborted, api.UpdateRollback: api.PhaseRolledBack,
	} {
		t.Run(order, func(t *testing.T) {
			w := newWorld(t, "a")
			w.stalls = func(string, int) bool { return true }
			w.command(time.Hour, order, api.Command{})
			if end := w.run(t); end.Phase != want {
				t.Errorf("the run ended %s, want %s", end.Phase, want)
			}
		})
	}
}

func TestTheTimerFindsABatchThatDoesNotEndItself(t *testing.T) {
	w := slow(t, "a")
	var phases []string
	w.env.RegisterDelayedCallback(func() { phases = append(phases, string(w.now(t).Phase)) }, deadline)
	w.env.RegisterDelayedCallback(func() { phases = append(phases, string(w.now(t).Phase)) }, 2*deadline+3*time.Minute)
	w.command(2*time.Hour, api.UpdateAbort, api.Command{})
	w.run(t)
	// The first look finds three pods that nobody knew of; the second finds nothing new.
	if want := []string{"Moving", "Stalled"}; !slices.Equal(phases, want) {
		t.Errorf("the run was %v, want %v; asked:\n%s", phases, want, strings.Join(w.asked(), "\n"))
	}
	if n := w.times("Look a/1"); n != 2 {
		t.Errorf("it looked %d times, want 2", n)
	}
	if c := w.records[0].Batches[0]; c.Phase == api.PhaseSucceeded || c.Checks[0].Message != "nothing got on for 15m0s: 3 of 10 pods are updated, 2 of these are ready" {
		t.Errorf("the batch is kept as %+v", c)
	}
}

func TestTheTimerGivesWhatGetsOnMoreTime(t *testing.T) {
	w := slow(t, "a")
	w.advances = 3 * time.Hour
	began := w.env.Now()
	w.facts = func(_ string, f *rule.Facts) {
		// One pod more in every quarter of an hour; all of them at the end.
		if n := int64(w.env.Now().Sub(began) / deadline); n < 12 {
			f.Batch.Updated, f.Batch.UpdatedReady = n, 0
		}
	}
	if end := w.run(t); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	if n := w.times("Look a/1"); n < 5 {
		t.Errorf("it looked %d times in three hours", n)
	}
	w.expect(t, nil, []string{"Disarm a"})
}

func TestTheTimerStandsStill(t *testing.T) {
	for _, c := range []struct {
		reason string
		set    func(w *world)
	}{
		{"while a person has paused the run", func(w *world) {
			w.command(10*time.Minute, api.UpdatePause, api.Command{})
			w.command(10*time.Hour, api.UpdateResume, api.Command{})
			w.command(10*time.Hour+10*time.Minute, api.UpdateAbort, api.Command{})
		}},
		{"while its cluster is out of reach", func(w *world) {
			w.advances = 10 * time.Minute
			w.once(step.Advance.Name(), "a", away)
			w.returns("a", 10*time.Hour)
			w.command(10*time.Hour+15*time.Minute, api.UpdateAbort, api.Command{})
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := slow(t, "a")
			c.set(w)
			w.run(t)
			looks := 0
			for _, line := range w.asked() {
				if strings.HasPrefix(line, "Look") {
					looks++
				}
			}
			if looks > 0 {
				t.Errorf("it looked %d times; asked:\n%s", looks, strings.Join(w.asked(), "\n"))
			}
		})
	}
}
