package engine_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const staged = `apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: canary}
spec: {environment: canary}
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1}
spec: {group: canary}
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
  stages:
  - {name: canary, approvals: 1, clusterGroups: {matchLabels: {environment: canary}}}
  - {name: production, clusterGroups: {matchLabels: {environment: production}}}
`

// stages is a bench with a canary stage that wants an approval before production.
func stages(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.write("fleet.yaml", staged)
	return b
}

func (b *bench) narrowed(req engine.PlanRequest) (*engine.Planned, error) {
	b.t.Helper()
	req.Paths, req.Component, req.By = []string{b.dir}, "agent", "ann"
	return b.Plan(b.t.Context(), req)
}

// rollouts counts the runs that were started.
func (b *bench) rollouts() int {
	n := 0
	for _, in := range b.temporal.inputs {
		if _, is := in.(api.RolloutInput); is {
			n++
		}
	}
	return n
}

func TestAStageSkippedByATypoNeverLeadsToProduction(t *testing.T) {
	b := stages(t)
	b.write("fleet.yaml", strings.Replace(staged, "{environment: canary}}}", "{environment: canry}}}", 1))
	for name, req := range map[string]engine.PlanRequest{
		"whole": {}, "only production": {Only: []string{"prod"}, Reason: "now"}, "without the canary's cluster": {Exclude: []string{"c1"}, Reason: "now"},
	} {
		_, err := b.narrowed(req)
		if code := fault.CodeOf(err); code != fault.Refused && code != fault.Invalid {
			t.Errorf("%s: production is planned behind a stage that nobody meant to skip: %v", name, err)
		}
	}
	_, err := b.narrowed(engine.PlanRequest{})
	wants(t, err, fault.Refused, "empty-stage: stage canary", "did you mean canary?", "fleet.yaml:")
	if len(b.temporal.started) > 0 {
		t.Errorf("something was started: %v", b.temporal.started)
	}
	if plans, err := b.Plans(t.Context(), "", 10); err != nil || len(plans) > 0 {
		t.Errorf("a plan is stored, and could be run by its hash: %v, %v", plans, err)
	}
}

func TestABypassNeedsAReasonAndIsInTheAudit(t *testing.T) {
	for name, c := range map[string]struct {
		reason       string
		plan, run    string
		wantsRefused bool
	}{
		"no reason":                {reason: "nobody says why", wantsRefused: true},
		"a reason with the plan":   {reason: "who approves sees it", plan: "canary is being rebuilt"},
		"a reason with the run":    {reason: "whoever starts says why", run: "canary is being rebuilt"},
		"a reason with each, once": {reason: "run COMPONENT --go gives it to both", plan: "canary is being rebuilt", run: "canary is being rebuilt"},
	} {
		t.Run(name, func(t *testing.T) {
			b := stages(t)
			p, err := b.narrowed(engine.PlanRequest{Only: []string{"prod"}, Reason: c.plan})
			if err != nil {
				t.Fatal(err)
			}
			run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann", Reason: c.run})
			if c.wantsRefused {
				wants(t, err, fault.Refused, "stage canary is left out, and 1.0.0 has not passed it in c1", "--reason")
				if n := b.rollouts(); n > 0 {
					t.Errorf("%d runs were started: %s", n, c.reason)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.reason, err)
			}
			entries, err := b.Audit(t.Context(), run.Name, 10)
			if err != nil {
				t.Fatal(err)
			}
			var found []ledger.Entry
			for _, e := range entries {
				if e.Command == "bypass" {
					found = append(found, e)
				}
			}
			if len(found) != 1 || found[0].Who != "ann (unverified)" || found[0].Scope != "stage canary" || found[0].Reason != "canary is being rebuilt" {
				t.Errorf("the audit has %+v, want the stage that was bypassed, by whom and why", found)
			}
			details := b.temporal.started[len(b.temporal.started)-1].StaticDetails
			if !strings.Contains(details, "Bypass: stage canary") || !strings.Contains(details, "canary is being rebuilt") {
				t.Errorf("the run's page does not say what is bypassed and why:\n%s", details)
			}
		})
	}
}

// canary runs the canary stage alone and ends it. Its phase and what a later unit did are the case's.
func (b *bench) canary(report api.RunStatus, aborted bool) {
	b.t.Helper()
	p, err := b.narrowed(engine.PlanRequest{Only: []string{"canary"}})
	if err != nil {
		b.t.Fatal(err)
	}
	run, err := b.Run(b.t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
	if err != nil {
		b.t.Fatal(err)
	}
	unit, _, _ := p.Plan.Unit("c1")
	err = b.ledger.SaveDeployment(b.t.Context(), ledger.Deployment{
		Cluster: "c1", Subject: api.Component("agent"), Version: "1.0.0", Target: unit.Target, Objects: b.blob("o"), Run: run.Name, Since: noon,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if aborted {
		err := b.ledger.AddEntry(b.t.Context(), ledger.Entry{Who: "ann", Command: "abort", Object: run.Name, Outcome: "it is aborted", At: noon})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if report.Phase == "" {
		b.temporal.open = map[string]bool{run.Name: true}
		return
	}
	run.Phase, run.Ended, run.Report = string(report.Phase), noon, b.blob(report)
	if err := b.ledger.SaveRun(b.t.Context(), run); err != nil {
		b.t.Fatal(err)
	}
}

func TestAStageHasPassedOnceItHasEndedWell(t *testing.T) {
	moved := api.UnitStatus{Cluster: "c1", Phase: api.PhaseSucceeded, Started: noon}
	first := api.StageStatus{Name: "canary", Units: []api.UnitStatus{moved}}
	for name, c := range map[string]struct {
		reason  string
		report  api.RunStatus
		aborted bool
		passed  bool
	}{
		"the run succeeded": {
			reason: "the stage has soaked and was judged", passed: true,
			report: api.RunStatus{Phase: api.PhaseSucceeded, Stages: []api.StageStatus{first}},
		},
		"the run is open": {
			reason: "the stage may be soaking still",
		},
		"the run was aborted while the stage soaked": {
			reason: "its clusters have moved, the stage has proved nothing", aborted: true,
			report: api.RunStatus{Phase: api.PhaseSucceeded, Stages: []api.StageStatus{first}},
		},
		"a check of the stage failed": {
			reason: "its cluster is recorded all the same",
			report: api.RunStatus{Phase: api.PhaseFailed, Stages: []api.StageStatus{first}},
		},
		"a later stage failed": {
			reason: "it began when this one had passed", passed: true,
			report: api.RunStatus{Phase: api.PhaseFailed, Stages: []api.StageStatus{first, {Name: "production", Units: []api.UnitStatus{{Cluster: "c2", Phase: api.PhaseFailed, Started: noon.Add(time.Hour)}}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := stages(t)
			b.canary(c.report, c.aborted)
			p, err := b.narrowed(engine.PlanRequest{Only: []string{"prod"}})
			if err != nil {
				t.Fatal(err)
			}
			if passed := len(p.Plan.Bypasses) == 0; passed != c.passed {
				t.Errorf("passed is %v, want %v: %s", passed, c.passed, c.reason)
			}
		})
	}
}

// TestNothingThatFollowsHidesAnAbort has others be refused what they tell a run that was aborted.
func TestNothingThatFollowsHidesAnAbort(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		aborted bool
		refused int // later entries
		passed  bool
	}{
		"none":                        {"it is seen at once", true, 0, false},
		"some hundreds":               {"it is looked for behind them", true, 700, false},
		"some hundreds, and no abort": {"who was refused has aborted nothing", false, 700, true},
		"too many":                    {"nobody knows what is behind them", false, 5000, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := stages(t)
			unit := api.UnitStatus{Cluster: "c1", Phase: api.PhaseSucceeded, Started: noon}
			b.canary(api.RunStatus{Phase: api.PhaseSucceeded, Stages: []api.StageStatus{{Name: "canary", Units: []api.UnitStatus{unit}}}}, c.aborted)
			for range c.refused {
				err := b.ledger.AddEntry(t.Context(), ledger.Entry{
					Who: "eve", Command: "abort", Object: "agent-1", Outcome: ledger.Refused + "it has ended", At: noon.Add(time.Hour),
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			p, err := b.narrowed(engine.PlanRequest{Only: []string{"prod"}})
			if err != nil {
				t.Fatal(err)
			}
			if passed := len(p.Plan.Bypasses) == 0; passed != c.passed {
				t.Errorf("passed is %v, want %v: %s", passed, c.passed, c.reason)
			}
		})
	}
}

func TestAPlanCountsOnWhatHasPassedUntilItIsRun(t *testing.T) {
	b := stages(t)
	b.canary(api.RunStatus{Phase: api.PhaseSucceeded, Stages: []api.StageStatus{{Name: "canary", Units: []api.UnitStatus{{Cluster: "c1", Phase: api.PhaseSucceeded}}}}}, false)
	p, err := b.narrowed(engine.PlanRequest{Only: []string{"prod"}})
	if err != nil {
		t.Fatal(err)
	}
	b.deploy("c1", "agent-9", "0.9.0") // somebody has rolled the canary back
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
	wants(t, err, fault.Refused, "c1 of stage canary", "plan again")
	b.temporal.onStart = func(client.StartWorkflowOptions, any) error { return nil }
	if n := b.rollouts(); n != 1 {
		t.Errorf("%d runs were started, want the canary's alone", n)
	}
}
