package drill_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/drill"
)

var five = time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC)

// plays has a drill go through, of which activities answer so.
func plays(t *testing.T, begun, ended api.Drilled, fails error) (api.Drilled, []string, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(five)
	var asked []string
	env.RegisterWorkflowWithOptions(drill.Drill, workflow.RegisterOptions{Name: api.DrillWorkflowName})
	env.RegisterActivityWithOptions(func(b api.DrillTime) (api.Drilled, error) {
		asked = append(asked, "begin "+b.ID)
		begun.ID = b.ID
		return begun, nil
	}, activity.RegisterOptions{Name: step.BeginDrill.Name()})
	judged := 0
	env.RegisterActivityWithOptions(func(id string) (api.Drilled, error) {
		if judged++; judged == 1 && fails != nil {
			return begun, fails
		}
		asked = append(asked, "judge "+id)
		return begun, nil
	}, activity.RegisterOptions{Name: step.JudgeDrill.Name()})
	env.RegisterActivityWithOptions(func(id string) (api.Drilled, error) {
		asked = append(asked, "end "+id)
		return ended, nil
	}, activity.RegisterOptions{Name: step.EndDrill.Name()})
	env.ExecuteWorkflow(api.DrillWorkflowName, api.DrillInput{Drill: "crash"})
	var got api.Drilled
	if err := env.GetWorkflowError(); err != nil {
		return got, asked, err
	}
	return got, asked, env.GetWorkflowResult(&got)
}

const id = "crash/20261129T050000.000Z"

func TestADrillBeginsIsJudgedAndEnds(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		begun  api.DrillOutcome
		ended  api.DrillOutcome
		fails  error
		asked  []string
	}{
		"stopped":            {"what ran before is put back", api.DrillRuns, api.DrillStopped, nil, []string{"begin " + id, "judge " + id, "end " + id}},
		"not stopped":        {"all the more", api.DrillRuns, api.DrillNotStopped, nil, []string{"begin " + id, "judge " + id, "end " + id}},
		"held":               {"there is nothing to judge", api.DrillNotRun, api.DrillNotRun, nil, []string{"begin " + id}},
		"a worker that dies": {"another one judges", api.DrillRuns, api.DrillStopped, errors.New("killed"), []string{"begin " + id, "judge " + id, "end " + id}},
	} {
		t.Run(name, func(t *testing.T) {
			got, asked, err := plays(t, api.Drilled{Drill: "crash", Run: "agent-1", Outcome: c.begun}, api.Drilled{Outcome: c.ended}, c.fails)
			if err != nil || got.Outcome != c.ended || !slices.Equal(asked, c.asked) {
				t.Errorf("%s: it asked for %q and ended as %+v, %v", c.reason, asked, got, err)
			}
		})
	}
}
