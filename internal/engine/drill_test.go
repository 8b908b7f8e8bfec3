package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// schedules keeps schedules as a server does.
type schedules struct {
	client.ScheduleClient
	there map[string]client.Schedule
}

func (s *schedules) Create(ctx context.Context, o client.ScheduleOptions) (client.ScheduleHandle, error) {
	if _, there := s.there[o.ID]; there {
		return nil, temporal.ErrScheduleAlreadyRunning
	}
	if s.there == nil {
		s.there = map[string]client.Schedule{}
	}
	s.there[o.ID] = client.Schedule{Spec: &o.Spec, Action: o.Action, Policy: &client.SchedulePolicies{Overlap: o.Overlap}}
	return s.GetHandle(ctx, o.ID), nil
}

func (s *schedules) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	return &scheduled{all: s, id: id}
}

type scheduled struct {
	client.ScheduleHandle
	all *schedules
	id  string
}

func (s *scheduled) Update(_ context.Context, o client.ScheduleUpdateOptions) error {
	next, err := o.DoUpdate(client.ScheduleUpdateInput{Description: client.ScheduleDescription{Schedule: s.all.there[s.id]}})
	if err == nil {
		s.all.there[s.id] = *next.Schedule
	}
	return err
}

func (s *scheduled) Delete(context.Context) error {
	if _, there := s.all.there[s.id]; !there {
		return serviceerror.NewNotFound("no such schedule")
	}
	delete(s.all.there, s.id)
	return nil
}

const drillDoc = `apiVersion: sluice.dev/v1alpha1
kind: Drill
metadata: {name: crash}
spec:
  component: agent
  version: 9.0.0-bad
  clusterGroups: {names: [test]}
  schedule: {cron: 0 5 * * *, timeZone: UTC}
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: test}
spec: {environment: e2e}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: t1}
spec: {group: test}
`

// drills is a bench whose agent 1.0.0 runs in t1, c1 and c2, with the drill crash.
func drills(t *testing.T) *bench {
	b := newBench(t)
	b.write("drill.yaml", drillDoc)
	b.write("bad.yaml", component("9.0.0-bad"))
	for _, cluster := range []string{"t1", "c1", "c2"} {
		b.deploy(cluster, "agent-0", "1.0.0")
	}
	return b
}

func (b *bench) startsDrill() engine.KeptDrill {
	b.t.Helper()
	d, err := b.StartDrill(b.t.Context(), engine.DrillRequest{Name: "crash", Files: engine.Files{Paths: []string{b.dir}}, By: "ann"})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// begins has the drill begin, and what it starts open.
func (b *bench) begins(id string) api.Drilled {
	b.t.Helper()
	d, err := b.BeginDrill(b.t.Context(), api.DrillTime{ID: id, Drill: "crash", Started: b.clock.Now()})
	if err != nil {
		b.t.Fatal(err)
	}
	if d.Run != "" {
		b.temporal.open = map[string]bool{d.Run: true}
	}
	return d
}

func (b *bench) judges(id string) (api.Drilled, bool) {
	b.t.Helper()
	d, done, err := b.JudgeDrill(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return d, done
}

func TestADrillIsKeptAndScheduled(t *testing.T) {
	b := drills(t)
	d := b.startsDrill()
	if strings.Join(d.Clusters, " ") != "t1" || d.Moves != 1 || d.Within != 30*time.Minute {
		t.Errorf("it is %+v", d)
	}
	s := b.temporal.plans.there["drill/crash"]
	if s.Spec == nil || s.Spec.CronExpressions[0] != "0 5 * * *" || s.Spec.TimeZoneName != "UTC" {
		t.Fatalf("it is scheduled as %+v", s)
	}
	b.write("drill.yaml", strings.ReplaceAll(drillDoc, "0 5 * * *", "0 6 * * 1"))
	b.startsDrill()
	if s := b.temporal.plans.there["drill/crash"]; s.Spec.CronExpressions[0] != "0 6 * * 1" || len(b.temporal.plans.there) != 1 {
		t.Errorf("started again it is scheduled as %+v", s.Spec)
	}
	for i, was := range []bool{true, false} {
		if had, err := b.StopDrill(t.Context(), engine.DrillRequest{Name: "crash", By: "ann"}); had != was || err != nil {
			t.Errorf("stopped %d times: %t, %v", i+1, had, err)
		}
	}
	if all, err := b.Drills(t.Context()); len(all)+len(b.temporal.plans.there) != 0 || err != nil {
		t.Errorf("stopped, there are %v, %v", all, err)
	}
}

func TestADrillThatCouldProveNothingIsNotStarted(t *testing.T) {
	for name, c := range map[string]struct {
		reason   string
		old, new string
		code     fault.Code
		words    string
	}{
		"no such group":    {"it would touch nothing", "names: [test]", "matchLabels: {environment: nowhere}", fault.Invalid, "no cluster group is environment=nowhere"},
		"no such version":  {"nobody knows what is bad", "9.0.0-bad", "9.9.9", fault.Invalid, "cannot find version 9.9.9"},
		"nothing is there": {"there would be no way back", "{name: t1}", "{name: t9}", fault.Refused, "nothing to go back to"},
		"no such drill":    {"names that are there are said", "name: crash", "name: crush", fault.NotFound, "there are the drills crush"},
	} {
		t.Run(name, func(t *testing.T) {
			b := drills(t)
			b.write("drill.yaml", strings.ReplaceAll(drillDoc, c.old, c.new))
			_, err := b.StartDrill(t.Context(), engine.DrillRequest{Name: "crash", Files: engine.Files{Paths: []string{b.dir}}, By: "ann"})
			wants(t, err, c.code, c.words)
			if len(b.temporal.plans.there) > 0 {
				t.Error("it is scheduled all the same")
			}
		})
	}
}

// TestADrillTouchesNothingElse: what begins is the bad version, in the clusters of the drill alone, from what they run now.
func TestADrillTouchesNothingElse(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	b.deploy("t1", "agent-0", "1.1.0")
	begun := b.begins("crash/1")
	if begun.Outcome != api.DrillRuns || begun.Run != "agent-1" {
		t.Fatalf("it began as %+v", begun)
	}
	run, err := b.ledger.Run(t.Context(), begun.Run)
	if err != nil || run.Drill != "crash/1" || run.Version != "9.0.0-bad" {
		t.Errorf("the run is %+v, %v", run, err)
	}
	p, err := b.LoadPlan(t.Context(), run.Plan)
	if err != nil {
		t.Fatal(err)
	}
	if units := p.Plan.AllUnits(); len(units) != 1 || units[0].Cluster != "t1" || units[0].WayBack.Version != "1.1.0" {
		t.Errorf("it moves %+v", units)
	}
	if again := b.begins("crash/1"); again.Run != begun.Run || b.rollouts() != 1 {
		t.Errorf("asked again it starts %s", again.Run)
	}
	if second := b.begins("crash/2"); second.Outcome != api.DrillNotRun || !strings.Contains(second.Message, "run agent-1 (agent 9.0.0-bad) is open") {
		t.Errorf("while it is open, another one is %+v", second)
	}
}

func TestADrillDoesNotBeginWhereTheBadVersionRuns(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	u, _, _ := b.bad().Plan.Unit("t1")
	b.puts(ledger.Deployment{
		Cluster: "t1", Subject: api.Component("agent"), Version: "9.0.0-bad", Run: "agent-9", Objects: b.blob("bad"), Target: u.Target, Since: noon,
	})
	if d := b.begins("crash/1"); d.Outcome != api.DrillNotRun || !strings.Contains(d.Message, "runs in t1 already, by agent-9") {
		t.Errorf("it is %+v", d)
	}
}

// TestADrillThatWasBegunTwiceHasOneRun: a worker died after it had started the run, and before it wrote that down.
func TestADrillThatWasBegunTwiceHasOneRun(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	first := b.begins("crash/1")
	lost := api.Drilled{ID: "crash/1x", Drill: "crash"}
	run, err := b.ledger.Run(t.Context(), first.Run)
	if err != nil {
		t.Fatal(err)
	}
	run.Drill = lost.ID
	orphan, err := b.ledger.NewRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	b.temporal.open = map[string]bool{orphan.Name: true}
	if again := b.begins(lost.ID); again.Run != orphan.Name {
		t.Errorf("it has %+v, and had %s", again, orphan.Name)
	}
}

func TestFreezesAndDrills(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	p := b.bad()
	_, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
		Origin: api.FreezeRollback, Run: "agent-0", Scope: api.FreezeScope{Component: api.Component("agent"), Digest: p.Plan.Digest},
		InFlight: api.PauseNow, By: "ann", Reason: "it crashes", Since: noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	begun := b.begins("crash/1")
	if begun.Outcome != api.DrillRuns {
		t.Fatalf("the version was rolled back before (R16), and the drill is %+v", begun)
	}
	run, err := b.ledger.Run(t.Context(), begun.Run)
	if err != nil {
		t.Fatal(err)
	}
	b.end(run, api.UnitStatus{Cluster: "t1", Phase: api.PhaseRolledBack, Moved: true, Failure: &api.Check{Name: "ready", Verdict: api.Failed}})
	made := b.freezes(api.FreezeScope{Environment: "e2e"}, time.Time{})
	held := b.begins("crash/2")
	if held.Outcome != api.DrillNotRun || held.Ended.IsZero() || !strings.Contains(held.Message, made.Name) {
		t.Errorf("frozen it is %+v", held)
	}
}

// bad is the plan of the drill.
func (b *bench) bad() *engine.Planned {
	b.t.Helper()
	d, err := b.Drills(b.t.Context())
	if err != nil || len(d) != 1 {
		b.t.Fatal(d, err)
	}
	p, err := b.LoadPlan(b.t.Context(), d[0].Plan)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func TestADrillThatWasStoppedEnds(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	begun := b.begins("crash/1")
	if d, done := b.judges("crash/1"); done {
		t.Fatalf("while nobody knows it is %+v", d)
	}
	run, err := b.ledger.Run(t.Context(), begun.Run)
	if err != nil {
		t.Fatal(err)
	}
	b.end(run, api.UnitStatus{
		Cluster: "t1", Phase: api.PhaseRolledBack, Moved: true, Failure: &api.Check{Name: "ready", Verdict: api.Failed}, FailedAt: "test/t1/all/1",
	})
	d, done := b.judges("crash/1")
	if !done || d.Outcome != api.DrillStopped || d.Check != "ready" || d.At != "test/t1/all/1" {
		t.Fatalf("it is %+v", d)
	}
	d, done, err = b.EndDrill(t.Context(), "crash/1")
	if err != nil || !done || d.Outcome != api.DrillStopped || d.Ended.IsZero() || b.rollouts() != 1 {
		t.Errorf("it ended as %+v, %t, %v", d, done, err)
	}
	_, err = b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "ann"})
	wants(t, err, fault.Refused, "its version is bad")
}

// TestWhatADrillLeftIsTakenBack: nothing stopped the bad version, which then runs in t1.
func TestWhatADrillLeftIsTakenBack(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	begun := b.begins("crash/1")
	run, err := b.ledger.Run(t.Context(), begun.Run)
	if err != nil {
		t.Fatal(err)
	}
	b.end(run, api.UnitStatus{Cluster: "t1", Phase: api.PhaseSucceeded, Moved: true})
	if d, done := b.judges("crash/1"); !done || d.Outcome != api.DrillNotStopped || !d.Ended.IsZero() {
		t.Fatalf("it is %+v", d)
	}
	ends := func() (api.Drilled, bool) {
		d, done, err := b.EndDrill(t.Context(), "crash/1")
		if err != nil {
			t.Fatal(err)
		}
		return d, done
	}
	if _, done := ends(); done {
		t.Fatal("it is over, and the bad version runs")
	}
	back, err := b.ledger.Run(t.Context(), "agent-2")
	if err != nil || back.Back != run.Name || back.Drill != "crash/1" || back.By != api.BySluice {
		t.Fatalf("it is taken back by %+v, %v", back, err)
	}
	b.temporal.open = map[string]bool{back.Name: true}
	if _, done := ends(); done || b.rollouts() != 2 {
		t.Errorf("it is over: %t, after %d runs", done, b.rollouts())
	}
	b.end(back, api.UnitStatus{Cluster: "t1", Phase: api.PhaseRolledBack, Moved: true})
	b.deploy("t1", back.Name, "1.0.0")
	if d, done := ends(); !done || d.Outcome != api.DrillNotStopped || strings.Contains(d.Message, "not taken back") {
		t.Errorf("it ended as %+v, %t", d, done)
	}
}

// TestADrillThatIsNotTakenBackIsNotStopped: its check stopped the bad version, which stays.
func TestADrillThatIsNotTakenBackIsNotStopped(t *testing.T) {
	b := drills(t)
	b.startsDrill()
	begun := b.begins("crash/1")
	d := begun
	d.Outcome, d.Check = api.DrillStopped, "ready"
	if err := b.ledger.SaveDrilled(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{Message: "it goes back"}, nil
	}
	if _, done, err := b.EndDrill(t.Context(), "crash/1"); done || err != nil {
		t.Fatalf("over: %t, %v", done, err)
	}
	if u := b.temporal.updates; len(u) != 1 || u[0].UpdateName != api.UpdateRollback || u[0].WorkflowID != begun.Run {
		t.Errorf("it was told %+v", u)
	}
	b.clock.Step(61 * time.Minute)
	d, done, err := b.EndDrill(t.Context(), "crash/1")
	if err != nil || !done || d.Outcome != api.DrillNotStopped || !strings.Contains(d.Message, "was not taken back") {
		t.Errorf("it ended as %+v, %t, %v", d, done, err)
	}
}
