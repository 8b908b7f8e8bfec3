package run

import (
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/show"
	"sluice.dev/sluice/workflows/tell"
)

// childOptions are those of every child: it has the ID to itself, and is asked to end where its parent ends.
func childOptions(
	ctx workflow.Context, id, summary string, of tell.Title, plan, stage string, more ...temporal.SearchAttributeUpdate,
) workflow.ChildWorkflowOptions {
	attributes := append([]temporal.SearchAttributeUpdate{
		show.AttrComponent.ValueSet(of.Subject.String()), show.AttrVersion.ValueSet(of.Version), show.AttrPipeline.ValueSet(of.Pipeline),
		show.AttrPlanHash.ValueSet(plan), show.AttrStage.ValueSet(stage),
	}, more...)
	return workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: workflow.GetInfo(ctx).TaskQueueName, StaticSummary: summary,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
		TypedSearchAttributes: temporal.NewSearchAttributes(attributes...),
	}
}

func unitOptions(ctx workflow.Context, of tell.Title, in tell.ClusterInput) workflow.ChildWorkflowOptions {
	action := fmt.Sprintf("%s to %s %s", in.Path, of.Subject, of.Version)
	if in.Back {
		action = fmt.Sprintf("%s back from %s %s", in.Path, of.Subject, of.Version)
	}
	return childOptions(ctx, api.UnitWorkflowID(in.Path, of.Subject), action, of, in.Plan, in.Stage,
		show.AttrGroup.ValueSet(in.Group), show.AttrCluster.ValueSet(in.Cluster), show.AttrPhase.ValueSet(string(api.PhasePending)))
}

// errGaveUp ends a unit that another run had until nobody wanted it any more.
var errGaveUp = errors.New("given up")

// holder is who holds a unit: the run, or a part of a stage for it.
type holder struct {
	input    func() tell.ClusterInput // asked for each time that the unit is started
	begun    func(workflow.Context)   // the unit's workflow has started
	locked   func(workflow.Context)   // another run has the unit
	unwanted func() bool              // nobody waits for that one any longer
}

// follow runs the unit's workflow to its end. A unit that another run has is asked for again until it is free. An error is
// errGaveUp, or says how the workflow crashed.
func (u *unitRun) follow(ctx workflow.Context, by holder) (end api.UnitStatus, err error) {
	for {
		child := workflow.ExecuteChildWorkflow(ctx, api.ClusterRolloutName, by.input())
		var begun workflow.Execution
		err := child.GetChildWorkflowExecution().Get(ctx, &begun)
		if err == nil {
			u.run = begun.RunID
			by.begun(ctx)
			u.tellOwed(ctx)
			err = child.Get(ctx, &end)
		}
		if err == nil || api.Ended(err, &end) {
			return end, nil
		}
		if !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return end, err
		}
		by.locked(ctx)
		if !u.freed(ctx, by.unwanted) {
			return end, errGaveUp
		}
	}
}

// freed waits until the workflow that has a unit has closed; false where nobody wants that any more before.
func (u *unitRun) freed(ctx workflow.Context, unwanted func() bool) bool {
	ctx, stop := workflow.WithCancel(ctx)
	defer stop()
	return ask.Freed(ctx, u.id, unwanted)
}
