package store_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/activities/store"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// stored is a plan of two clusters in a ledger.
func stored(t *testing.T) (*store.Activities, ledger.Ledger, string) {
	t.Helper()
	l := sqlitetest.New(t)
	p := &plan.Plan{Format: plan.Format, Subject: api.Component("agent"), Version: "v2", Digest: "sha256:d", Pipeline: "careful", Stages: []plan.StagePlan{{
		Name: "production",
		Rules: plan.StageRules{
			Batches: []pipelines.Amount{pipelines.Count(1), pipelines.Percent(100)},
			Checks: []pipelines.ResolvedCheck{
				{Name: "batch", At: []pipelines.Point{pipelines.AfterBatch}, Gates: []pipelines.ResolvedGate{{Name: "batch", CEL: "true"}}},
				{Name: "canary", At: []pipelines.Point{pipelines.During}, Steps: []pipelines.ResolvedStep{
					{Name: "canary/job", StepKinds: pipelines.StepKinds{Job: &pipelines.Job{Image: "canary:1"}}},
				}},
				{Name: "stage", At: []pipelines.Point{pipelines.AfterStage}, Gates: []pipelines.ResolvedGate{{Name: "stage", CEL: "true"}}},
			},
		},
		Groups: []plan.Group{{MaxConcurrency: 1, Units: []plan.Unit{
			{Path: "prod/a", Cluster: "a", Group: "prod", Labels: map[string]string{"x": "y"}, WayBack: plan.WayBack{Version: "v1", Target: "sha256:t", Objects: "sha256:o"}},
			{Path: "prod/b", Cluster: "b", Group: "prod"},
		}}},
	}}}
	body, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := l.PutBlob(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	hash := plan.Hash(p)
	if err := l.SavePlan(t.Context(), ledger.Plan{Hash: hash, Subject: api.Component("agent"), Version: "v2", Pipeline: "careful", Body: digest, By: "test", Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return &store.Activities{Ledger: l, Checks: check.New(), Clock: testclock.NewFakeClock(noon)}, l, hash
}

func TestARunGetsOnlyWhatItNeeds(t *testing.T) {
	a, _, hash := stored(t)
	got, err := a.LoadRun(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	s := got.Stages[0]
	if len(s.Checks) != 1 || s.Checks[0].Name != "stage" {
		t.Errorf("checks of the stage: %+v", s.Checks)
	}
	if !s.Watches || !s.MakesPods || s.Looks {
		t.Errorf("its soaks are %+v: a job is measured in the background", s)
	}
	if u := s.Groups[0].Units[0]; u.Labels != nil || !u.WayBack.Exists() {
		t.Errorf("unit %+v: it needs its way back, and not its labels", u)
	}
	if _, err := a.LoadRun(t.Context(), strings.Repeat("f", 64)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("an unknown plan: %v", err)
	}
}

func TestAUnitKnowsWhoStartedItsRun(t *testing.T) {
	a, l, hash := stored(t)
	run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent"), Version: "v2", Phase: "Pending", By: "ann", Started: noon})
	if err != nil {
		t.Fatal(err)
	}
	for run, want := range map[string]string{run.Name: "ann", "nobody-knows": ""} {
		got, err := a.LoadUnit(t.Context(), step.Ref{Plan: hash, Cluster: "a", Run: run})
		if err != nil || got.Change.By != want {
			t.Errorf("%s was started by %q, %v, want %q", run, got.Change.By, err, want)
		}
	}
}

func TestAUnitGoesBackUnderItsOwnRules(t *testing.T) {
	a, _, hash := stored(t)
	there, err := a.LoadUnit(t.Context(), step.Ref{Plan: hash, Cluster: "a", Run: "agent-1"})
	if err != nil {
		t.Fatal(err)
	}
	back, err := a.LoadUnit(t.Context(), step.Ref{Plan: hash, Cluster: "a", Run: "agent-2", Back: true})
	if err != nil {
		t.Fatal(err)
	}
	if there.Change.Version != "v2" || there.Change.Previous != "v1" || len(there.Rules.Batches) != 2 || len(there.Rules.Checks) != 3 {
		t.Errorf("there: %+v", there)
	}
	if back.Change.Version != "v1" || back.Change.Previous != "v2" || len(back.Rules.Batches) != 1 || len(back.Rules.Checks) != 0 || back.Target != "sha256:t" {
		t.Errorf("back: %+v", back)
	}
	if _, err := a.LoadUnit(t.Context(), step.Ref{Plan: hash, Cluster: "c"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a cluster that the plan does not have: %v", err)
	}
}

func TestWhatWasSeenIsKeptBesideThePlan(t *testing.T) {
	a, l, hash := stored(t)
	seen, err := json.Marshal(plan.ClusterDiff{Cluster: "a", Version: "v1.36.3"})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := l.PutBlob(t.Context(), seen)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := a.SaveLive(t.Context(), step.SaveLiveRequest{Plan: hash, Clusters: []step.Seen{{Cluster: "a", Digest: digest}, {Cluster: "b", Unreachable: "no worker"}}}); err != nil {
			t.Fatal(err)
		}
	}
	p, err := l.Plan(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	data, err := l.Blob(t.Context(), p.Live)
	if err != nil {
		t.Fatal(err)
	}
	var live plan.Live
	if err := json.Unmarshal(data, &live); err != nil {
		t.Fatal(err)
	}
	if live.Plan != hash || len(live.Clusters) != 2 || live.Clusters[0].Version != "v1.36.3" || live.Clusters[1].Unreachable != "no worker" {
		t.Errorf("%+v", live)
	}
}

func TestARunsEndIsWrittenOnce(t *testing.T) {
	a, l, hash := stored(t)
	run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent"), Version: "v2", Phase: "Pending", Started: time.Now(), By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	end := api.RunStatus{Name: run.Name, Phase: api.PhaseSucceeded, Ended: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for range 2 {
		if _, err := a.SaveRun(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	end.Phase = api.PhaseFailed
	if _, err := a.SaveRun(t.Context(), end); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an ended run was changed: %v", err)
	}
	got, err := l.Run(t.Context(), run.Name)
	if err != nil || got.Phase != string(api.PhaseSucceeded) || got.Report == "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheAuditSaysWhenSomebodyWasHeard(t *testing.T) {
	a, l, _ := stored(t)
	if _, err := a.AddAudit(t.Context(), step.AuditRequest{Who: "ann", Command: "pause", Run: "agent-1", Outcome: "accepted"}); err != nil {
		t.Fatal(err)
	}
	entries, err := l.ListEntries(t.Context(), "agent-1", 0)
	if err != nil || len(entries) != 1 || !entries[0].At.Equal(noon) || entries[0].Who != "ann" {
		t.Errorf("it says %+v, %v", entries, err)
	}
}

// TestAUnitEntersOnceThereIsRoom: limits are those that are kept in the ledger, and whoever waits hears of a place that is free.
func TestAUnitEntersOnceThereIsRoom(t *testing.T) {
	a, l, hash := stored(t)
	document := `{"metadata": {"name": "one"}, "spec": {"domain": "cluster", "clusters": 1, "onConflict": "Queue"}}`
	if _, err := l.Keep(t.Context(), ledger.Kept{Kind: pipelines.KindLimit, Name: "one", Document: []byte(document), By: "ann", At: noon}, 10); err != nil {
		t.Fatal(err)
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a.Enter)
	enter := func(run, known string) permit.Admission {
		t.Helper()
		ref := step.Ref{Run: run, Plan: hash, Subject: api.Component(run), Cluster: "a"}
		value, err := env.ExecuteActivity(a.Enter, step.EnterRequest{Ref: ref, Holder: permit.Holder{Workflow: run}, Known: known})
		if err != nil {
			t.Fatal(err)
		}
		var said permit.Admission
		if err := value.Get(&said); err != nil {
			t.Fatal(err)
		}
		return said
	}
	if said := enter("x-1", ""); !said.Given() {
		t.Fatalf("nobody is there: %+v", said)
	}
	waits := enter("y-1", "")
	if waits.Limit != "one" || waits.Holder != "x-1" {
		t.Fatalf("it is full: %+v", waits)
	}
	clock := a.Clock.(*testclock.FakeClock)
	left := make(chan error, 1)
	go func() {
		for !clock.HasWaiters() {
			time.Sleep(time.Millisecond)
		}
		_, err := a.SaveUnit(context.Background(), step.SaveUnitRequest{Ref: step.Ref{Run: "x-1", Plan: hash, Cluster: "a"}})
		clock.Step(3 * time.Second)
		left <- err
	}()
	if said := enter("y-1", waits.Why); !said.Given() {
		t.Errorf("it has left, and there is no room: %+v", said)
	}
	if err := <-left; err != nil {
		t.Error(err)
	}
}
