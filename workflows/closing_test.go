package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// How an execution closes in Temporal's list.
const (
	completed = "Completed"
	failed    = "Failed"
	cancelled = "Canceled"
)

// closedAs is what Temporal's list says of an execution that closed with an error, and its reason in one line.
func closedAs(err error) (as, reason string) {
	if err == nil {
		return completed, ""
	}
	var end any
	var stopped *temporal.CanceledError
	if errors.As(err, &stopped) {
		_ = stopped.Details(&end, &reason)
		return cancelled, reason
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return failed, app.Message()
	}
	return "otherwise: " + err.Error(), ""
}

func TestTemporalsListSaysHowRunsAndUnitsEnded(t *testing.T) {
	crash := func(_ string, f *rule.Facts) { f.Workload.Restarts = 3 }
	for _, c := range []struct {
		reason string
		in     api.RolloutInput
		set    func(w *world)
		run    string
		says   string            // of the run
		units  map[string]string // by workflow ID
	}{
		{
			reason: "what went all the way is completed", set: func(*world) {},
			run: completed, units: map[string]string{"prod/a/agent": completed, "prod/b/agent": completed},
		},
		{
			reason: "what took itself back has failed", set: func(w *world) { w.facts, w.plan.OnFailure = crash, pipelines.Rollback },
			run: failed, says: "RolledBack by sluice: ready failed at prod/a/all/1", units: map[string]string{"prod/a/agent": failed},
		},
		{
			reason: "what a person took back was cancelled", set: func(w *world) {
				w.facts = crash
				w.command(time.Hour, api.UpdateRollback, api.Command{Who: "ops", Reason: "too many restarts"})
			},
			run: cancelled, says: "RolledBack by ops (unverified): too many restarts; prod/a stopped at prod/a/all/1 by ready: Failed", units: map[string]string{"prod/a/agent": cancelled},
		},
		{
			reason: "what a person aborted was cancelled", set: func(w *world) {
				w.command(2*time.Second, api.UpdateAbort, api.Command{Who: "ops", Reason: "wrong version"})
			},
			run: cancelled, says: "Aborted by ops (unverified): wrong version", units: map[string]string{"prod/a/agent": cancelled},
		},
		{
			reason: "what failed within the budget has failed, and so has the run", set: func(w *world) {
				w.facts, w.plan.OnFailure, w.plan.Stages[0].MaxFailures = crash, pipelines.Continue, 2
			},
			run: failed, says: "Failed; prod/a stopped at prod/a/all/1 by ready: Failed", units: map[string]string{"prod/a/agent": failed, "prod/b/agent": failed},
		},
		{
			reason: "a unit that has arrived and is taken back does what it was started for", set: func(w *world) {
				w.plan.Stages[0].SoakStage = 24 * time.Hour
				w.command(time.Hour, api.UpdateRollback, api.Command{Who: "ops"})
			},
			run: cancelled, says: "RolledBack by ops (unverified)", units: map[string]string{"prod/a/agent": completed, "prod/b/agent": completed},
		},
		{
			reason: "a run of the way back is completed, and so are its units", set: func(*world) {},
			in:  api.RolloutInput{Run: "agent-2", Back: &api.BackInput{Run: "agent-1", Units: []string{"a", "b"}}},
			run: completed, units: map[string]string{"prod/a/agent": completed, "prod/b/agent": completed},
		},
		{
			reason: "a run of the way back that a person gave up was cancelled", set: func(w *world) {
				w.fails = func(name, cluster string) error {
					if name == step.Acquire.Name() && cluster == "a" {
						return away
					}
					return nil
				}
				w.returns("a", 1000*time.Hour)
				w.command(2*time.Hour, api.UpdateAbort, api.Command{Who: "ops", Reason: "it is gone", Abandon: true})
			},
			in:  api.RolloutInput{Run: "agent-2", Back: &api.BackInput{Run: "agent-1", Units: []string{"a"}}},
			run: cancelled, says: "Aborted by ops (unverified): it is gone", units: map[string]string{"prod/a/agent": cancelled},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			c.set(w)
			units := map[string]string{}
			w.env.SetOnChildWorkflowCompletedListener(func(info *workflow.Info, _ converter.EncodedValue, err error) {
				as, said := closedAs(err)
				units[info.WorkflowExecution.ID] = as
				if as != completed && !strings.Contains(said, "by ") {
					t.Errorf("unit %s is %s, and says %q", info.WorkflowExecution.ID, as, said)
				}
			})
			if c.in.Run == "" {
				c.in.Run = "agent-1"
			}
			c.in.Plan, c.in.By = "0123456789abcdef", "ops"
			end := w.play(t, c.in)
			as, said := closedAs(w.closed)
			if as != c.run || !strings.HasPrefix(said, c.says) {
				t.Errorf("the run closed as %s, %q; want %s, %q", as, said, c.run, c.says)
			}
			if diff := cmp.Diff(c.units, units); diff != "" {
				t.Errorf("units (-want +got):\n%s", diff)
			}
			if len(w.saved) != 1 || end.Phase != w.saved[0].Phase || len(end.Stages) == 0 {
				t.Errorf("the error carries %s, the ledger has %d reports", end.Phase, len(w.saved))
			}
		})
	}
}

func TestOnlyAnEndIsReadAsOne(t *testing.T) {
	unit := api.UnitStatus{Path: "prod/a", Phase: api.PhaseFailed}
	for _, c := range []struct {
		reason string
		err    error
		ends   bool
	}{
		{"it ended badly", temporal.NewNonRetryableApplicationError("no", "Failed", nil, unit, "no"), true},
		{"a person ended it", temporal.NewCanceledError(unit, "no"), true},
		{"it crashed", temporal.NewApplicationError("cannot record unit", "wrapError"), false},
		{"it was cancelled before it could say anything", temporal.NewCanceledError(), false},
		{"it was terminated", errors.New("terminated"), false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var end api.UnitStatus
			if got := api.Ended(c.err, &end); got != c.ends || c.ends && end.Path != unit.Path {
				t.Errorf("%v, %+v", got, end)
			}
		})
	}
}
