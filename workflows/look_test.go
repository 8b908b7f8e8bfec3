package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/tell"
)

// soaking is a world whose stage soaks for a day after its two units have arrived.
func soaking(t *testing.T) *world {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
	return w
}

func TestAStageSoaksWithoutABeatIntoItsRun(t *testing.T) {
	w := soaking(t)
	var mu sync.Mutex
	var by []string
	w.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if slices.Contains([]string{step.Observe.Name(), step.Reachable.Name()}, info.ActivityType.Name) {
			mu.Lock()
			by = append(by, info.WorkflowExecution.ID)
			mu.Unlock()
		}
	})
	w.sees("a", time.Hour, nil, away)
	w.returns("a", time.Hour)
	w.env.RegisterDelayedCallback(func() {
		if u := w.now(t).Stages[0].Units[0]; u.Phase != api.PhaseUnreachable || u.Waiting == nil || u.Waiting.Kind != "cluster" {
			t.Errorf("the look found a out of reach, and the run shows %s, %+v", u.Phase, u.Waiting)
		}
	}, 90*time.Minute)
	if end := w.run(t); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	slices.Sort(by)
	if diff := cmp.Diff([]string{"prod/a/agent/look", "prod/a/agent/look", "prod/a/agent/look", "prod/b/agent/look"}, by); diff != "" {
		t.Errorf("activities that heartbeat ran for (-want +got):\n%s", diff)
	}
}

func TestAnotherRunDoesNotWaitOutASoak(t *testing.T) {
	for _, c := range []struct {
		reason  string
		gone    bool // its cluster is out of reach then
		tells   string
		back    bool // the run is taken back afterwards
		by      string
		run     api.Phase
		asked   []string
		unasked []string
	}{
		{"it goes on soaking without the unit", false, "agent-2", false, "agent-2", api.PhaseSucceeded, nil, []string{"Release a RolledBack"}},
		{"and does not take it back", false, "agent-2", true, "agent-2", api.PhaseRolledBack, []string{"Release b RolledBack"}, []string{"Acquire a RolledBack", "Release a RolledBack"}},
		{"a cluster that is out of reach is waited for no more", true, "agent-2", false, "agent-2", api.PhaseSucceeded, nil, nil},
		{"what the run says to itself changes nothing", false, "agent-1", true, "", api.PhaseRolledBack, []string{"Release b RolledBack", "Release a RolledBack"}, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := soaking(t)
			if c.gone {
				w.sees("a", time.Minute, nil, away)
				w.returns("a", 1000*time.Hour)
			}
			w.env.RegisterDelayedCallback(func() {
				err := w.env.SignalWorkflowByID("prod/a/agent/look", "order", map[string]string{"run": c.tells, "kind": "supersede"})
				if err != nil {
					t.Error(err)
				}
			}, time.Hour)
			if c.back {
				w.command(2*time.Hour, api.UpdateRollback, api.Command{})
			}
			end := w.run(t)
			u := end.Stages[0].Units[0]
			if end.Phase != c.run || u.Superseded != c.by {
				t.Errorf("the run ended %s, a is superseded by %q", end.Phase, u.Superseded)
			}
			if c.by != "" && (len(u.Checks) != 1 || !u.Checks[0].Advisory || !strings.Contains(u.Checks[0].Message, c.by)) {
				t.Errorf("a ended with the checks %+v", u.Checks)
			}
			if took := end.Ended.Sub(end.Started); !c.back && (took < 24*time.Hour || took > 25*time.Hour) {
				t.Errorf("the run took %s", took)
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}

func TestAUnitEndsTheLooksOfTheRunBeforeIt(t *testing.T) {
	for _, c := range []struct {
		reason string
		in     api.RolloutInput
		told   []string
	}{
		{"once it has the Lease", api.RolloutInput{Run: "agent-2"}, []string{"prod/a/agent/look", "prod/b/agent/look"}},
		{
			"one that takes another run back too", api.RolloutInput{Run: "agent-2", Back: &api.BackInput{Run: "agent-1", Units: []string{"a"}}},
			[]string{"prod/a/agent/look"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			var mu sync.Mutex
			var told []string
			w.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, "order", mock.Anything).Return(
				func(_, id, _, _ string, _ any) error {
					mu.Lock()
					defer mu.Unlock()
					cluster := strings.Split(id, "/")[1]
					if asked := w.asked(); !slices.Contains(asked, "Acquire "+cluster) {
						t.Errorf("%s was told after %q alone", id, asked)
					}
					told = append(told, id)
					return errors.New("no such workflow")
				})
			c.in.Plan, c.in.By = "0123456789abcdef", "ops"
			w.play(t, c.in)
			slices.Sort(told)
			if diff := cmp.Diff(c.told, told); diff != "" {
				t.Errorf("looks that were told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestALookThatBeginsLateLooks has no worker begin a look before its soak is over.
func TestALookThatBeginsLateLooks(t *testing.T) {
	for verdict, wants := range map[api.Verdict]bool{api.Failed: true, api.Passed: false} {
		w := newWorld(t, "a")
		w.sees("a", 0, bad(verdict), nil)
		ref := step.Ref{Run: "agent-1", Plan: "sha256:p", Subject: api.Component("agent"), Cluster: "a"}
		w.env.ExecuteWorkflow(api.LookName, tell.LookInput{
			Ref: ref, Path: "prod/a", Stage: "all", Group: "prod", What: "stage all", Record: "sha256:r", Until: w.env.Now().Add(-time.Hour), Parent: "agent-1",
		})
		var found tell.Finding
		if err := w.env.GetWorkflowResult(&found); err != nil {
			t.Fatal(err)
		}
		if (found.Check != nil) != wants {
			t.Errorf("it looks late and sees %s: it says %+v", verdict, found.Check)
		}
		w.expect(t, []string{"Observe a at rest"}, nil)
	}
}
