package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/tell"
)

// counted is how often something was asked.
func (w *world) counted(line string) (n int) {
	for _, asked := range w.asked() {
		if asked == line {
			n++
		}
	}
	return n
}

// diffs bends what is found to change in clusters, the nth time it is asked there, from 1.
func (w *world) diffs(bend func(cluster string, n int, found *step.DiffResult)) {
	asked := map[string]int{}
	w.env.OnActivity(step.Diff.Name(), mock.Anything, mock.Anything).Return(func(_ context.Context, r step.DiffRequest) (step.DiffResult, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, "Diff "+r.Cluster)
		asked[r.Cluster]++
		found := step.DiffResult{
			Cluster: plan.ClusterDiff{Cluster: r.Cluster, Workloads: []plan.Division{w.batches()}}, Before: true, Changes: "sha256:c",
		}
		bend(r.Cluster, asked[r.Cluster], &found)
		return found, nil
	})
}

func TestARefusedDiffIsAskedAgainUntilItIsNot(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.diffs(func(cluster string, n int, found *step.DiffResult) {
		if cluster == "a" && n < 3 {
			found.Cluster.Refusals = []api.Refusal{{Rule: "drift", Object: "ConfigMap/apps/x", Message: "somebody changed it"}}
		}
	})
	for _, after := range []time.Duration{time.Hour, 2 * time.Hour} {
		w.env.RegisterDelayedCallback(func() {
			now := w.now(t).Stages[0].Units[0]
			if now.Phase == api.PhaseMoving || now.Phase == api.PhaseSucceeded || now.Failure == nil || now.Failure.Name != "drift" || w.counted("Apply a") > 0 {
				t.Errorf("after %s the unit is %s, with %+v", after, now.Phase, now.Failure)
			}
		}, after-time.Minute)
		w.command(after, api.UpdateResume, api.Command{})
	}
	if end := w.run(t); end.Phase != api.PhaseSucceeded || w.counted("Diff a") != 3 || w.counted("Apply a") != 1 {
		t.Errorf("the run ended %s, having looked %d times and written %d times", end.Phase, w.counted("Diff a"), w.counted("Apply a"))
	}
}

func TestADryRunOfARollbackChangesNothing(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.advances = time.Minute
	heard := w.command(30*time.Second, api.UpdateRollback, api.Command{DryRun: true})
	later := w.command(3*time.Minute, api.UpdateRollback, api.Command{DryRun: true})
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || end.Ending != nil {
		t.Errorf("the run ended %s by %+v", end.Phase, end.Ending)
	}
	w.expect(t, []string{"Release a Succeeded", "Release b Succeeded"}, []string{"Revert a/1", "Revert a/2", "Unapply a", "Disarm a"})
	if len(heard.answer.Units) != 1 || len(later.answer.Units) != 2 || !strings.Contains(later.answer.Message, "would go back") {
		t.Errorf("it says %+v, and later %+v", heard.answer, later.answer)
	}
	if len(w.audit) > 0 {
		t.Errorf("the audit has %+v", w.audit)
	}
}

func TestGatesThatCannotRunHoldWhateverTheyAreOf(t *testing.T) {
	check := func(at pipelines.Point) []pipelines.ResolvedCheck {
		return []pipelines.ResolvedCheck{{
			Name: "fine", At: []pipelines.Point{at}, Enforcement: pipelines.Enforcing, Gates: []pipelines.ResolvedGate{{Name: "fine", CEL: "true"}},
		}}
	}
	for _, c := range []struct {
		reason string
		set    func(w *world)
		stands func(r api.RunStatus) bool
	}{
		{"of a batch", func(w *world) { w.rules.Checks = check(pipelines.AfterBatch) }, func(r api.RunStatus) bool { return r.Stages[0].Units[0].Phase == api.PhaseHeld }},
		{"of a cluster", func(w *world) { w.rules.Checks = check(pipelines.BeforeCluster) }, func(r api.RunStatus) bool { return r.Stages[0].Units[0].Phase == api.PhaseHeld }},
		{"of a stage", func(w *world) { w.plan.Stages[0].Checks = check(pipelines.BeforeStage) }, func(r api.RunStatus) bool { return r.Waiting != nil && r.Waiting.Kind == "check" }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			c.set(w)
			w.fails = func(name, _ string) error {
				if name == step.Evaluate.Name() {
					return errors.New("the rules cannot be read")
				}
				return nil
			}
			looked := false
			w.env.RegisterDelayedCallback(func() {
				looked = true
				if now := w.now(t); !c.stands(now) || unitPhases(now)["a"] == api.PhaseSucceeded {
					t.Errorf("it goes on: %s, %+v", now.Phase, now.Stages[0].Units)
				}
			}, time.Hour)
			w.at(2*time.Hour, func() { w.fails = nil })
			w.command(3*time.Hour, api.UpdateResume, api.Command{})
			if end := w.run(t); end.Phase != api.PhaseSucceeded || !looked {
				t.Errorf("it ended %s, and it stood meanwhile: %v", end.Phase, looked)
			}
		})
	}
}

func TestAStageIsJudgedAgainAfterEachResume(t *testing.T) {
	for _, point := range []pipelines.Point{pipelines.BeforeStage, pipelines.BeforeGroup, pipelines.AfterGroup, pipelines.AfterStage} {
		w := newWorld(t, "a")
		w.plan.Stages[0].Checks = []pipelines.ResolvedCheck{{
			Name: "window", At: []pipelines.Point{point}, Enforcement: pipelines.Enforcing, Gates: []pipelines.ResolvedGate{{Name: "window", CEL: "stage.units == 0"}},
		}}
		for _, after := range []time.Duration{time.Hour, 2 * time.Hour} {
			w.command(after, api.UpdateResume, api.Command{})
			w.env.RegisterDelayedCallback(func() {
				if now := w.now(t); now.Phase == api.PhaseMoving || now.Waiting == nil || now.Waiting.Name != "window" {
					t.Errorf("%s: resumed after %s, it is %s and waits for %+v", point, after, now.Phase, now.Waiting)
				}
			}, after+time.Minute)
		}
		w.command(3*time.Hour, api.UpdateAbort, api.Command{})
		if end := w.run(t); end.Phase == api.PhaseSucceeded {
			t.Errorf("%s: the run ended %s", point, end.Phase)
		}
	}
}

// groups divides the units of a world's only stage into groups of one.
func (w *world) groups() {
	st := &w.plan.Stages[0]
	all := st.Groups[0]
	st.Groups = nil
	for _, u := range all.Units {
		g := all
		g.Name, g.Units = u.Cluster, []plan.Unit{u}
		st.Groups = append(st.Groups, g)
	}
}

func TestWhatEarlierGroupsLeftCountsInTheNext(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.groups()
	w.plan.Stages[0].MaxUnreachable = 1
	w.fails = func(name, cluster string) error {
		if name == step.Acquire.Name() && (cluster == "a" || cluster == "b") {
			return fault.New(fault.Unreachable, "%s is gone", cluster)
		}
		return nil
	}
	w.returns("a", 10*time.Hour)
	w.returns("b", 10*time.Hour)
	w.env.RegisterDelayedCallback(func() {
		now := w.now(t)
		if got := unitPhases(now)["c"]; got != api.PhasePending {
			t.Errorf("with two out of reach where one may be, c is %s", got)
		}
		if at := now.Stages[0].Waiting; at == nil || at.Kind != "budget" {
			t.Errorf("the stage waits for %+v", at)
		}
	}, time.Hour)
	w.command(2*time.Hour, api.UpdateAbort, api.Command{})
	w.run(t)
	w.expect(t, nil, []string{"Acquire c", "ledger.LoadUnit c"})
}

func TestASoakWaitsForWhatIsStillComing(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.plan.Stages[0].MaxUnreachable, w.plan.Stages[0].SoakStage = 1, 30*time.Minute
	w.plan.Stages[0].Groups[0].MaxConcurrency = 2
	w.once(step.Acquire.Name(), "b", fault.New(fault.Unreachable, "b is gone"))
	w.returns("b", 50*time.Minute)
	w.advances = 20 * time.Minute // b comes back in the soak, and moves beyond its end
	looked := false
	w.env.RegisterDelayedCallback(func() {
		looked = true
		if now := w.now(t); now.Phase != api.PhaseSoaking || unitPhases(now)["b"] == api.PhaseSucceeded {
			t.Errorf("the soak is over while b moves: %s, %v", now.Phase, unitPhases(now))
		}
	}, 75*time.Minute) // a has soaked from 0:40 to 1:10
	end := w.run(t)
	if !looked || end.Phase != api.PhaseSucceeded || unitPhases(end)["b"] != api.PhaseSucceeded {
		t.Errorf("the run ended %s with %v; it lasted long enough: %v", end.Phase, unitPhases(end), looked)
	}
}

// several gives each cluster of a world several workloads.
func (w *world) several(objects ...string) {
	w.diffs(func(_ string, _ int, found *step.DiffResult) {
		one := found.Cluster.Workloads[0]
		found.Cluster.Workloads = nil
		for _, object := range objects {
			next := one
			next.Object = object
			found.Cluster.Workloads = append(found.Cluster.Workloads, next)
		}
	})
}

func TestSeveralWorkloadsMoveInOrderAndGoBackInReverse(t *testing.T) {
	w := newWorld(t, "a")
	w.several("DaemonSet/infra/one", "Deployment/infra/two", "DaemonSet/infra/three")
	var there, back []string
	w.asks = func(r step.AdvanceRequest) {
		if r.Goal.Number == 1 {
			there = append(there, r.Object)
		}
	}
	w.reverts = func(r step.AdvanceRequest) { back = append(back, r.Object) }
	w.rules.Checks = []pipelines.ResolvedCheck{{
		Name: "fails", At: []pipelines.Point{pipelines.AfterCluster}, Enforcement: pipelines.Enforcing, Gates: []pipelines.ResolvedGate{{Name: "fails", CEL: "false"}},
	}}
	w.plan.OnFailure = pipelines.Rollback
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	if want := []string{"DaemonSet/infra/one", "Deployment/infra/two", "DaemonSet/infra/three"}; !slices.Equal(there, want) {
		t.Errorf("they moved in the order %v", there)
	}
	if want := []string{"DaemonSet/infra/three", "Deployment/infra/two", "DaemonSet/infra/one"}; !slices.Equal(back, want) {
		t.Errorf("they went back in the order %v", back)
	}
	if w.counted("Finish a") != 6 {
		t.Errorf("they were given back %d times", w.counted("Finish a"))
	}
}

// A unit that goes back has the workflow ID of the one that went forward: an order that is late is not for it.
func TestAnOrderOfTheWayForwardIsNotHeardOnTheWayBack(t *testing.T) {
	for _, c := range []struct {
		reason string
		order  map[string]any
		want   api.Phase
	}{
		{"an abort of the way forward", map[string]any{"run": "agent-2", "kind": "abort", "who": "ops"}, api.PhaseRolledBack},
		{"an abort of another run's way back", map[string]any{"run": "agent-1", "back": true, "kind": "abort", "who": "ops"}, api.PhaseRolledBack},
		{"an abort of this way back", map[string]any{"run": "agent-2", "back": true, "kind": "abort", "who": "ops"}, api.PhaseAborted},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.advances = time.Minute
			w.meet()
			w.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Maybe().Return(nil)
			w.env.RegisterDelayedCallback(func() { w.env.SignalWorkflow("order", c.order) }, 30*time.Second)
			w.env.ExecuteWorkflow(api.ClusterRolloutName, tell.ClusterInput{
				Ref:   step.Ref{Run: "agent-2", Plan: "0123456789abcdef", Subject: api.Component("agent"), Cluster: "a", Context: "a", Back: true, BackOf: "agent-1"},
				Stage: "production", Group: "prod", Path: "prod/a",
			})
			var end api.UnitStatus
			if err := w.env.GetWorkflowError(); err != nil && !api.Ended(err, &end) {
				t.Fatal(err)
			} else if err == nil {
				if err := w.env.GetWorkflowResult(&end); err != nil {
					t.Fatal(err)
				}
			}
			if end.Phase != c.want {
				t.Errorf("it ended %s, want %s; asked:\n%s", end.Phase, c.want, strings.Join(w.asked(), "\n"))
			}
		})
	}
}

func TestAnActivityThatFailsForGoodHoldsItsUnit(t *testing.T) {
	for _, name := range []string{step.Apply.Name(), step.Prepare.Name(), step.Advance.Name(), step.Finish.Name(), step.Release.Name(), step.Look.Name()} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a")
			w.fails = func(n, _ string) error {
				if n == name {
					return temporal.NewNonRetryableApplicationError("somebody else has it", string(fault.Conflict), nil)
				}
				return nil
			}
			looked := false
			w.env.RegisterDelayedCallback(func() {
				looked = true
				if now := w.now(t).Stages[0].Units[0]; now.Phase != api.PhaseHeld || now.Failure == nil || now.Failure.Verdict != api.Error {
					t.Errorf("the unit is %s: %+v", now.Phase, now.Failure)
				}
			}, time.Hour)
			w.at(2*time.Hour, func() { w.fails = nil })
			w.command(3*time.Hour, api.UpdateResume, api.Command{})
			end := w.run(t)
			if diff := cmp.Diff(map[string]api.Phase{"a": api.PhaseSucceeded}, unitPhases(end)); diff != "" || !looked {
				t.Errorf("it stood meanwhile: %v; units (-want +got):\n%s", looked, diff)
			}
		})
	}
}

// Both may be heard before a unit obeys either.
func TestARollbackGoesBeforeAnAbort(t *testing.T) {
	for _, kinds := range [][]string{{"abort", "rollback"}, {"rollback", "abort"}} {
		w := newWorld(t, "a")
		w.advances = time.Minute
		w.meet()
		w.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Maybe().Return(nil)
		w.env.RegisterDelayedCallback(func() {
			for _, kind := range kinds {
				w.env.SignalWorkflow("order", map[string]any{"run": "agent-1", "kind": kind, "who": "ops"})
			}
		}, 90*time.Second)
		w.env.ExecuteWorkflow(api.ClusterRolloutName, tell.ClusterInput{
			Ref:   step.Ref{Run: "agent-1", Plan: "0123456789abcdef", Subject: api.Component("agent"), Cluster: "a", Context: "a"},
			Stage: "production", Group: "prod", Path: "prod/a",
		})
		var end api.UnitStatus
		if err := w.env.GetWorkflowResult(&end); err != nil && !api.Ended(err, &end) {
			t.Fatal(err)
		}
		if end.Phase != api.PhaseRolledBack {
			t.Errorf("told to %s, it ended %s; asked:\n%s", strings.Join(kinds, " and to "), end.Phase, strings.Join(w.asked(), "\n"))
		}
	}
}
