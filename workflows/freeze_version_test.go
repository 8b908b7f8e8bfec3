package workflows_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

func TestFailureMode_R16_WhatGoesBackIsFrozenBeforeItsRunEnds(t *testing.T) {
	const plan = "0123456789abcdef"
	open := api.RolloutInput{Run: "agent-1", Plan: plan, By: "ops"}
	leaks := api.Command{Who: "ann", Reason: "it leaks"}
	for reason, c := range map[string]struct {
		in   api.RolloutInput
		set  func(*world)
		want []step.FreezeVersionRequest
	}{
		"a person takes a part of it back, and then the rest": {open, func(w *world) {
			w.command(2*time.Second, api.UpdateRollback, api.Command{Who: "ann", Reason: "it leaks", Scope: api.Scope{Clusters: []string{"a"}}})
			w.command(3*time.Second, api.UpdateRollback, leaks)
		}, []step.FreezeVersionRequest{{Run: "agent-1", Plan: plan, By: "ann (unverified)", Reason: "agent-1 was rolled back: it leaks"}}},
		"its pipeline takes it back": {open, func(w *world) {
			w.facts, w.plan.OnFailure = crashes("a"), pipelines.Rollback
		}, []step.FreezeVersionRequest{{Run: "agent-1", Plan: plan, By: api.BySluice, Reason: "agent-1 was rolled back: ready failed at prod/a/all/1: does not hold: workload.restarts == 0"}}},
		"a run of its own takes it back": {
			api.RolloutInput{Run: "agent-2", Plan: plan, By: "ann", Reason: "it leaks", Back: &api.BackInput{Run: "agent-1", Units: []string{"a"}}},
			func(*world) {}, []step.FreezeVersionRequest{{Run: "agent-2", Plan: plan, By: "ann", Reason: "agent-1 was rolled back: it leaks"}},
		},
		"nothing goes back": {open, func(w *world) {
			w.command(2*time.Second, api.UpdateRollback, api.Command{DryRun: true})
			w.command(3*time.Second, api.UpdateAbort, leaks)
		}, nil},
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.advances = time.Minute
			c.set(w)
			failed := 0
			w.fails = func(name, _ string) error {
				if name == step.FreezeVersion.Name() && failed < 6 {
					failed++
					return errors.New("the ledger is busy")
				}
				return nil
			}
			w.play(t, c.in)
			if diff := cmp.Diff(c.want, w.bad); diff != "" {
				t.Errorf("frozen (-want +got):\n%s", diff)
			}
			log := w.asked()
			ends := slices.Index(log, step.SaveRun.Name())
			if late := slices.Contains(log[ends:], step.FreezeVersion.Name()); late || ends < 0 {
				t.Errorf("the run had ended before the freeze was there:\n%v", log)
			}
		})
	}
}
