package e2e_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
)

// TestABackgroundCheckOfLogsAloneStopsABadVersion plays two versions that are bad in ways of their own, with no rule about pods
// beside the check of their logs.
func TestABackgroundCheckOfLogsAloneStopsABadVersion(t *testing.T) {
	s := newSite(t, "panics")
	s.work()
	s.declare("logs", `
  defaults:
    nodeSets: [{name: canary, matchLabels: {pool: canary}}, {name: rest, all: true}]
    batches: [1, 100%]
    soak: {batch: 20s}
    checks:
    - name: no-panics
      at: [during]
      taskSpec:
        steps:
        - {name: look, interval: 2s, logs: {}}
  stages:
  - {name: first, clusterGroups: {matchLabels: {environment: canary}}}
  onFailure: Rollback
`)
	s.install()
	if end := s.ended(s.start("2.0.0", "logs"), 2*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("a good version ended %s: %+v", end.Phase, end)
	}
	end := s.ended(s.start("3.0.0", "logs"), 2*time.Minute)
	u := end.Stages[0].Units[0]
	if end.Phase != api.PhaseRolledBack || u.Failure == nil || u.Failure.Name != "no-panics" || u.Failure.Verdict != api.Failed {
		t.Fatalf("the bad version ended %s: %+v", end.Phase, u)
	}
	if !strings.HasPrefix(u.FailedAt, "canary/a/canary/1") || !strings.Contains(u.Failure.Message, "panic") {
		t.Errorf("it was stopped at %s by %q", u.FailedAt, u.Failure.Message)
	}
	if n := s.snapshot("a").Tags()["2.0.0"]; n != nodes {
		t.Errorf("%d pods of %d are back", n, nodes)
	}
}
