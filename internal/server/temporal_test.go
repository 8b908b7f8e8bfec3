package server_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// temporal plays a Temporal with a worker: plans are looked at, and runs that were started stay where they are.
type temporal struct {
	engine.Temporal // nil: what is not played here breaks whoever asks for it
	ledger          ledger.Ledger

	mu      sync.Mutex
	open    map[string]bool // runs, by name
	plans   map[string]string
	started int // runs
	nudges  []string
	looks   int // at runs
	phase   api.Phase
	failed  int
	away    bool                   // nobody answers
	begins  func(run string) error // before a run is started
	under   trace.SpanContext      // of the last run that was started
	hangs   func(ctx context.Context, run string)
	looking func()   // at clusters, for a plan
	sees    []string // objects in each cluster
}

type preview struct{ client.WorkflowRun }

// GetID implements client.WorkflowRun.
func (preview) GetID() string { return "preview" }

// Get implements client.WorkflowRun.
func (preview) Get(context.Context, any) error { return nil }

// ExecuteWorkflow starts a run once under its name; a preview is done at once.
func (f *temporal) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	if in, ok := args[0].(api.PreviewInput); ok {
		return preview{}, f.look(ctx, in)
	}
	if f.begins != nil {
		if err := f.begins(o.ID); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[o.ID] {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it is open", "", "")
	}
	f.open[o.ID] = true
	f.under = trace.SpanContextFromContext(ctx)
	f.started++
	if in, ok := args[0].(api.RolloutInput); ok {
		if f.plans == nil {
			f.plans = map[string]string{}
		}
		f.plans[o.ID] = in.Plan
	}
	return preview{}, nil
}

// look has a plan change something everywhere.
func (f *temporal) look(ctx context.Context, in api.PreviewInput) error {
	if f.looking != nil {
		f.looking()
	}
	live := plan.Live{Plan: in.Plan}
	for _, c := range in.Clusters {
		seen := plan.ClusterDiff{Cluster: c.Cluster}
		for _, o := range f.sees {
			seen.Objects = append(seen.Objects, plan.Object{Object: o, Action: "patch"})
		}
		live.Clusters = append(live.Clusters, seen)
	}
	data, err := json.Marshal(live)
	if err != nil {
		return err
	}
	stored, err := f.ledger.Plan(ctx, in.Plan)
	if err != nil {
		return err
	}
	if stored.Live, err = f.ledger.PutBlob(ctx, data); err != nil {
		return err
	}
	return f.ledger.SavePlan(ctx, stored)
}

// QueryWorkflow says where a run is.
func (f *temporal) QueryWorkflow(ctx context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	if f.hangs != nil {
		f.hangs(ctx, id)
	}
	f.mu.Lock()
	f.looks++
	phase, failed, open := f.phase, f.failed, f.open[id]
	f.mu.Unlock()
	if !open {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	if phase == "" {
		phase = api.PhaseMoving
	}
	run := api.RunStatus{
		Name: id, Subject: api.Component("agent"), Version: "1.0.0", Pipeline: "careful", Phase: phase, Started: noon, Failed: failed,
	}
	run.Stages = []api.StageStatus{{Name: "all", Phase: phase, Units: []api.UnitStatus{{Path: "prod/c1", Cluster: "c1", Phase: phase}}}}
	if phase.Final() {
		run.Ended = noon.Add(time.Minute)
		if err := f.end(ctx, run); err != nil {
			return nil, err
		}
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(run)
	return client.NewValue(payloads), err
}

func (f *temporal) end(ctx context.Context, run api.RunStatus) error {
	data, err := json.Marshal(run)
	if err != nil {
		return err
	}
	known, err := f.ledger.Run(ctx, run.Name)
	if err != nil {
		return err
	}
	known.Phase, known.Ended = string(run.Phase), run.Ended
	if known.Report, err = f.ledger.PutBlob(ctx, data); err != nil {
		return err
	}
	return f.ledger.SaveRun(ctx, known)
}

// UpdateWorkflow takes no command.
func (f *temporal) UpdateWorkflow(context.Context, client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	return nil, serviceerror.NewUnavailable("no worker takes it")
}

// SignalWorkflow is heard by nobody; who was nudged is noted.
func (f *temporal) SignalWorkflow(_ context.Context, id, _, name string, _ any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name == api.SignalNudge {
		f.nudges = append(f.nudges, id)
	}
	return nil
}

func (f *temporal) nudged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.nudges)
}

// DescribeWorkflowExecution knows the runs that are open, and by which plan.
func (f *temporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, serviceerror.NewUnavailable("away")
	}
	if !f.open[id] {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	hash, err := converter.GetDefaultDataConverter().ToPayload(f.plans[id])
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status:           enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{api.AttributePlanHash: hash}},
	}}, err
}

// DescribeTaskQueue has one worker.
func (f *temporal) DescribeTaskQueue(
	context.Context, string, enumspb.TaskQueueType,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{LastAccessTime: timestamppb.New(noon)}}}, nil
}

// schedules has none.
type schedules struct{ client.ScheduleClient }

// ScheduleClient implements engine.Temporal.
func (f *temporal) ScheduleClient() client.ScheduleClient { return schedules{} }

// GetWorkflowHistory is empty.
func (f *temporal) GetWorkflowHistory(
	context.Context, string, string, bool, enumspb.HistoryEventFilterType,
) client.HistoryEventIterator {
	return nothing{}
}

type nothing struct{ client.HistoryEventIterator }

// HasNext implements client.HistoryEventIterator.
func (nothing) HasNext() bool { return false }
