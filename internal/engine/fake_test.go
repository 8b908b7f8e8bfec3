package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

// fakeTemporal answers by its fields. Nil fields answer as an empty server does.
type fakeTemporal struct {
	mu       sync.Mutex
	started  []client.StartWorkflowOptions
	inputs   []any
	updates  []client.UpdateWorkflowOptions
	onStart  func(client.StartWorkflowOptions, any) error // what a worker would do with it
	hang     bool                                         // workflows never end
	answers  map[string]any                               // of queries, by workflow ID
	onUpdate func(client.UpdateWorkflowOptions) (api.Answer, error)
	open     map[string]bool                            // running workflows, by ID
	queue    string                                     // of all of them
	closed   map[string]enumspb.WorkflowExecutionStatus // others, by ID
	phases   map[string]string                          // what search attributes say by ID
	watched  map[string]check.Tallies                   // what background checks have counted, by the ID of the unit
	listed   map[string][2]string                       // phase and what it waits for, as search attributes of open ones, by ID
	holders  map[string]string                          // the run that a unit's workflow belongs to, by the unit's ID
	retries  map[string]string                          // what the last attempt of a unit's activity said, by ID
	progress map[string]step.Progress
	tallies  map[string]check.Tallies // what checks that are measured said last, by workflow
	workers  int
	signals  []api.StandingOrder
	nudges   []api.SourceNudge
	holds    map[string][]api.Holds    // what runs were told of freezes
	plans    schedules                 // what runs by the clock
	history  []*historypb.HistoryEvent // of every workflow
	keys     *payload.Ring             // of what is in it, and of heartbeats and failures
}

func (f *fakeTemporal) SignalWorkflow(_ context.Context, id, _, _ string, arg any) error {
	if !f.open[id] {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	switch arg := arg.(type) {
	case api.StandingOrder:
		f.signals = append(f.signals, arg)
	case api.SourceNudge:
		f.nudges = append(f.nudges, arg)
	case api.Holds:
		if f.holds == nil {
			f.holds = map[string][]api.Holds{}
		}
		f.holds[id] = append(f.holds[id], arg)
	default:
		return fmt.Errorf("signal of %T", arg)
	}
	return nil
}

func (f *fakeTemporal) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &fakeHistory{events: f.history}
}

func (f *fakeTemporal) ScheduleClient() client.ScheduleClient { return &f.plans }

type fakeHistory struct{ events []*historypb.HistoryEvent }

func (h *fakeHistory) HasNext() bool { return len(h.events) > 0 }

func (h *fakeHistory) Next() (*historypb.HistoryEvent, error) {
	next := h.events[0]
	h.events = h.events[1:]
	return next, nil
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started, f.inputs = append(f.started, o), append(f.inputs, args[0])
	run := &fakeRun{id: o.ID, hang: f.hang}
	if f.onStart != nil {
		if err := f.onStart(o, args[0]); err != nil {
			return nil, err
		}
	}
	return run, nil
}

func (f *fakeTemporal) QueryWorkflow(_ context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	answer, there := f.answers[id]
	if !there {
		return nil, context.DeadlineExceeded
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(answer)
	return client.NewValue(payloads), err
}

func (f *fakeTemporal) UpdateWorkflow(_ context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	f.updates = append(f.updates, o)
	if f.onUpdate == nil {
		return nil, serviceerror.NewNotFound("workflow execution already completed")
	}
	answer, err := f.onUpdate(o)
	return &fakeHandle{answer: answer, err: err}, nil
}

func (f *fakeTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if run, held := f.holders[id]; held {
		return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
			RootExecution: &commonpb.WorkflowExecution{WorkflowId: run}, ParentExecution: &commonpb.WorkflowExecution{WorkflowId: run + "/group"},
		}}, nil
	}
	if said, again := f.retries[id]; again {
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflowpb.PendingActivityInfo{{
			ActivityType: &commonpb.ActivityType{Name: step.Prepare.Name()}, Attempt: 3,
			LastFailure: f.keys.Failures(f.keys.Converter(nil)).ErrorToFailure(errors.New(said)),
		}}}, nil
	}
	if all, measured := f.tallies[id]; measured {
		details, err := f.keys.Converter(nil).ToPayloads(all)
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflowpb.PendingActivityInfo{
			{ActivityType: &commonpb.ActivityType{Name: step.Ask.Name()}, HeartbeatDetails: details},
		}}, err
	}
	if all, watched := f.watched[id]; watched {
		details, err := f.keys.Converter(nil).ToPayloads(all)
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflowpb.PendingActivityInfo{
			{ActivityType: &commonpb.ActivityType{Name: step.Watch.Name()}, HeartbeatDetails: details},
			{ActivityType: &commonpb.ActivityType{Name: step.Watch.Name()}, HeartbeatDetails: details}, // the samples of a batch
		}}, err
	}
	if p, moving := f.progress[id]; moving {
		details, err := f.keys.Converter(nil).ToPayloads(p)
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflowpb.PendingActivityInfo{
			{ActivityType: &commonpb.ActivityType{Name: step.Advance.Name()}, HeartbeatDetails: details},
		}}, err
	}
	if s, closed := f.closed[id]; closed {
		info := &workflowpb.WorkflowExecutionInfo{Status: s, CloseTime: timestamppb.New(noon), TaskQueue: f.queue}
		if phase, said := f.phases[id]; said {
			info.SearchAttributes = attributes(phase)
		}
		return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
	}
	if said, there := f.listed[id]; there {
		fields := attributes(said[0])
		fields.IndexedFields["SluiceWaitingFor"] = attributes(said[1]).IndexedFields["SluicePhase"]
		return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
			Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: fields,
		}}, nil
	}
	if !f.open[id] {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: attributes(cmp.Or(f.phases[id], "Soaking")), TaskQueue: f.queue,
	}}, nil
}

func attributes(phase string) *commonpb.SearchAttributes {
	value, err := converter.GetDefaultDataConverter().ToPayload(phase)
	if err != nil {
		panic(err)
	}
	return &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"SluicePhase": value}}
}

func (f *fakeTemporal) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	r := &workflowservice.DescribeTaskQueueResponse{}
	for range f.workers {
		r.Pollers = append(r.Pollers, &taskqueuepb.PollerInfo{LastAccessTime: timestamppb.New(noon)})
	}
	return r, nil
}

type fakeRun struct {
	client.WorkflowRun
	id   string
	hang bool
}

func (r *fakeRun) GetID() string { return r.id }

func (r *fakeRun) Get(ctx context.Context, _ any) error {
	if r.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

type fakeHandle struct {
	client.WorkflowUpdateHandle
	answer api.Answer
	err    error
}

func (h *fakeHandle) Get(_ context.Context, into any) error {
	*into.(*api.Answer) = h.answer
	return h.err
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bench is an engine on a real ledger and a fake Temporal.
type bench struct {
	*engine.Engine
	t        testing.TB
	ledger   ledger.Ledger
	temporal *fakeTemporal
	clock    *testclock.FakeClock // stands at noon
	dir      string               // of the documents
	clusters map[string]plan.ClusterDiff
}

func newBench(t testing.TB) *bench {
	t.Helper()
	l := sqlitetest.New(t)
	b := &bench{t: t, ledger: l, temporal: &fakeTemporal{workers: 1, keys: keyring(t)}, clock: testclock.NewFakeClock(noon), dir: t.TempDir(), clusters: map[string]plan.ClusterDiff{}}
	b.temporal.onStart = b.work
	b.Engine = engine.New(l, func(context.Context) (*engine.Server, error) {
		return &engine.Server{
			Temporal: b.temporal, Address: "fake:7233", Namespace: "default",
			Payloads: b.temporal.keys, Converter: b.temporal.keys.Converter(nil),
		}, nil
	}, engine.Options{
		Clock:    b.clock,
		Origin:   func(string) (api.Origin, error) { return api.Origin{Commit: "abc", Dirty: true}, nil },
		Patience: engine.Patience{Query: 100 * time.Millisecond, Command: 100 * time.Millisecond, Worker: 10 * time.Millisecond},
	})
	b.write("fleet.yaml", fleet)
	b.write("component.yaml", component("1.0.0"))
	b.write("agent/agent.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: agent}\n")
	return b
}

// keyring is one that every bench has: whatever is read without the SDK is encrypted there.
func keyring(t testing.TB) *payload.Ring {
	t.Helper()
	keys, err := payload.Of("k", []byte("a key that is 32 bytes, as it is"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// work does what a worker would do with a preview: it stores what b.clusters says of each cluster.
func (b *bench) work(_ client.StartWorkflowOptions, input any) error {
	in, isPreview := input.(api.PreviewInput)
	if !isPreview || b.temporal.hang {
		return nil
	}
	live := plan.Live{Plan: in.Plan}
	for _, u := range in.Clusters {
		c := b.clusters[u.Cluster]
		c.Cluster = u.Cluster
		live.Clusters = append(live.Clusters, c)
	}
	stored, err := b.ledger.Plan(context.Background(), in.Plan)
	if err != nil {
		return err
	}
	stored.Live = b.blob(live)
	return b.ledger.SavePlan(context.Background(), stored)
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	file := filepath.Join(b.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) blob(v any) string {
	b.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	digest, err := b.ledger.PutBlob(context.Background(), data)
	if err != nil {
		b.t.Fatal(err)
	}
	return digest
}

// plan makes the plan of the agent for the whole fleet.
func (b *bench) plan() *engine.Planned {
	b.t.Helper()
	p, err := b.Plan(b.t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// started makes a plan and starts it.
func (b *bench) started() ledger.Run {
	b.t.Helper()
	run, err := b.Run(b.t.Context(), engine.RunRequest{Plan: b.plan().Hash, By: "ann", Reason: "why not"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.temporal.open = map[string]bool{run.Name: true}
	return run
}

// end writes down how a run ended, as its workflow does, and what it deployed.
func (b *bench) end(run ledger.Run, units ...api.UnitStatus) {
	b.t.Helper()
	for _, u := range units {
		if u.Phase != api.PhaseSucceeded {
			continue
		}
		b.deploy(u.Cluster, run.Name, run.Version)
	}
	report := api.RunStatus{Name: run.Name, Subject: run.Subject, Version: run.Version, Plan: run.Plan, Ended: noon}
	report.Stages = []api.StageStatus{{Name: "all", Units: units}}
	report.Phase = plan.Outcome(report.Stages)
	run.Phase, run.Ended, run.Report = string(report.Phase), noon, b.blob(report)
	if err := b.ledger.SaveRun(b.t.Context(), run); err != nil {
		b.t.Fatal(err)
	}
	b.temporal.open = nil
}

func (b *bench) deploy(cluster, run, version string) {
	b.t.Helper()
	err := b.ledger.SaveDeployment(b.t.Context(), ledger.Deployment{
		Cluster: cluster, Subject: api.Component("agent"), Version: version, Run: run, Objects: b.blob(version), Target: "sha256:" + version, Since: noon,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

const fleet = `apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1}
spec: {group: prod}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c2}
spec: {group: prod}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: careful}
spec:
  params: [{name: least, type: double, default: 0.9}]
  stages:
  - name: all
    clusterGroups: {all: true}
    order: {by: name}
`

func component(version string) string {
	return `apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: agent}
spec:
  version: ` + version + `
  pipeline: careful
  template: {manifests: agent}
  config:
    fleet: {interval: 30s}
`
}
