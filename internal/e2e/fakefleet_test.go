package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/runs"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
	served "sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows"
)

// fakeFleet is a worker on the real Temporal server whose clusters and ledger are fakes: they answer at once, and as a good
// version does. It is for what needs more clusters, or more events, than control planes can be had for.
type fakeFleet struct {
	t      testing.TB
	client client.Client
	queue  string
	plan   step.RunPlan
	plans  func(name string) step.RunPlan                         // of runs by plans of other names; nil where all have the one
	moves  func(ctx context.Context, r step.AdvanceRequest) error // what a batch waits for; nil for nothing
	gates  *check.Runner

	batches []pipelines.Amount // of the ten pods of each cluster; all at once unless a test says otherwise
	checks  []pipelines.ResolvedCheck
	changes string // digest of the change set of every cluster
}

// fakePlan is the number of the plan that every run of a fake fleet runs.
const fakePlan = "0123456789abcdef"

// newFakeFleet starts a worker for one component, whose stages have so many clusters each.
func newFakeFleet(t testing.TB, component string, clusters ...int) *fakeFleet {
	t.Helper()
	return newFakeFleetAt(t, component, "fake-"+component, clusters...)
}

// newFakeFleetAt is newFakeFleet at a task queue of its own.
func newFakeFleetAt(t testing.TB, component, queue string, clusters ...int) *fakeFleet {
	t.Helper()
	c, err := engine.Dial(t.Context(), engine.DialOptions{Dir: stack(t).Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f := &fakeFleet{
		t: t, client: c.Client, queue: queue, gates: check.New(),
		batches: []pipelines.Amount{pipelines.Percent(100)}, changes: "sha256:c",
	}
	f.plan = step.RunPlan{Subject: api.Component(component), Version: "2.0.0", Pipeline: "fake", OnFailure: pipelines.Pause, Rollback: pipelines.RollbackAuto}
	for i, n := range clusters {
		g := plan.Group{Name: fmt.Sprintf("region-%d", i+1), MaxConcurrency: max(1, n/10)}
		for j := range n {
			name := fmt.Sprintf("fake-%d-%04d", i+1, j+1)
			g.Units = append(g.Units, plan.Unit{
				Path: component + "-vpc/" + name, Cluster: name, Group: component + "-vpc", Context: name,
				WayBack: plan.WayBack{
					Version: "1.0.0", Objects: fmt.Sprintf("sha256:%064d", j), Target: fmt.Sprintf("sha256:%064d", j), Run: component + "-0",
				},
			})
		}
		f.plan.Stages = append(f.plan.Stages, step.RunStage{Name: fmt.Sprintf("stage-%d", i+1), Groups: []plan.Group{g}})
	}
	w := worker.New(c.Client, f.queue, worker.Options{MaxConcurrentActivityExecutionSize: 5000, WorkerStopTimeout: 2 * time.Second})
	workflows.Register(w)
	(&runs.Activities{Client: c.Client, Clock: clock.RealClock{}}).Register(w)
	f.register(w)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return f
}

// fake answers an activity.
func fake[Req, Res any](w worker.Worker, a step.Activity[Req, Res], f func(Req) Res) {
	served.Handle(w, a, func(_ context.Context, in Req) (Res, error) { return f(in), nil })
}

func (f *fakeFleet) register(w worker.Worker) {
	state := func(r step.WorkloadRequest) goal.State { return goal.State{UID: "u", Revision: "new", Previous: "old"} }
	seen := func(r step.AdvanceRequest) api.Facts {
		n := int64(r.Target)
		return api.Facts{Facts: rule.Facts{
			Workload: rule.Workload{Kind: "DaemonSet", Name: "agent", Desired: n, Updated: n, UpdatedReady: n},
			Batch:    rule.Batch{Number: int64(r.Goal.Number), Target: n, Total: n, Updated: n, UpdatedReady: n},
		}}
	}
	fake(w, step.LoadRun, func(name string) step.RunPlan {
		if f.plans != nil && name != fakePlan {
			return f.plans(name)
		}
		return f.plan
	})
	fake(w, step.LoadUnit, func(r step.Ref) step.UnitPlan {
		return step.UnitPlan{
			Unit: rule.Unit{Cluster: r.Cluster}, Change: rule.Change{Component: r.Subject.String(), Version: f.plan.Version}, Rollback: f.plan.Rollback,
			Rules: plan.StageRules{
				NodeSets:       []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}},
				Batches:        f.batches,
				MaxUnavailable: pipelines.Count(1),
				Checks:         f.checks,
			},
			WayBack: plan.WayBack{Version: "1.0.0", Objects: "sha256:1", Target: "sha256:2"},
		}
	})
	fake(w, step.Acquire, func(r step.Ref) step.Ref { r.Fence = 1; return r })
	fake(w, step.Diff, func(r step.DiffRequest) step.DiffResult {
		batches := plan.Batches(f.batches, 10)
		return step.DiffResult{Changes: f.changes, Cluster: plan.ClusterDiff{Cluster: r.Cluster, Workloads: []plan.Division{
			{Object: "DaemonSet/infra/agent", NodeSets: []plan.NodeSetBatch{{Name: "all", Pods: 10, Batches: batches}}},
		}}}
	})
	fake(w, step.Apply, func(step.ApplyRequest) step.ApplyResult { return step.ApplyResult{} })
	fake(w, step.Unapply, func(step.ApplyRequest) step.ApplyResult { return step.ApplyResult{} })
	fake(w, step.Prepare, state)
	fake(w, step.Arm, state)
	fake(w, step.Disarm, state)
	fake(w, step.Finish, state)
	served.Handle(w, step.Advance, func(ctx context.Context, r step.AdvanceRequest) (api.Facts, error) {
		if f.moves != nil {
			return seen(r), f.moves(ctx, r)
		}
		return seen(r), nil
	})
	fake(w, step.Look, seen)
	fake(w, step.Revert, seen)
	served.Handle(w, step.Observe, func(ctx context.Context, r step.ObserveRequest) (api.Facts, error) {
		return api.Facts{}, wait(ctx, r.For)
	})
	fake(w, step.Prune, func(step.PruneRequest) step.PruneResult { return step.PruneResult{} })
	fake(w, step.Release, func(step.ReleaseRequest) step.Note { return "" })
	fake(w, step.Reachable, func(step.Ref) step.Note { return "" })
	fake(w, step.Unobserved, func(step.Ref) step.Note { return "" })
	fake(w, step.SaveUnit, func(step.SaveUnitRequest) string { return fmt.Sprintf("sha256:%064d", 1) })
	fake(w, step.Enter, func(step.EnterRequest) permit.Admission { return permit.Admission{} })
	fake(w, step.Trouble, func(step.TroubleRequest) step.Note { return "" })
	fake(w, step.SeeNodes, func(step.NodesRequest) string { return "" })
	fake(w, step.NoteFailure, func(step.FailureRequest) step.Note { return "" })
	fake(w, step.SaveRun, func(api.RunStatus) string { return "" })
	fake(w, step.AddAudit, func(step.AuditRequest) step.Note { return "" })
	served.Handle(w, step.Evaluate, func(ctx context.Context, r step.EvaluateRequest) ([]api.Check, error) {
		return f.gates.Evaluate(ctx, r), nil
	})
}

// wait heartbeats until a time is over or the activity is cancelled.
func wait(ctx context.Context, most time.Duration) error {
	over := time.After(most)
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
			activity.RecordHeartbeat(ctx)
		}
	}
}

// start starts a run.
func (f *fakeFleet) start(name string) client.WorkflowRun {
	f.t.Helper()
	return f.startPlan(name, fakePlan)
}

// startPlan starts a run by a plan.
func (f *fakeFleet) startPlan(name, plan string) client.WorkflowRun {
	f.t.Helper()
	run, err := f.client.ExecuteWorkflow(f.t.Context(), client.StartWorkflowOptions{
		ID: name, TaskQueue: f.queue, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, api.RolloutName, api.RolloutInput{Run: name, Plan: plan, By: "ann"})
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

// tell gives a run a command, which must be accepted.
func (f *fakeFleet) tell(run, name string) {
	f.t.Helper()
	if _, err := f.try(run, name); err != nil {
		f.t.Fatalf("cannot %s %s: %v", name, run, err)
	}
}

// try gives a run a command, and returns how long it took to be answered.
func (f *fakeFleet) try(run, name string) (time.Duration, error) {
	began := time.Now()
	handle, err := f.client.UpdateWorkflow(f.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: run, UpdateName: name, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{api.Command{Who: "ops", Reason: "a test", Plan: fakePlan}},
	})
	if err != nil {
		return 0, err
	}
	return time.Since(began), handle.Get(f.t.Context(), nil)
}

// until waits until a run is as wanted.
func (f *fakeFleet) until(run, what string, met func(api.RunStatus) bool) {
	f.t.Helper()
	var now api.RunStatus
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		v, err := f.client.QueryWorkflow(f.t.Context(), run, "", api.QueryStatus)
		if err == nil && v.Get(&now) == nil && met(now) {
			return
		}
	}
	f.t.Fatalf("%s was not %s: %+v", run, what, now)
}

// ended waits for a run's end, and keeps its history.
func (f *fakeFleet) ended(run client.WorkflowRun) api.RunStatus {
	f.t.Helper()
	var end api.RunStatus
	if err := run.Get(f.t.Context(), &end); err != nil && !api.Ended(err, &end) {
		f.t.Fatalf("%s closed with %v", run.GetID(), err)
	}
	f.keep(run.GetID(), "")
	return end
}

// keep writes a history down where somebody asked for it, under the workflow's ID.
func (f *fakeFleet) keep(id, run string) {
	f.t.Helper()
	keepHistory(f.t, f.client, id, run)
}

// events is how long the history of a workflow's latest execution is.
func (f *fakeFleet) events(id string) int64 {
	f.t.Helper()
	d, err := f.client.DescribeWorkflowExecution(f.t.Context(), id, "")
	if err != nil {
		f.t.Fatal(err)
	}
	return d.GetWorkflowExecutionInfo().GetHistoryLength()
}
