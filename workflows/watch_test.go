package workflows_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// background adds a check that is measured beside the move.
func (w *world) background() {
	w.rules.Checks = append(w.rules.Checks, pipelines.ResolvedCheck{
		Name: "logs", At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing,
		Steps: []pipelines.ResolvedStep{{Name: "logs/panics", StepKinds: pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "true"}}}},
	})
}

// watches says what background checks find, in the order in which they are begun, and after how long; the last is for ever.
func (w *world) watches(finds ...watching) { w.beside("Watch", "Watched", false, finds) }

// samples says the same of the measurements that the soaks of batches are to have.
func (w *world) samples(finds ...watching) { w.beside("Sample", "Sampled", true, finds) }

func (w *world) beside(begins, ends string, counted bool, finds []watching) {
	begun := -1
	now := func() watching { return finds[min(begun, len(finds)-1)] }
	begin := func() time.Duration {
		w.mu.Lock()
		defer w.mu.Unlock()
		begun++
		w.log = append(w.log, begins)
		return now().after
	}
	ours := mock.MatchedBy(func(r step.ChecksRequest) bool {
		return (len(r.Checks) > 0 && r.Checks[0].Steps[0].Count > 0) == counted
	})
	w.env.OnActivity(step.Watch.Name(), mock.Anything, ours).Maybe().AfterFn(begin).Return(
		func(_ context.Context, r step.ChecksRequest) ([]api.Check, error) {
			w.mu.Lock()
			f := now()
			w.log = append(w.log, strings.TrimSpace(ends+" "+r.Cluster+" "+r.Record))
			w.mu.Unlock()
			if f.err != nil {
				return nil, temporal.NewNonRetryableApplicationError(f.err.Error(), string(fault.CodeOf(f.err)), nil)
			}
			return []api.Check{{Name: "logs", At: r.Point, Verdict: f.verdict, Message: "a panic"}}, nil
		})
}

// watching is one time that checks are measured in the background.
type watching struct {
	after   time.Duration
	verdict api.Verdict
	err     error
}

const never = 100 * 24 * time.Hour

// lastLooks says what the looks at the ends of batches find.
func (w *world) lastLooks(verdict api.Verdict) {
	w.measures = func(r step.ChecksRequest) ([]api.Check, error) {
		return []api.Check{{Name: "logs", At: r.Point, Verdict: verdict, Message: "seen last"}}, nil
	}
}

func TestABackgroundCheckStopsAUnitWhateverItDoes(t *testing.T) {
	quiet := watching{after: never}
	for _, c := range []struct {
		reason  string
		finds   []watching
		last    api.Verdict
		policy  pipelines.OnFailure
		set     func(*world)
		run     api.Phase
		asked   []string
		unasked []string
		failed  string
		most    time.Duration // that the run takes
	}{
		{
			reason: "it finds nothing: it looks on over all batches, and ends with the unit", finds: []watching{quiet}, last: api.Passed,
			run: api.PhaseSucceeded, asked: []string{"checks.Ask a during", "Release a Succeeded"},
		},
		{
			reason: "in the middle of a batch: the move ends, is disarmed and taken back", finds: []watching{{after: 2 * time.Second, verdict: api.Failed}},
			last: api.Passed, policy: pipelines.Rollback, run: api.PhaseRolledBack, set: func(w *world) { w.advances = 24 * time.Hour }, most: 25 * time.Hour,
			asked: []string{"Disarm a", "Revert a/1"}, unasked: []string{"Advance a/2"}, failed: "logs",
		},
		{
			reason: "in the soak of a batch", finds: []watching{{after: 30 * time.Minute, verdict: api.Failed}}, last: api.Passed,
			set:    func(w *world) { w.rules.Soak.Batch = pipelines.Duration(time.Hour) },
			policy: pipelines.Rollback, run: api.PhaseRolledBack, asked: []string{"Advance a/1", "Revert a/1"}, unasked: []string{"Advance a/2"}, failed: "logs",
		},
		{
			reason: "in the soak of the cluster", finds: []watching{{after: 30 * time.Minute, verdict: api.Failed}}, last: api.Passed,
			set:    func(w *world) { w.rules.Soak.Cluster = pipelines.Duration(time.Hour) },
			policy: pipelines.Rollback, run: api.PhaseRolledBack, asked: []string{"Advance a/2", "Revert a/2"}, failed: "logs",
		},
		{
			reason: "it cannot tell: it holds, and nothing is taken back by itself", finds: []watching{{after: 2 * time.Second, verdict: api.Inconclusive}, quiet},
			last: api.Passed, policy: pipelines.Rollback,
			set: func(w *world) { w.command(time.Hour, api.UpdateResume, api.Command{}) },
			run: api.PhaseSucceeded, asked: []string{"Watch", "Watched a", "Disarm a", "Arm a", "Watch", "Advance a/1", "Advance a/2"}, unasked: []string{"Revert a/1"},
		},
		{
			reason: "a batch ends with a look of it: one that did not pass holds the batch", finds: []watching{quiet}, last: api.Failed,
			policy: pipelines.Rollback, run: api.PhaseRolledBack, asked: []string{"Advance a/1", "checks.Ask a during", "Revert a/1"}, unasked: []string{"Advance a/2"},
			failed: "logs",
		},
		{
			reason: "it does not work: that holds, and is no failure", finds: []watching{{after: 2 * time.Second, err: fault.New(fault.Internal, "broken")}, quiet},
			last: api.Passed, policy: pipelines.Rollback, set: func(w *world) { w.command(time.Hour, api.UpdateResume, api.Command{}) },
			run: api.PhaseSucceeded, asked: []string{"Disarm a", "Arm a"}, unasked: []string{"Revert a/1"},
		},
		{
			reason: "its cluster is out of reach: it is asked again, and stops nothing", finds: []watching{{after: 2 * time.Second, err: fault.New(fault.Unreachable, "away")}, quiet},
			last: api.Passed, run: api.PhaseSucceeded, unasked: []string{"Disarm a"},
		},
		{
			reason: "the last look of a batch finds its cluster out of reach: the unit waits, and has it look again", finds: []watching{quiet},
			last: api.Passed, run: api.PhaseSucceeded, unasked: []string{"Disarm a"},
			asked: []string{"checks.Ask a during", "ledger.Unobserved a", "checks.Ask a during", "Advance a/2"},
			set: func(w *world) {
				w.once(step.Ask.Name(), "a during", away)
				w.returns("a", time.Hour)
			},
		},
		{
			reason: "a pause ends it, and it begins anew", finds: []watching{quiet}, last: api.Passed,
			set: func(w *world) {
				w.command(2*time.Second, api.UpdatePause, api.Command{})
				w.command(time.Hour, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, asked: []string{"Watch", "Disarm a", "Arm a", "Watch"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.background()
			w.watches(c.finds...)
			w.lastLooks(c.last)
			if c.policy != "" {
				w.plan.OnFailure = c.policy
			}
			if c.set != nil {
				c.set(w)
			}
			end := w.run(t)
			unit := end.Stages[0].Units[0]
			if end.Phase != c.run {
				t.Errorf("the run ended as %s: %+v\n%s", end.Phase, unit, strings.Join(w.asked(), "\n"))
			}
			if took := end.Ended.Sub(end.Started); c.most > 0 && took > c.most {
				t.Errorf("the run took %s, at most %s", took, c.most)
			}
			if c.failed != "" && (unit.Cause == nil && unit.Failure == nil || unit.Failure != nil && unit.Failure.Name != c.failed || unit.Cause != nil && unit.Cause.Name != c.failed) {
				t.Errorf("the unit says that %+v, %+v stopped it, not %s", unit.Failure, unit.Cause, c.failed)
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}

// TestASoakOfAStageIsWatchedToo plays background checks that no rule stands beside, in the soak of a stage.
func TestASoakOfAStageIsWatchedToo(t *testing.T) {
	for _, c := range []struct {
		reason string
		finds  []watching
		last   api.Verdict
		run    api.Phase
		least  time.Duration
		most   time.Duration
	}{
		{"it finds nothing", []watching{{after: never}}, api.Passed, api.PhaseSucceeded, 24 * time.Hour, 25 * time.Hour},
		{"it finds something after an hour", []watching{{after: never}, {after: time.Hour, verdict: api.Failed}}, api.Passed, api.PhaseRolledBack, time.Hour, 2 * time.Hour},
		{
			"all that it was to measure is measured: the soak takes its time all the same", []watching{{after: never}, {after: time.Hour, verdict: api.Passed}}, api.Passed,
			api.PhaseSucceeded, 24 * time.Hour, 25 * time.Hour,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.background()
			w.plan.Stages[0].SoakStage, w.plan.Stages[0].Watches = 24*time.Hour, true
			w.plan.OnFailure = pipelines.Rollback
			w.watches(c.finds...)
			w.lastLooks(c.last)
			end := w.run(t)
			if took := end.Ended.Sub(end.Started); end.Phase != c.run || took < c.least || took > c.most {
				t.Errorf("%s: the run ended as %s after %s: %+v\n%s", c.reason, end.Phase, took, end.Stages[0].Units, strings.Join(w.asked(), "\n"))
			}
		})
	}
}

// TestASoakOfAClusterEndsWithALook: what the background checks counted last is from before its end.
func TestASoakOfAClusterEndsWithALook(t *testing.T) {
	const soaks = 24 * time.Hour
	for _, c := range []struct {
		reason string
		soak   time.Duration
		last   []api.Verdict // of the looks behind the two batches, and from then on of each
		run    api.Phase
		looks  int
	}{
		{"it finds nothing", soaks, []api.Verdict{api.Passed}, api.PhaseSucceeded, 3},
		{"it finds something", soaks, []api.Verdict{api.Passed, api.Passed, api.Failed}, api.PhaseRolledBack, 3},
		{"it cannot tell: a person has it look anew", soaks, []api.Verdict{api.Passed, api.Passed, api.Inconclusive, api.Passed}, api.PhaseSucceeded, 4},
		{"without a soak the last batch has just ended with one", 0, []api.Verdict{api.Passed}, api.PhaseSucceeded, 2},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.background()
			w.looksOn()
			w.plan.OnFailure = pipelines.Rollback
			w.rules.Soak.Cluster = pipelines.Duration(c.soak)
			w.watches(watching{after: never})
			looks := 0
			w.measures = func(r step.ChecksRequest) ([]api.Check, error) {
				verdict := c.last[min(looks, len(c.last)-1)]
				looks++
				return []api.Check{{Name: "logs", At: r.Point, Verdict: verdict}}, nil
			}
			w.command(2*soaks, api.UpdateResume, api.Command{})
			end := w.run(t)
			if took := end.Ended.Sub(end.Started); end.Phase != c.run || looks != c.looks || took < c.soak {
				t.Errorf("the run ended as %s after %s and %d looks, want %s and %d:\n%s", end.Phase, took, looks, c.run, c.looks, strings.Join(w.asked(), "\n"))
			}
		})
	}
}

// TestChecksOfTheRun run once, before its first stage and after its last.
func TestChecksOfTheRun(t *testing.T) {
	gate := func(at pipelines.Point, cel string) pipelines.ResolvedCheck {
		return pipelines.ResolvedCheck{Name: string(at), At: []pipelines.Point{at}, Enforcement: pipelines.Enforcing, Gates: []pipelines.ResolvedGate{{Name: string(at), CEL: cel}}}
	}
	for _, c := range []struct {
		reason string
		checks []pipelines.ResolvedCheck
		run    api.Phase
		moved  bool
	}{
		{"both hold", []pipelines.ResolvedCheck{gate(pipelines.BeforeRun, "stage.waiting == 1"), gate(pipelines.AfterRun, "stage.succeeded == stage.units")}, api.PhaseSucceeded, true},
		{"nothing moves behind one that does not hold", []pipelines.ResolvedCheck{gate(pipelines.BeforeRun, "stage.units == 7")}, api.PhaseFailed, false},
		{"a run whose last check does not hold has not succeeded", []pipelines.ResolvedCheck{gate(pipelines.AfterRun, "false")}, api.PhaseFailed, true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.plan.Checks = c.checks
			w.command(time.Hour, api.UpdateAbort, api.Command{})
			end := w.run(t)
			if end.Phase != c.run || slices.Contains(w.asked(), "Prepare a") != c.moved || len(end.Checks) != 1 {
				t.Errorf("the run ended as %s with %+v:\n%s", end.Phase, end.Checks, strings.Join(w.asked(), "\n"))
			}
		})
	}
}

// TestAMeasuredCheckOfAStageHoldsTheRun is one that looks for itself, at no cluster.
func TestAMeasuredCheckOfAStageHoldsTheRun(t *testing.T) {
	w := newWorld(t, "a")
	stage := &w.plan.Stages[0]
	stage.Checks = []pipelines.ResolvedCheck{{
		Name: "window", At: []pipelines.Point{pipelines.BeforeStage}, Enforcement: pipelines.Enforcing,
		Steps: []pipelines.ResolvedStep{{Name: "window/open", StepKinds: pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "true"}}}},
	}}
	asked := 0
	w.measures = func(r step.ChecksRequest) ([]api.Check, error) {
		asked++
		verdict := api.Inconclusive
		if asked == 2 {
			verdict = api.Passed
		}
		return []api.Check{{Name: "window", At: r.Point, Verdict: verdict}}, nil
	}
	w.at(30*time.Minute, func() {
		if slices.Contains(w.log, "Prepare a") {
			t.Error("the unit moved before the check had passed")
		}
	})
	w.command(time.Hour, api.UpdateResume, api.Command{})
	if end := w.run(t); end.Phase != api.PhaseSucceeded || asked != 2 {
		t.Errorf("the run ended as %s; it was asked %d times", end.Phase, asked)
	}
}
