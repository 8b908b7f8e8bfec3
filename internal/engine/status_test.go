package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
)

// under way: c1 has ended, c2 is moving its first batch.
func (b *bench) underWay() ledger.Run {
	b.t.Helper()
	run := b.started()
	ended := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Stage: "all", Phase: api.PhaseSucceeded,
		Batches: []api.BatchStatus{{Path: "prod/c1/all/1", NodeSet: "all", Number: 1, Phase: api.PhaseSucceeded}},
	}
	short := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Stage: "all", Phase: api.PhaseSucceeded, Detail: b.blob(ended)}
	open := api.UnitStatus{Path: "prod/c2", Cluster: "c2", Stage: "all", Phase: api.PhaseWaiting, Workflow: "prod/c2/agent", Started: noon}
	b.temporal.answers = map[string]any{
		run.Name: api.RunStatus{Name: run.Name, Phase: api.PhaseMoving, Stages: []api.StageStatus{
			{Name: "none", Phase: api.PhaseSkipped}, {Name: "all", Phase: api.PhaseMoving, Units: []api.UnitStatus{short, open}},
		}},
		"prod/c2/agent": api.UnitStatus{
			Path: "prod/c2", Cluster: "c2", Stage: "all", Phase: api.PhaseMoving, Workflow: "prod/c2/agent", Started: noon.Add(time.Second),
			Waiting: &api.Waiting{Kind: "pods", Name: "prod/c2/all/1", Since: noon},
			Batches: []api.BatchStatus{{Path: "prod/c2/all/1", NodeSet: "all", Number: 1, Target: 4, Total: 40, Phase: api.PhaseMoving, Started: noon}},
		},
	}
	b.temporal.progress = map[string]step.Progress{"prod/c2/agent": {Updated: 3, Ready: 2, Target: 4, Total: 40, Since: noon.Add(time.Minute)}}
	return run
}

func TestStatusReachesDownToTheBatchThatMoves(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	v, err := b.Status(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	if v.Note != "" || v.Stages[0].Units == nil {
		t.Errorf("note %q, units of an empty stage %v; want neither a note nor null", v.Note, v.Stages[0].Units)
	}
	c1, c2 := v.Stages[1].Units[0], v.Stages[1].Units[1]
	if len(c1.Batches) != 1 || c1.Detail == "" {
		t.Errorf("the unit that has ended lacks its batches: %+v", c1)
	}
	if c2.Phase != api.PhaseMoving || len(c2.Batches) != 1 || c2.Batches[0].Updated != 3 || c2.Batches[0].Ready != 2 {
		t.Errorf("the open unit lacks what its heartbeats say: %+v", c2)
	}
}

func TestStatusDoesNotMixRuns(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		unit   func(*api.UnitStatus)
		answer func(*api.UnitStatus)
	}{
		"another run holds the unit": {
			reason: "the workflow under its name is that of the other run",
			unit:   func(u *api.UnitStatus) { u.Waiting = &api.Waiting{Kind: "lock"} },
		},
		"the unit of an earlier run answers": {
			reason: "a workflow that began before the unit did is not the unit's",
			answer: func(u *api.UnitStatus) { u.Started = noon.Add(-time.Hour) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.underWay()
			root := b.temporal.answers[run.Name].(api.RunStatus)
			if c.unit != nil {
				c.unit(&root.Stages[1].Units[1])
			}
			if c.answer != nil {
				answer := b.temporal.answers["prod/c2/agent"].(api.UnitStatus)
				c.answer(&answer)
				b.temporal.answers["prod/c2/agent"] = answer
			}
			v, err := b.Status(t.Context(), run.Name)
			if err != nil {
				t.Fatal(err)
			}
			if u := v.Stages[1].Units[1]; u.Phase != api.PhaseWaiting || len(u.Batches) > 0 {
				t.Errorf("%s: %+v", c.reason, u)
			}
		})
	}
}

func TestStatusOfAnEndedRunNeedsNoTemporal(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.end(run, api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseSucceeded, Moved: true})
	alone := engine.New(b.ledger, func(context.Context) (*engine.Server, error) { return nil, errors.New("no server") }, engine.Options{})
	v, err := alone.Status(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	if v.Phase != api.PhaseSucceeded || v.Note != "" {
		t.Errorf("it is %s with note %q, want Succeeded and none", v.Phase, v.Note)
	}
}

func TestStatusWithoutWorker(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.workers = 0
	b.deploy("c1", run.Name, "1.0.0")
	err := b.ledger.SaveObservation(t.Context(), ledger.Observation{Cluster: "c2", Subject: api.Component("agent"), Run: run.Name, Version: "1.0.0", Armed: true, Seen: noon})
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.Status(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(v.Note, "no worker answers on task queue sluice") || v.Phase != "Soaking" {
		t.Errorf("phase %q, note %q; want the search attribute's, and that no worker answers", v.Phase, v.Note)
	}
	if why, err := b.Why(t.Context(), run.Name, ""); err != nil || len(why.Reasons) == 0 || why.Reasons[0].Waiting.Kind != "worker" {
		t.Errorf("it says %+v, %v; want that it waits for a worker", why.Reasons, err)
	}
	units := v.Stages[0].Units
	if units[0].Phase != api.PhaseSucceeded || units[1].Phase != api.PhaseMoving || !units[1].Armed {
		t.Errorf("units are %+v, want what the ledger knows", units)
	}
}

// TestSinceWhenNoWorkerWorks: one that says to the ledger that it is there, and asks Temporal for no work, does none.
func TestSinceWhenNoWorkerWorks(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.workers = 0
	b.clock.Step(time.Hour)
	now := b.clock.Now()
	installation, err := b.ledger.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	beat := ledger.Beat{Worker: "7@here", Queues: []string{api.Queue(installation)}, Since: noon, Seen: now}
	for reason, c := range map[string]struct {
		ended time.Time
		want  time.Time
	}{
		"it has lost Temporal": {want: noon}, "it has ended": {ended: now, want: now},
	} {
		beat.Ended = c.ended
		if err := b.ledger.SaveBeat(t.Context(), beat); err != nil {
			t.Fatal(err)
		}
		why, err := b.Why(t.Context(), run.Name, "")
		if err != nil || len(why.Reasons) == 0 || !why.Reasons[0].Waiting.Since.Equal(c.want) {
			t.Errorf("%s: it explains %+v, %v", reason, why.Reasons, err)
		}
	}
}

func TestStatusOfARunThatTemporalLost(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.temporal.open = nil
	v, err := b.Status(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(v.Note, "does not know this run") {
		t.Errorf("note is %q", v.Note)
	}
}

func TestStatusOfARunThatWasTerminated(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	b.temporal.closed = map[string]enumspb.WorkflowExecutionStatus{run.Name: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED}
	v, err := b.Status(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	if v.Phase != api.PhaseAborted || v.Ended.IsZero() || !strings.Contains(v.Note, "has ended as Terminated without a report") {
		t.Errorf("it is %s, ended %s, note %q; want Aborted though it still answers: nobody may wait for it", v.Phase, v.Ended, v.Note)
	}
	all, err := b.Runs(t.Context(), engine.RunsQuery{})
	if err != nil || all[0].Phase != string(api.PhaseAborted) {
		t.Errorf("runs are %+v, %v; want it Aborted", all, err)
	}
}

func TestARunIsInTheListAsItEnded(t *testing.T) {
	for _, c := range []struct {
		closed enumspb.WorkflowExecutionStatus
		phase  api.Phase
	}{
		{enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, api.PhaseRolledBack},   // by itself
		{enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, api.PhaseRolledBack}, // by a person
		{enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, api.PhaseAborted},
	} {
		b := newBench(t)
		run := b.underWay()
		b.temporal.closed = map[string]enumspb.WorkflowExecutionStatus{run.Name: c.closed}
		b.temporal.phases = map[string]string{run.Name: string(c.phase)}
		all, err := b.Runs(t.Context(), engine.RunsQuery{})
		if err != nil || all[0].Phase != string(c.phase) {
			t.Errorf("closed as %s, it is listed as %s, %v; want %s", c.closed, all[0].Phase, err, c.phase)
		}
	}
}

func TestStatusOfNoRun(t *testing.T) {
	_, err := newBench(t).Status(t.Context(), "agent-7")
	wants(t, err, fault.NotFound, "agent-7")
}

func TestWhy(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	why, err := b.Why(t.Context(), run.Name, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(why.Reasons) != 1 || why.Reasons[0].Subject != "prod/c2" {
		t.Fatalf("reasons are %+v, want the one unit that waits", why.Reasons)
	}
	r := why.Reasons[0]
	if r.Waiting.Kind != "pods" || r.Progress == nil || r.Progress.Updated != 3 || !r.Since.Equal(noon.Add(time.Minute)) {
		t.Errorf("reason is %+v, want pods, progress, and the last heartbeat that brought any", r)
	}
	for _, about := range []string{"c1", "prod/c1", "prod/c1/all/1", "all"} {
		if _, err := b.Why(t.Context(), run.Name, about); err != nil {
			t.Errorf("why %s: %v", about, err)
		}
	}
	_, err = b.Why(t.Context(), run.Name, "c7")
	wants(t, err, fault.NotFound, "c7", run.Name)
}

func TestWhySomethingHasNotBegun(t *testing.T) {
	pause := &api.Waiting{Kind: "person", Name: "resume", Owner: "ann"}
	soak := &api.Waiting{Kind: "soak", Name: "canary"}
	for name, c := range map[string]struct {
		reason, about string
		run           func(*api.RunStatus)
		want          *api.Waiting
	}{
		"its stage is not at its turn": {
			"the first stage that is open goes first", "c2", func(*api.RunStatus) {},
			&api.Waiting{Kind: "turn", Since: noon, Unmet: []string{"stage canary has not ended"}},
		},
		"the stage itself": {
			"as its clusters", "all", func(*api.RunStatus) {},
			&api.Waiting{Kind: "turn", Since: noon, Unmet: []string{"stage canary has not ended"}},
		},
		"others of its stage move": {
			"maxConcurrency and order hold it", "c2", func(r *api.RunStatus) { r.Stages[0].Phase, r.Stages[1].Phase = api.PhaseSucceeded, api.PhaseMoving },
			&api.Waiting{Kind: "turn", Since: noon, Unmet: []string{"what goes before it in its stage has not ended"}},
		},
		"the stage before it soaks": {"that is when its turn comes", "c2", func(r *api.RunStatus) { r.Stages[0].Waiting = soak }, soak},
		"the run is paused":         {"a person holds all of it", "c2", func(r *api.RunStatus) { r.Waiting = pause }, pause},
		"the run has ended":         {"its turn will not come", "c2", func(r *api.RunStatus) { r.Phase = api.PhaseAborted }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			root := api.RunStatus{Name: run.Name, Phase: api.PhaseMoving, Started: noon, Stages: []api.StageStatus{
				{Name: "canary", Phase: api.PhaseMoving},
				{Name: "all", Phase: api.PhasePending, Units: []api.UnitStatus{{Path: "prod/c2", Cluster: "c2", Phase: api.PhasePending}}},
			}}
			c.run(&root)
			b.temporal.answers = map[string]any{run.Name: root}
			why, err := b.Why(t.Context(), run.Name, c.about)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, why.Reasons[0].Waiting); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestClusters(t *testing.T) {
	b := newBench(t)
	b.deploy("a", "agent-1", "1")
	b.deploy("b", "agent-1", "1")
	b.deploy("c", "agent-2", "2")
	at := time.Date(2026, 11, 22, 2, 41, 0, 0, time.Local)
	for _, o := range []ledger.Observation{
		{Cluster: "b", Version: "2", Run: "agent-2", Updated: 12, Desired: 40, Armed: true, Seen: at},
		{Cluster: "b", Unreachable: true},
		{Cluster: "c", Version: "2", Run: "agent-2", Updated: 39, Desired: 40, Armed: true, Seen: at},
		{Cluster: "d", Unreachable: true},
		{Cluster: "e", Version: "2", Run: "agent-2", Updated: 39, Desired: 39, Behind: "n1", Seen: at},
		{Cluster: "f", Version: "2", Run: "agent-2", Updated: 3, Desired: 36, Behind: "n1, n2, n3, n4", Seen: at},
	} {
		o.Subject = api.Component("agent")
		if err := b.ledger.SaveObservation(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	all, err := b.Clusters(t.Context(), "agent")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "version 1", "b": "unreachable; version 2, 12 of 40 at 02:41", "c": "version 2", "d": "unreachable; never seen",
		"e": "version 2, 39 of 39; node n1 is behind", "f": "version 2, 3 of 36; 4 nodes are behind: n1, n2, n3, ...",
	}
	for _, c := range all {
		if c.State != want[c.Cluster] {
			t.Errorf("%s is %q, want %q", c.Cluster, c.State, want[c.Cluster])
		}
		if armed := c.Cluster == "b"; c.Armed != armed {
			t.Errorf("%s is armed: %v, want %v", c.Cluster, c.Armed, armed)
		}
	}
	if len(all) != 6 || all[0].Cluster != "a" {
		t.Errorf("list is %+v, want six by name", all)
	}
	_, err = b.Clusters(t.Context(), "nothing")
	wants(t, err, fault.NotFound, "nothing")
	if err := b.ledger.SaveDeployment(t.Context(), ledger.Deployment{Cluster: "a", Subject: api.Component("other"), Version: "9", Run: "other-1", Objects: b.blob("9"), Target: "t", Since: at}); err != nil {
		t.Fatal(err)
	}
	fleet, err := b.Clusters(t.Context(), "")
	if err != nil || len(fleet) != 7 || fleet[0].Component != "agent" || fleet[0].State != "version 1" || fleet[1].Component != "other" || fleet[1].State != "version 9" {
		t.Errorf("the fleet is %+v, %v; want each component of each cluster", fleet, err)
	}
}

func TestWhyRemembersWhatAUnitWentBackFor(t *testing.T) {
	seen := api.Check{
		Name: "restarts", At: "afterBatch", Verdict: api.Failed, Message: "containers restart", Seen: map[string]any{"workload.restarts": 7.0},
	}
	other := api.Check{Name: "ready", At: "afterBatch", Verdict: api.Inconclusive}
	before := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Phase: api.PhaseFailed, Failure: &seen, FailedAt: "prod/c1/all/1",
		Batches: []api.BatchStatus{{Path: "prod/c1/all/1", NodeSet: "all", Number: 1, Phase: api.PhaseHeld, Checks: []api.Check{seen, other}}},
	}
	short := seen
	short.Seen = nil
	for name, c := range map[string]struct {
		reason string
		unit   api.UnitStatus
		of     func(engine.Reason) *api.Check
	}{
		"it went back well": {
			reason: "the run tells the check, the record of before what it saw",
			unit:   api.UnitStatus{Phase: api.PhaseRolledBack, Failure: &short, FailedAt: "prod/c1/all/1"},
			of:     func(r engine.Reason) *api.Check { return r.Failure },
		},
		"the way back failed too": {
			reason: "both are told",
			unit: api.UnitStatus{
				Phase: api.PhaseFailed, Failure: &api.Check{Name: "rollback", At: "rollback", Verdict: api.Error}, Cause: &short, CauseAt: "prod/c1/all/1",
			},
			of: func(r engine.Reason) *api.Check { return r.Cause },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			back := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: c.unit.Phase}
			u := c.unit
			u.Path, u.Cluster, u.Stage, u.Detail, u.Before = "prod/c1", "c1", "all", b.blob(back), b.blob(before)
			b.end(run, u)
			why, err := b.Why(t.Context(), run.Name, "c1")
			if err != nil || len(why.Reasons) != 1 {
				t.Fatal(why, err)
			}
			r := why.Reasons[0]
			if found := c.of(r); found == nil || found.Seen["workload.restarts"] != 7.0 {
				t.Errorf("it says %+v, without what was seen: %s", found, c.reason)
			}
			if r.Stopped == nil || len(r.Stopped.Checks) != 2 {
				t.Errorf("it does not say how the batch was left: %+v", r.Stopped)
			}
		})
	}
}
