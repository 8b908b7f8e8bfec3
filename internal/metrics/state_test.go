package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// temporal has executions open, and is asked for work by one worker.
type temporal struct {
	open  []*workflowpb.WorkflowExecutionInfo
	away  error
	asked int
	seen  time.Time
}

func (f *temporal) ListWorkflow(
	_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.asked++
	if !strings.Contains(r.Query, "TaskQueue = 'sluice-1'") {
		return nil, fmt.Errorf("it is asked for %s", r.Query)
	}
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: f.open}, f.away
}

func (f *temporal) DescribeTaskQueue(
	context.Context, string, enumspb.TaskQueueType,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{
		{LastAccessTime: timestamppb.New(f.seen)}, {LastAccessTime: timestamppb.New(f.seen.Add(-time.Hour))},
	}}, nil
}

// opened adds an execution of a run.
func (f *temporal) opened(kind, run string, phase api.Phase, at time.Time) {
	said, _ := converter.GetDefaultDataConverter().ToPayload(string(phase))
	f.open = append(f.open, &workflowpb.WorkflowExecutionInfo{
		Type: &commonpb.WorkflowType{Name: kind}, RootExecution: &commonpb.WorkflowExecution{WorkflowId: run},
		StartTime: timestamppb.New(at),
		SearchAttributes: &commonpb.SearchAttributes{
			IndexedFields: map[string]*commonpb.Payload{api.AttributePhase: said},
		},
	})
}

// world is a ledger, a Temporal and a clock.
type world struct {
	t        *testing.T
	ledger   ledger.Ledger
	temporal *temporal
	clock    *testclock.FakePassiveClock
	plan     string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, ledger: sqlitetest.New(t), temporal: &temporal{seen: noon}, clock: testclock.NewFakePassiveClock(noon)}
	p := plan.Plan{Format: plan.Format, Subject: api.Component("agent"), Stages: []plan.StagePlan{
		{Name: "one", Rules: plan.StageRules{ProgressDeadline: pipelines.Duration(5 * time.Minute)}},
		{Name: "two", Rules: plan.StageRules{ProgressDeadline: pipelines.Duration(15 * time.Minute)},
			Groups: []plan.Group{{Units: []plan.Unit{{Cluster: "a", Site: "eu"}}}}},
	}}
	body, err := plan.Encode(&p)
	if err != nil {
		t.Fatal(err)
	}
	w.plan = "plan-1"
	digest, err := w.ledger.PutBlob(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ledger.SavePlan(t.Context(), ledger.Plan{Hash: w.plan, Body: digest, Subject: p.Subject, Created: noon}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) state() metrics.State {
	return metrics.State{Ledger: w.ledger, Temporal: w.temporal, Clock: w.clock, Queue: "sluice-1", Log: slog.New(slog.DiscardHandler)}
}

// run makes one that began a while ago, and is in a phase.
func (w *world) run(phase api.Phase, ago time.Duration) string {
	w.t.Helper()
	r, err := w.ledger.NewRun(w.t.Context(), ledger.Run{Plan: w.plan, Subject: api.Component("agent"), Phase: "Pending", Started: noon.Add(-ago)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.temporal.opened(api.RolloutName, r.Name, phase, noon.Add(-ago))
	return r.Name
}

// whole has one of everything.
func whole(t *testing.T) metrics.State {
	w := newWorld(t)
	w.run(api.PhaseMoving, time.Minute)
	if err := w.ledger.AddEntry(t.Context(), ledger.Entry{At: noon, Who: "ann", Command: "pause", Object: "x", Outcome: "accepted"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.ledger.AddFreeze(t.Context(), api.Freeze{By: "ann", Reason: "r", Origin: "person", InFlight: "Finish", Since: noon})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ledger.Keep(t.Context(), ledger.Kept{Kind: api.DrillKind, Name: "crash", Document: []byte("{}"), By: "ann", At: noon}, 10); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"canary", "production"} {
		k := ledger.Kept{Kind: pipelines.KindFuse, Name: name, Document: []byte("{}"), By: "ann", At: noon}
		if _, err := w.ledger.Keep(t.Context(), k, 10); err != nil {
			t.Fatal(err)
		}
	}
	blown := api.Freeze{By: api.BySluice, Reason: "r", Origin: api.FreezeFuse, Fuse: "production/1", InFlight: api.Finish, Since: noon}
	if _, err := w.ledger.AddFreeze(t.Context(), blown); err != nil {
		t.Fatal(err)
	}
	d := api.Drilled{ID: "crash/1", Drill: "crash", Outcome: api.DrillStopped, Started: noon}
	if err := w.ledger.SaveDrilled(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.deployed("a", noon)
	return w.state()
}

// deployed has a cluster changed at a time.
func (w *world) deployed(cluster string, at time.Time) {
	w.t.Helper()
	objects, err := w.ledger.PutBlob(w.t.Context(), []byte("[]"))
	if err != nil {
		w.t.Fatal(err)
	}
	d := ledger.Deployment{
		Cluster: cluster, Subject: api.Component("agent"), Target: at.String(), Objects: objects, Run: "agent-" + at.String(), Fence: at.Unix(), Since: at,
	}
	if err := w.ledger.SaveDeployment(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
}

// Charts draw a line where a run began, and where a cluster was changed.
func TestAWorkerTellsWhenClustersChangedLast(t *testing.T) {
	w := newWorld(t)
	w.run(api.PhaseMoving, time.Hour)
	w.run(api.PhaseMoving, time.Minute)
	for i := range 600 {
		w.deployed(fmt.Sprint("c", i), noon)
	}
	w.deployed("c1", noon.Add(time.Minute))
	m := metrics.New()
	m.Watch(w.state())
	text := page(t, m)
	wants(t, text, `sluice_run_started_timestamp_seconds{component="agent"} 1.79578074e+09`,
		`sluice_cluster_deployed_timestamp_seconds{cluster="c1",component="agent"} 1.79578086e+09`)
	if n := strings.Count(text, "\nsluice_cluster_deployed_timestamp_seconds{"); n != 500 {
		t.Errorf("%d clusters have series of their own", n)
	}
}

func TestAWorkerTellsWhereRunsAre(t *testing.T) {
	m := metrics.New()
	m.Watch(whole(t))
	wants(t, page(t, m),
		`sluice_runs{phase="Moving"} 1`, `sluice_runs{phase="Held"} 0`, `sluice_runs{phase="Failed"} 0`,
		`sluice_units{phase="Stalled"} 0`,
		`sluice_runs_stalled 0`,
		`sluice_run_stalled{component="agent",run="agent-1"} 0`,
		`sluice_run_last_progress_timestamp_seconds{component="agent",run="agent-1"} 1.79578074e+09`,
		`sluice_run_progress_deadline_seconds{component="agent",run="agent-1"} 900`,
		`sluice_commands_total{command="pause",outcome="accepted"} 1`,
		`sluice_freezes 2`,
		`sluice_fuse_tripped{fuse="canary"} 0`, `sluice_fuse_tripped{fuse="production"} 1`,
		`sluice_freeze_oldest_timestamp_seconds 1.7957808e+09`,
		`sluice_task_queue_pollers{task_queue="sluice-1",type="workflow"} 1`,
		`sluice_task_queue_pollers{task_queue="sluice-1-checks",type="activity"} 1`,
		`sluice_task_queue_pollers{task_queue="sluice-1-eu",type="activity"} 1`,
		`sluice_task_queue_pollers{task_queue="sluice-1-eu-checks",type="activity"} 1`,
		`sluice_state_up{source="ledger"} 1`, `sluice_state_up{source="temporal"} 1`,
	)
}

func TestAWorkerTellsWhatDrillsHaveProven(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"crash", "leak", "new"} {
		k := ledger.Kept{Kind: api.DrillKind, Name: name, Document: []byte("{}"), By: "ann", At: noon.Add(time.Duration(i) * time.Second)}
		if _, err := w.ledger.Keep(t.Context(), k, 10); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []api.Drilled{
		{ID: "crash/1", Drill: "crash", Outcome: api.DrillNotStopped},
		{ID: "crash/2", Drill: "crash", Outcome: api.DrillStopped, Started: noon.Add(time.Minute)},
		{ID: "crash/3", Drill: "crash", Outcome: api.DrillNotRun, Started: noon.Add(time.Hour)}, // which proves nothing
		{ID: "leak/1", Drill: "leak", Outcome: api.DrillStopped, Started: noon.Add(2 * time.Minute)},
		{ID: "leak/2", Drill: "leak", Outcome: api.DrillNotStopped, Started: noon.Add(time.Hour)},
	} {
		if err := w.ledger.SaveDrilled(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	m := metrics.New()
	m.Watch(w.state())
	text := page(t, m)
	wants(t, text, `sluice_drill_stopped{drill="crash"} 1`, `sluice_drill_stopped{drill="leak"} 0`,
		`sluice_drill_proven_timestamp_seconds{drill="crash"} 1.79578086e+09`,
		`sluice_drill_proven_timestamp_seconds{drill="leak"} 1.79578092e+09`,
		`sluice_drill_proven_timestamp_seconds{drill="new"} 1.795780802e+09`)
	if strings.Contains(text, `sluice_drill_stopped{drill="new"}`) {
		t.Error("it tells what came of a drill that never ran")
	}
}

func TestARunStallsWhenItGetsNowhere(t *testing.T) {
	for _, c := range []struct {
		reason  string
		phase   api.Phase
		ago     time.Duration
		stalled bool
		then    func(*world, string)
	}{
		{"within the longest deadline of its stages", api.PhaseMoving, 14 * time.Minute, false, nil},
		{"beyond it", api.PhaseMoving, 16 * time.Minute, true, nil},
		{"its clusters are away", api.PhaseUnreachable, 16 * time.Minute, true, nil},
		{"it takes back", api.PhaseRollingBack, 16 * time.Minute, true, nil},
		{"a check takes as long as it takes", api.PhaseChecking, time.Hour, false, nil},
		{"all of its clusters soak", api.PhaseMoving, time.Hour, false, func(w *world, run string) {
			w.temporal.opened(api.ClusterRolloutName, run, api.PhaseSoaking, noon.Add(-time.Hour))
		}},
		{"one soaks, and another gets nowhere", api.PhaseMoving, time.Hour, true, func(w *world, run string) {
			w.temporal.opened(api.ClusterRolloutName, run, api.PhaseSoaking, noon.Add(-time.Hour))
			w.temporal.opened(api.ClusterRolloutName, run, api.PhaseMoving, noon.Add(-time.Hour))
		}},
		{"nobody begins with its cluster", api.PhaseMoving, time.Hour, true, func(w *world, run string) {
			w.temporal.opened(api.ClusterRolloutName, run, api.PhaseWaiting, noon.Add(-time.Hour))
		}},
		{"a soak is quiet time", api.PhaseSoaking, time.Hour, false, nil},
		{"somebody has paused it", api.PhasePaused, time.Hour, false, nil},
		{"it waits for an approval", api.PhaseWaiting, time.Hour, false, nil},
		{"it is held, which is said elsewhere", api.PhaseHeld, time.Hour, false, nil},
		{"it stalled by its own judgement", api.PhaseStalled, time.Minute, true, nil},
		{"a unit of it did", api.PhaseMoving, time.Minute, true, func(w *world, run string) {
			w.temporal.opened(api.ClusterRolloutName, run, api.PhaseStalled, noon)
		}},
		{"a unit was begun", api.PhaseMoving, time.Hour, false, func(w *world, run string) {
			w.temporal.opened(api.ClusterRolloutName, run, api.PhaseMoving, noon.Add(-time.Minute))
		}},
		{"pods have moved", api.PhaseMoving, time.Hour, false, func(w *world, run string) {
			o := ledger.Observation{Cluster: "a", Subject: api.Component("agent"), Run: run, Updated: 1, Seen: noon.Add(-time.Minute)}
			if err := w.ledger.SaveObservation(w.t.Context(), o); err != nil {
				w.t.Fatal(err)
			}
		}},
		{"Temporal does not know it", api.PhaseMoving, time.Hour, true, func(w *world, _ string) { w.temporal.open = nil }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			run := w.run(c.phase, c.ago)
			if c.then != nil {
				c.then(w, run)
			}
			m := metrics.New()
			m.Watch(w.state())
			is := 0
			if c.stalled {
				is = 1
			}
			wants(t, page(t, m), fmt.Sprintf(`sluice_run_stalled{component="agent",run="%s"} %d`, run, is), fmt.Sprintf("sluice_runs_stalled %d", is))
		})
	}
}

func TestManyRunsMakeFewSeries(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		run := w.run(api.PhaseMoving, time.Duration(300-i)*time.Minute)
		w.temporal.opened(api.ClusterRolloutName, run, api.PhaseMoving, noon.Add(-time.Duration(300-i)*time.Minute))
	}
	m := metrics.New()
	m.Watch(w.state())
	text := page(t, m)
	if n := strings.Count(text, "\nsluice_run_stalled{"); n != 20 {
		t.Errorf("%d runs have series of their own", n)
	}
	wants(t, text, `sluice_run_stalled{component="agent",run="agent-1"} 1`, "sluice_runs_stalled 285", `sluice_units{phase="Moving"} 300`)
}

func TestWhatCannotBeReadIsNotTold(t *testing.T) {
	w := newWorld(t)
	w.run(api.PhaseMoving, time.Minute)
	w.temporal.away = errors.New("no server")
	m := metrics.New()
	m.Watch(w.state())
	text := page(t, m)
	wants(t, text, `sluice_state_up{source="ledger"} 1`, `sluice_state_up{source="temporal"} 0`, `sluice_runs{phase="Failed"} 0`)
	for _, name := range []string{"sluice_units", `sluice_runs{phase="Moving"}`, "sluice_run_stalled"} {
		if strings.Contains(text, "\n"+name) {
			t.Errorf("it tells %s", name)
		}
	}
	w.temporal.away = nil
	if wants(t, page(t, m), `sluice_state_up{source="temporal"} 0`); w.temporal.asked != 1 {
		t.Errorf("Temporal is asked %d times within a moment", w.temporal.asked)
	}
	w.clock.SetTime(noon.Add(10 * time.Second))
	wants(t, page(t, m), `sluice_state_up{source="temporal"} 1`)
	w.ledger.Close()
	w.clock.SetTime(noon.Add(20 * time.Second))
	wants(t, page(t, m), `sluice_state_up{source="ledger"} 0`)
}
