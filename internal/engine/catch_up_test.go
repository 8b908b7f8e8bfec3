package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// through has a run of all that the documents name end; how is by cluster, Succeeded where it says nothing.
func (b *bench) through(how map[string]api.Phase) ledger.Run {
	b.t.Helper()
	p := b.plan()
	run, err := b.Run(b.t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann", Reason: "a new version"})
	if err != nil {
		b.t.Fatal(err)
	}
	report := api.RunStatus{Name: run.Name, Phase: api.PhaseSucceeded}
	for _, st := range p.Plan.Stages {
		s := api.StageStatus{Name: st.Name}
		for _, g := range st.Groups {
			for _, u := range g.Units {
				phase := api.PhaseSucceeded
				if how[u.Cluster] != "" {
					phase = how[u.Cluster]
				}
				s.Units = append(s.Units, api.UnitStatus{Cluster: u.Cluster, Phase: phase, Started: b.clock.Now()})
				if phase == api.PhaseSucceeded {
					b.puts(ledger.Deployment{Cluster: u.Cluster, Version: run.Version, Target: u.Target, Run: run.Name})
				}
			}
		}
		report.Stages = append(report.Stages, s)
	}
	run.Phase, run.Ended, run.Report = string(report.Phase), b.clock.Now(), b.blob(report)
	if err := b.ledger.SaveRun(b.t.Context(), run); err != nil {
		b.t.Fatal(err)
	}
	b.clock.Step(time.Hour)
	return run
}

func (b *bench) puts(d ledger.Deployment) {
	b.t.Helper()
	d.Subject, d.Objects, d.Since = api.Component("agent"), b.blob(d.Version), b.clock.Now()
	if err := b.ledger.SaveDeployment(b.t.Context(), d); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) catchesUp() (*engine.CatchUp, error) {
	b.t.Helper()
	return b.CatchUp(b.t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
}

const joined = `
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c9}
spec: {group: prod}
`

// TestFailureMode_R28_ACatchUpIsForWhoJoinedOrWasMissed: a run keeps the clusters of its plan; whoever came later, or was away, is brought
// to the last version that went all the way.
func TestFailureMode_R28_ACatchUpIsForWhoJoinedOrWasMissed(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		set    func(b *bench)
		behind []string
		others string // what is left as it is
	}{
		"nobody is": {
			reason: "all run what went through", set: func(b *bench) { b.through(nil) },
		},
		"one that joined": {
			reason: "nothing was deployed there",
			set: func(b *bench) {
				b.through(nil)
				b.write("fleet.yaml", staged+joined)
			},
			behind: []string{"c9"},
		},
		"one that was out of reach": {
			reason: "the run succeeded without it",
			set:    func(b *bench) { b.through(map[string]api.Phase{"c2": api.PhaseMissed}) },
			behind: []string{"c2"},
		},
		"one that was missed and runs what was before": {
			reason: "what it runs is older than the run that went through",
			set: func(b *bench) {
				b.through(nil)
				b.write("component.yaml", component("2.0.0"))
				b.through(map[string]api.Phase{"c2": api.PhaseMissed})
			},
			behind: []string{"c2"},
		},
		"one that runs what came later": {
			reason: "a version on its way is not taken from it",
			set: func(b *bench) {
				b.through(nil)
				b.clock.Step(time.Hour)
				run, err := b.ledger.NewRun(b.t.Context(), ledger.Run{Subject: api.Component("agent"), Plan: "sha256:p", Version: "3.0.0", Phase: "Failed", Started: b.clock.Now()})
				if err != nil {
					b.t.Fatal(err)
				}
				b.puts(ledger.Deployment{Cluster: "c1", Version: "3.0.0", Target: "sha256:3", Run: run.Name})
			},
			others: "c1 runs 3.0.0 of agent-2",
		},
		"of a version that was taken back, nobody": {
			reason: "the one before it went through, and stayed",
			set: func(b *bench) {
				first := b.through(map[string]api.Phase{"c2": api.PhaseMissed})
				b.write("component.yaml", component("2.0.0"))
				second := b.through(nil)
				b.clock.Step(time.Hour)
				_, err := b.ledger.NewRun(b.t.Context(), ledger.Run{Subject: api.Component("agent"), Plan: second.Plan, Back: second.Name, Started: b.clock.Now()})
				if err != nil {
					b.t.Fatal(err)
				}
				b.write("component.yaml", component(first.Version))
			},
			others: "c1 runs 2.0.0 of agent-2, c2 runs 2.0.0 of agent-2",
		},
		"of a version in which a unit failed, nobody": {
			reason: "that its failure was within the budget makes it no version to bring to others",
			set: func(b *bench) {
				b.through(nil)
				b.write("component.yaml", component("2.0.0"))
				b.through(map[string]api.Phase{"c2": api.PhaseFailed})
				b.write("component.yaml", component("1.0.0"))
			},
			others: "c1 runs 2.0.0 of agent-2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := stages(t)
			c.set(b)
			got, err := b.catchesUp()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Behind, c.behind) || strings.Join(got.Others, ", ") != c.others {
				t.Errorf("behind are %v, others %v, want %v and %q: %s", got.Behind, got.Others, c.behind, c.others, c.reason)
			}
			if (got.Planned != nil) != (len(c.behind) > 0) {
				t.Fatalf("the plan is %+v", got.Planned)
			}
			if got.Planned == nil {
				return
			}
			var units []string
			for _, s := range got.Planned.Plan.Stages {
				for _, g := range s.Groups {
					for _, u := range g.Units {
						units = append(units, u.Cluster)
					}
				}
			}
			if !slices.Equal(units, c.behind) {
				t.Errorf("the plan is for %v", units)
			}
			if len(got.Planned.Plan.Bypasses) > 0 {
				t.Errorf("it is said to go past %v, which has passed", got.Planned.Plan.Bypasses)
			}
		})
	}
}

func TestAPartIsNotAllTheWay(t *testing.T) {
	for reason, report := range map[string]api.RunStatus{
		"it tried again what another run had left": {Phase: api.PhaseSucceeded, Retry: "agent-0"},
		"a person left a cluster out": {Phase: api.PhaseSucceeded, Stages: []api.StageStatus{{Units: []api.UnitStatus{
			{Cluster: "c1", Phase: api.PhaseSkipped, Ending: &api.Ending{By: "ann"}}, {Cluster: "c2", Phase: api.PhaseSucceeded},
		}}}},
	} {
		t.Run(reason, func(t *testing.T) {
			b := stages(t)
			run := b.through(nil)
			again, err := b.ledger.NewRun(t.Context(), ledger.Run{Subject: api.Component("agent"), Plan: run.Plan, Version: "1.0.0", Started: b.clock.Now()})
			if err != nil {
				t.Fatal(err)
			}
			again.Phase, again.Ended, again.Report = string(report.Phase), b.clock.Now(), b.blob(report)
			if err := b.ledger.SaveRun(t.Context(), again); err != nil {
				t.Fatal(err)
			}
			got, err := b.catchesUp()
			if err != nil || got.Through.Name != run.Name {
				t.Errorf("it is caught up with %s: %v", got.Through.Name, err)
			}
		})
	}
}

func TestThereIsNothingToCatchUpWith(t *testing.T) {
	b := stages(t)
	_, err := b.catchesUp()
	wants(t, err, fault.NotFound, "no version of it has gone all the way")
	b.canary(api.RunStatus{Phase: api.PhaseSucceeded, Stages: []api.StageStatus{{Name: "canary", Units: []api.UnitStatus{{Cluster: "c1", Phase: api.PhaseSucceeded}}}}}, false)
	_, err = b.catchesUp()
	wants(t, err, fault.NotFound, "no version of it has gone all the way") // it was kept to the canary

	b = stages(t)
	b.through(nil)
	b.write("agent/agent.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
	_, err = b.catchesUp()
	wants(t, err, fault.Refused, "its files say something else by 1.0.0 than what agent-1 took through")
}
