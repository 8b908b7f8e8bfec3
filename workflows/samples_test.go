package workflows_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// sampled is a world whose batches soak for ten minutes and a hundred measurements of a background check, which take half an hour.
func sampled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "a")
	w.background()
	w.rules.Soak.Batch, w.rules.Soak.MinSamples = pipelines.Duration(10*time.Minute), 100
	w.plan.OnFailure = pipelines.Rollback
	w.watches(watching{after: never})
	return w
}

func TestASoakLastsUntilItsSamplesAreMade(t *testing.T) {
	const takes = 30 * time.Minute
	good := watching{after: takes, verdict: api.Passed}
	for _, c := range []struct {
		reason  string
		finds   []watching
		set     func(*world)
		run     api.Phase
		least   time.Duration
		most    time.Duration
		asked   []string
		unasked []string
	}{
		{
			reason: "both batches wait for theirs, and end with no other measurement", finds: []watching{good}, run: api.PhaseSucceeded,
			least: 2 * takes, most: 2*takes + 5*time.Minute, asked: []string{"Advance a/1", "Sample", "Sampled a", "Advance a/2", "Sample", "Sampled a"},
			unasked: []string{"checks.Ask a during"},
		},
		{
			reason: "they are made before the soak is over: it takes its time", finds: []watching{{after: time.Minute, verdict: api.Passed}},
			run: api.PhaseSucceeded, least: 20 * time.Minute, most: 25 * time.Minute, unasked: []string{"checks.Ask a during"},
		},
		{
			reason: "without a soak there is one for them", finds: []watching{good}, set: func(w *world) { w.rules.Soak.Batch = 0 },
			run: api.PhaseSucceeded, least: 2 * takes, most: 2*takes + 5*time.Minute,
		},
		{
			reason: "they fail while it soaks", finds: []watching{{after: 5 * time.Minute, verdict: api.Failed}}, run: api.PhaseRolledBack,
			most: 8 * time.Minute, asked: []string{"Sampled a", "Disarm a", "Revert a/1"}, unasked: []string{"Advance a/2"},
		},
		{
			reason: "they fail when nothing else is waited for", finds: []watching{{after: 20 * time.Minute, verdict: api.Failed}}, run: api.PhaseRolledBack,
			least: 20 * time.Minute, most: 23 * time.Minute, asked: []string{"Sampled a", "Disarm a", "Revert a/1"}, unasked: []string{"Advance a/2"},
		},
		{
			reason: "they cannot tell: a person has them measured anew",
			finds:  []watching{{after: 20 * time.Minute, verdict: api.Inconclusive}, good},
			set:    func(w *world) { w.command(time.Hour, api.UpdateResume, api.Command{}) },
			run:    api.PhaseSucceeded, least: time.Hour + 2*takes, most: time.Hour + 2*takes + 5*time.Minute,
			asked: []string{"Sampled a", "Disarm a", "Arm a", "Sample", "Sampled a", "Advance a/2"},
		},
		{
			reason: "a pause ends them, and they begin anew", finds: []watching{good},
			set: func(w *world) {
				w.command(20*time.Minute, api.UpdatePause, api.Command{})
				w.command(time.Hour, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, least: time.Hour + 2*takes, most: time.Hour + 2*takes + 5*time.Minute,
			asked: []string{"Sample", "Disarm a", "Arm a", "Sample", "Sampled a", "Advance a/2"},
		},
		{
			reason: "an abort ends them", finds: []watching{good}, set: func(w *world) { w.command(20*time.Minute, api.UpdateAbort, api.Command{}) },
			run: api.PhaseAborted, least: 20 * time.Minute, most: 22 * time.Minute, unasked: []string{"Sampled a", "Advance a/2"},
		},
		{
			reason: "a cluster out of reach is waited for",
			finds:  []watching{{after: time.Minute, err: fault.New(fault.Unreachable, "away")}, good},
			run:    api.PhaseSucceeded, least: 2*takes + time.Minute, most: 2*takes + 7*time.Minute, unasked: []string{"Disarm a"},
		},
		{
			reason: "rules look on meanwhile", finds: []watching{good},
			set: func(w *world) {
				w.rules.Checks[0].At = []pipelines.Point{pipelines.During}
				w.sees("a", 9*time.Minute, []api.Check{{Name: "ready", At: "during", Verdict: api.Passed}}, nil)
				w.sees("a", 5*time.Minute, []api.Check{{Name: "ready", At: "during", Verdict: api.Failed}}, nil)
			},
			run: api.PhaseRolledBack, least: 15 * time.Minute, most: 18 * time.Minute, unasked: []string{"Sampled a", "Advance a/2"},
		},
		{
			reason: "a batch ends with a look of the rules, wherever the last one was", finds: []watching{good},
			set: func(w *world) {
				w.rules.Checks[0].At = []pipelines.Point{pipelines.During}
			},
			run: api.PhaseSucceeded, asked: []string{"Sampled a", "Look a/1", "Advance a/2"}, least: 2 * takes, most: 2*takes + 5*time.Minute,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := sampled(t)
			w.samples(c.finds...)
			if c.set != nil {
				c.set(w)
			}
			end := w.run(t)
			if took := end.Ended.Sub(end.Started); end.Phase != c.run || took < c.least || took > c.most {
				t.Errorf("the run ended as %s after %s: %+v\n%s", end.Phase, took, end.Stages[0].Units[0], strings.Join(w.asked(), "\n"))
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}

// TestAUnitSaysThatItWaitsForSamples: until when at the least, and no time once that is over.
func TestAUnitSaysThatItWaitsForSamples(t *testing.T) {
	w := sampled(t)
	w.samples(watching{after: 40 * time.Minute, verdict: api.Passed})
	for _, c := range []struct {
		after time.Duration
		name  string
		until time.Duration // from the beginning; 0 where nobody knows
	}{
		{5 * time.Minute, "afterBatch", 99 * 15 * time.Second},
		{20 * time.Minute, "samples", 99 * 15 * time.Second},
		{35 * time.Minute, "samples", 0},
	} {
		w.at(c.after, func() {
			var u api.UnitStatus
			v, err := w.env.QueryWorkflowByID("prod/a/agent", api.QueryStatus)
			if err == nil {
				err = v.Get(&u)
			}
			if err != nil {
				t.Error(err)
			}
			if u.Waiting == nil || u.Phase != api.PhaseSoaking {
				t.Errorf("after %s the unit is %s and waits for nothing", c.after, u.Phase)
				return
			}
			until := u.Waiting.Until.Sub(u.Started)
			fits := c.until == 0 && u.Waiting.Until.IsZero() || c.until > 0 && until >= c.until && until < c.until+time.Minute
			if u.Waiting.Kind != api.WaitSoak || u.Waiting.Name != c.name || !fits || !strings.Contains(strings.Join(u.Waiting.Unmet, ""), "100 times") {
				t.Errorf("after %s it waits for %+v, %s after its beginning", c.after, u.Waiting, until)
			}
		})
	}
	if end := w.run(t); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended as %s", end.Phase)
	}
}
