package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// restarts has the check behind a batch fail for some of them, once their pods are there.
func (w *world) restarts(batches ...int64) {
	w.facts = func(_ string, f *rule.Facts) {
		for _, n := range batches {
			if f.Batch.Number == n {
				f.Workload.Restarts = 3
			}
		}
	}
}

// failsMoving has a rule fail while a batch moves, for as long as it is asked.
func (w *world) failsMoving(batch int, verdict api.Verdict) {
	w.rules.Checks[0].At = []pipelines.Point{pipelines.During}
	var asked step.AdvanceRequest
	w.asks = func(r step.AdvanceRequest) { asked = r }
	w.bends = func(name, _ string, seen *api.Facts) {
		if name == step.Advance.Name() && asked.Goal.Number == batch && len(asked.Checks) > 0 {
			seen.Checks = []api.Check{{Name: "ready", At: pipelines.During, Verdict: verdict, Message: "no"}}
		}
	}
}

func TestAClusterBearsFailedBatches(t *testing.T) {
	quiet := watching{after: never}
	for _, c := range []struct {
		reason  string
		budget  int
		set     func(*world)
		run     api.Phase
		phases  string // of its batches
		says    string // of what failed
		asked   []string
		unasked []string
		most    time.Duration // that the run takes
	}{
		{
			reason: "a check behind a batch fails", budget: 1, set: func(w *world) { w.restarts(1) }, run: api.PhaseSucceeded, phases: "Failed Succeeded Succeeded",
			says:  "ready: does not hold: workload.restarts == 0; cluster a bears it: 1 batch failed so far, maxBatchFailures is 1",
			asked: []string{"Advance a/1", "Advance a/2", "Advance a/3", "Release a Succeeded"}, unasked: []string{"Disarm a"},
		},
		{
			reason: "one too many", budget: 1, set: func(w *world) { w.restarts(1, 2) }, run: api.PhaseRolledBack, phases: "RolledBack RolledBack",
			says: "cluster a does not bear it: 2 batches failed so far, maxBatchFailures is 1", unasked: []string{"Advance a/3"},
		},
		{reason: "without a budget", set: func(w *world) { w.restarts(1) }, run: api.PhaseRolledBack, phases: "RolledBack", unasked: []string{"Advance a/2"}},
		{
			reason: "never all of them", budget: 3, set: func(w *world) { w.whole = true; w.restarts(1) }, run: api.PhaseRolledBack, phases: "RolledBack",
			says: "1 batch failed so far, and it has no other",
		},
		{
			reason: "a rule fails while it moves: the rest of it moves, and nothing judges it", budget: 1,
			set: func(w *world) { w.failsMoving(1, api.Failed); w.rules.Soak.Batch = pipelines.Duration(time.Hour) },
			run: api.PhaseSucceeded, phases: "Failed Succeeded Succeeded", says: "cluster a bears it",
			asked: []string{"Advance a/1", "Advance a/1", "Advance a/2"}, unasked: []string{"Disarm a"}, most: 2*time.Hour + 5*time.Minute,
		},
		{
			reason: "nobody can tell", budget: 3,
			set: func(w *world) {
				w.failsMoving(1, api.Inconclusive)
				w.command(time.Hour, api.UpdateAbort, api.Command{})
			},
			run: api.PhaseAborted, phases: "Aborted", asked: []string{"Disarm a"},
		},
		{
			reason: "it does not get on: nothing is there to be judged", budget: 3,
			set: func(w *world) {
				w.stalls = func(string, int) bool { return true }
				w.command(time.Hour, api.UpdateAbort, api.Command{})
			},
			run: api.PhaseAborted, phases: "Aborted", asked: []string{"Disarm a"},
		},
		{
			reason: "a rule fails while it soaks", budget: 1,
			set: func(w *world) {
				w.rules.Checks[0].At, w.rules.Soak.Batch = []pipelines.Point{pipelines.During}, pipelines.Duration(time.Hour)
				w.sees("a", time.Minute, []api.Check{{Name: "ready", At: "during", Verdict: api.Failed}}, nil)
			},
			run: api.PhaseSucceeded, phases: "Failed Succeeded Succeeded", says: "cluster a bears it", unasked: []string{"Disarm a"},
		},
		{
			reason: "a background check fails while it moves: they begin anew with the next batch", budget: 1,
			set: func(w *world) {
				w.background()
				w.watches(watching{after: 2 * time.Second, verdict: api.Failed}, quiet)
				w.lastLooks(api.Passed)
			},
			run: api.PhaseSucceeded, phases: "Failed Succeeded Succeeded", says: "logs: a panic; cluster a bears it",
			asked: []string{"Watch", "Watched a", "Advance a/1", "Watch", "Advance a/2", "Advance a/3"}, unasked: []string{"Disarm a"},
		},
		{
			reason: "a batch fails when background checks are paused and begin anew within it", budget: 1,
			set: func(w *world) {
				w.background()
				w.advances = time.Hour
				w.watches(watching{after: 2 * time.Second, verdict: api.Failed}, watching{after: 2 * time.Second, verdict: api.Failed}, quiet)
				w.lastLooks(api.Passed)
				w.command(10*time.Minute, api.UpdatePause, api.Command{})
				w.command(20*time.Minute, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, phases: "Failed Succeeded Succeeded", says: "logs: a panic; cluster a bears it",
			asked: []string{"Watch", "Disarm a", "Arm a", "Watch", "Advance a/1", "Watch", "Advance a/2"},
		},
		{
			reason: "the last look of the last batch fails: the cluster is watched all the same", budget: 1,
			set: func(w *world) {
				w.background()
				w.watches(quiet)
				w.rules.Soak.Cluster = pipelines.Duration(time.Hour)
				looks, found := 0, []api.Verdict{api.Passed, api.Passed, api.Failed, api.Passed} // three batches, and the cluster's soak
				w.measures = func(r step.ChecksRequest) ([]api.Check, error) {
					looks++
					return []api.Check{{Name: "logs", At: r.Point, Verdict: found[looks-1]}}, nil
				}
			},
			run: api.PhaseSucceeded, phases: "Succeeded Succeeded Failed", says: "cluster a bears it", asked: []string{"Watch", "Advance a/3", "Watch"},
		},
		{
			reason: "the samples of a batch fail", budget: 1,
			set: func(w *world) {
				w.background()
				w.rules.Soak.MinSamples = 10
				w.watches(quiet)
				w.samples(watching{after: time.Minute, verdict: api.Failed}, watching{after: time.Minute, verdict: api.Passed})
			},
			run: api.PhaseSucceeded, phases: "Failed Succeeded Succeeded", says: "logs: a panic; cluster a bears it",
			asked: []string{"Sampled a", "Advance a/2", "Sampled a", "Advance a/3", "Sampled a"}, unasked: []string{"Disarm a"},
		},
		{
			reason: "what stands before a batch is not about its pods", budget: 3,
			set: func(w *world) {
				w.rules.Checks[0].At = []pipelines.Point{pipelines.BeforeBatch}
				w.rules.Checks[0].Gates[0].CEL = "batch.number < 2"
			},
			run: api.PhaseRolledBack, phases: "RolledBack RolledBack", asked: []string{"Advance a/1"}, unasked: []string{"Advance a/2"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.rules.Batches = []pipelines.Amount{pipelines.Count(1), pipelines.Percent(50), pipelines.Percent(100)}
			w.rules.MaxBatchFailures, w.plan.OnFailure = c.budget, pipelines.Rollback
			c.set(w)
			end := w.run(t)
			unit := w.records[0]
			var phases, said []string
			failed := 0
			for _, b := range unit.Batches {
				phases, said = append(phases, string(b.Phase)), append(said, b.Borne)
				if b.Borne != "" {
					failed++
				}
			}
			said = append(said, fmt.Sprint(unit.Failure, unit.Cause))
			if end.Phase != c.run || strings.Join(phases, " ") != c.phases || !strings.Contains(strings.Join(said, "\n"), c.says) {
				t.Errorf("the run ended as %s, the batches as %q, and they say %q\n%s", end.Phase, phases, said, strings.Join(w.asked(), "\n"))
			}
			if unit.FailedBatches != failed || end.Stages[0].Units[0].FailedBatches != failed || failed > c.budget {
				t.Errorf("%d batches were borne; the unit says %d, the run %d", failed, unit.FailedBatches, end.Stages[0].Units[0].FailedBatches)
			}
			if took := end.Ended.Sub(end.Started); c.most > 0 && took > c.most {
				t.Errorf("the run took %s, at most %s", took, c.most)
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}
