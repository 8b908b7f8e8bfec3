package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/plan"
)

// server plays a run: each look finds it one phase further on, until it is written down as ended.
type server struct {
	engine.Temporal
	t      *testing.T
	ledger string
	phases []api.Phase
	looks  int
	seen   plan.ClusterDiff // what the plan finds in each cluster
	says   string           // of the unit: what the check that stopped it found
	away   error            // why it cannot be reached
	told   []*historypb.HistoryEvent
	deaf   bool             // it does not answer whoever tells it something
	source *api.SourceState // how far sources were followed; nil: nobody does
	probed []api.Probed     // what is told of cases that are run, one look after another
}

type started struct{ client.WorkflowRun }

func (started) GetID() string                  { return "preview" }
func (started) Get(context.Context, any) error { return nil }

func (s *server) ExecuteWorkflow(ctx context.Context, _ client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	in, isPreview := args[0].(api.PreviewInput)
	if !isPreview {
		return started{}, nil
	}
	l := s.open()
	defer l.Close()
	stored, err := l.Plan(ctx, in.Plan)
	if err != nil {
		return nil, err
	}
	live := plan.Live{Plan: in.Plan}
	for _, c := range in.Clusters {
		seen := s.seen
		seen.Cluster = c.Cluster
		live.Clusters = append(live.Clusters, seen)
	}
	stored.Live = s.blob(l, live)
	return started{}, l.SavePlan(ctx, stored)
}

func (s *server) QueryWorkflow(ctx context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	if strings.Contains(id, "/source/") {
		if s.source == nil {
			return nil, serviceerror.NewNotFound("no such workflow")
		}
		payloads, err := converter.GetDefaultDataConverter().ToPayloads(s.source)
		return client.NewValue(payloads), err
	}
	if rest, ok := strings.CutPrefix(id, "probe/"); ok {
		now := s.probed[min(s.looks, len(s.probed)-1)]
		s.looks++
		now.ID = rest
		payloads, err := converter.GetDefaultDataConverter().ToPayloads(now)
		return client.NewValue(payloads), err
	}
	phase := s.phases[min(s.looks, len(s.phases)-1)]
	s.looks++
	if phase == "" {
		return nil, context.DeadlineExceeded // there is no worker now
	}
	unit := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: phase}
	if s.says != "" {
		unit.Failure = &api.Check{Name: "pods", Verdict: api.Failed, Message: s.says, Seen: map[string]any{"events": s.says}}
	}
	run := api.RunStatus{Name: id, Subject: api.Component("agent"), Version: "1.0.0", Pipeline: "careful", By: "ann", Phase: phase, Started: noon}
	run.Stages = []api.StageStatus{{Name: "all", Phase: phase, Units: []api.UnitStatus{unit}}}
	if phase.Final() {
		run.Ended = noon.Add(time.Minute)
		l := s.open()
		defer l.Close()
		known, err := l.Run(ctx, id)
		if err != nil {
			return nil, err
		}
		known.Phase, known.Ended, known.Report = string(phase), run.Ended, s.blob(l, run)
		if err := l.SaveRun(ctx, known); err != nil {
			return nil, err
		}
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(run)
	return client.NewValue(payloads), err
}

// DescribeWorkflowExecution knows a workflow for each run of the ledger, and for each unit.
func (s *server) DescribeWorkflowExecution(ctx context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	l := s.open()
	defer l.Close()
	if _, err := l.Run(ctx, id); err != nil && !strings.Contains(id, "/") {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, nil
}

func (s *server) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{}, nil
}

func (s *server) SignalWorkflow(ctx context.Context, _, _, _ string, arg any) error {
	if s.deaf {
		select {
		case <-ctx.Done():
		case <-s.t.Context().Done():
		}
		return context.Canceled
	}
	input, err := converter.GetDefaultDataConverter().ToPayloads(arg)
	s.told = append(s.told, &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, EventTime: timestamppb.New(noon),
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: api.SignalCommand, Input: input},
		},
	})
	return err
}

func (s *server) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &events{left: s.told}
}

type events struct{ left []*historypb.HistoryEvent }

func (e *events) HasNext() bool { return len(e.left) > 0 }

func (e *events) Next() (*historypb.HistoryEvent, error) {
	next := e.left[0]
	e.left = e.left[1:]
	return next, nil
}

func (s *server) open() ledger.Ledger {
	s.t.Helper()
	l, err := sqlite.Open(context.Background(), s.ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

func (s *server) blob(l ledger.Ledger, v any) string {
	s.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	digest, err := l.PutBlob(context.Background(), data)
	if err != nil {
		s.t.Fatal(err)
	}
	return digest
}
