package e2e_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
)

// TestFailureMode_R29_ARetryGoesOverWhatFailedWithTheSameDigests has a cluster out of reach until a run has ended, and edits the files
// before the retry: that brings what the plan fixed, where it was not brought, and nowhere else.
func TestFailureMode_R29_ARetryGoesOverWhatFailedWithTheSameDigests(t *testing.T) {
	s := newSite(t, "retried")
	s.work()
	s.install()
	s.declare("bearing", "  defaults: {batches: [100%], maxUnavailable: 100%, maxUnreachable: 1}\n  stages: [{name: all, clusterGroups: {all: true}}]\n")
	s.stack.Run(t, "stop", "apiserver", "--cluster", "a")
	t.Cleanup(func() { s.revive("a") })
	run := s.start("2.0.0", "bearing")
	first := s.ended(run, time.Minute)
	if phaseOf(first, "a") != api.PhaseMissed || phaseOf(first, "b") != api.PhaseSucceeded {
		t.Fatalf("the run ended %s: %+v", first.Phase, first.Stages)
	}
	s.edit("components.yaml", `"registry.example/agent:2.0.0"`, `"registry.example/agent:6.6.6"`)
	before := s.snapshot("b")
	s.revive("a")

	answer := s.tell(run, api.UpdateRetry, api.Scope{})
	runs, err := s.ledger.ListRuns(t.Context(), api.Component(s.component), 1)
	if err != nil || !strings.Contains(answer.Message, runs[0].Name) {
		t.Fatalf("after %q the newest run is %+v, %v", answer.Message, runs, err)
	}
	end := s.ended(runs[0].Name, 2*time.Minute) // the worker may not have found the API server again yet
	if end.Phase != api.PhaseSucceeded || end.Retry != run || end.Plan != first.Plan || len(end.Stages[0].Units) != 1 || phaseOf(end, "a") != api.PhaseSucceeded {
		t.Errorf("the retry ended %s: %+v", end.Phase, end.Stages)
	}
	if tags := s.snapshot("a").Tags(); tags["2.0.0"] != nodes {
		t.Errorf("cluster a runs %v", tags)
	}
	one, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component))
	other, err2 := s.ledger.Deployment(t.Context(), "b", api.Component(s.component))
	if err != nil || err2 != nil || one.Run != runs[0].Name || other.Run != run || one.Version != other.Version {
		t.Errorf("on record are %+v, %v and %+v, %v", one, err, other, err2)
	}
	if after := s.snapshot("b"); len(after.Tags()) != len(before.Tags()) || after.Tags()["2.0.0"] != nodes {
		t.Errorf("cluster b runs %v", after.Tags())
	}
	if again := s.tell(run, api.UpdateRetry, api.Scope{}); !strings.Contains(again.Message, "nothing of it is left") {
		t.Errorf("a second time it says %q", again.Message)
	}
}
