package engine_test

import (
	"slices"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
)

func TestRunsAreFound(t *testing.T) {
	b := newBench(t)
	b.temporal.listed = map[string][2]string{}
	hash := b.plan().Hash
	add := func(component string, age time.Duration, phase api.Phase, waits string) {
		run, err := b.ledger.NewRun(t.Context(), ledger.Run{
			Plan: hash, Subject: api.Component(component), Version: "2", Phase: string(api.PhasePending), Started: noon.Add(-age), By: "ann",
		})
		if err != nil {
			t.Fatal(err)
		}
		if phase.Final() {
			run.Phase, run.Ended = string(phase), noon
			if err := b.ledger.SaveRun(t.Context(), run); err != nil {
				t.Fatal(err)
			}
			return
		}
		b.temporal.listed[run.Name] = [2]string{string(phase), waits}
	}
	add("agent", 30*24*time.Hour, api.PhaseSucceeded, "")
	add("proxy", 48*time.Hour, api.PhaseHeld, "decision ready: Failed: it crashes")
	add("agent", 3*time.Hour, api.PhaseStalled, "decision progress: nothing got on")
	add("agent", time.Hour, api.PhaseUnreachable, "cluster c1: no route to host")
	add("agent", time.Minute, api.PhaseMoving, "pods prod/c1/all/1")
	for _, c := range []struct {
		reason string
		query  engine.RunsQuery
		want   []string
	}{
		{"all of them", engine.RunsQuery{}, []string{"agent-4", "agent-3", "agent-2", "proxy-1", "agent-1"}},
		{"of a component", engine.RunsQuery{Component: "proxy"}, []string{"proxy-1"}},
		{"that need somebody", engine.RunsQuery{Phases: []api.Phase{api.PhaseHeld, api.PhaseStalled}}, []string{"agent-2", "proxy-1"}},
		{"the newest of these, however many others there are", engine.RunsQuery{Phases: []api.Phase{api.PhaseHeld, api.PhaseStalled}, Limit: 1}, []string{"agent-2"}},
		{"that have ended", engine.RunsQuery{Phases: []api.Phase{api.PhaseSucceeded}}, []string{"agent-1"}},
		{"of today", engine.RunsQuery{After: noon.Add(-24 * time.Hour)}, []string{"agent-4", "agent-3", "agent-2"}},
		{"of before", engine.RunsQuery{Before: noon.Add(-24 * time.Hour)}, []string{"proxy-1", "agent-1"}},
		{"of before, that stand", engine.RunsQuery{Before: noon.Add(-2 * time.Hour), Phases: []api.Phase{api.PhaseStalled}}, []string{"agent-2"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			all, err := b.Runs(t.Context(), c.query)
			var names []string
			for _, r := range all {
				names = append(names, r.Name)
			}
			if err != nil || !slices.Equal(names, c.want) {
				t.Errorf("%v, %v; want %v", names, err, c.want)
			}
		})
	}
	all, err := b.Runs(t.Context(), engine.RunsQuery{Component: "proxy"})
	if err != nil || all[0].WaitsFor != "decision ready: Failed: it crashes" || all[0].Phase != "Held" {
		t.Errorf("%+v, %v", all, err)
	}
}
