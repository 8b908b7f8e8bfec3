package e2e_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/witness"
)

func TestASoakThatIsEndedAndAClusterThatIsSkipped(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "hurried")
	s.work()
	s.install()
	untouched := s.snapshot("b")
	s.edit("resting.yaml", "soak: {stage: 5m}", "soak: {cluster: 24h}")
	run := s.start("2.0.0", "resting")
	s.until(run, "in the soak of cluster a", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseSoaking })
	s.tell(run, api.UpdateSkip, api.Scope{Clusters: []string{"b"}})
	s.tell(run, api.UpdateEndSoak, api.Scope{Clusters: []string{"a"}})
	end := s.ended(run, time.Minute)
	if end.Phase != api.PhaseSucceeded || phaseOf(end, "a") != api.PhaseSucceeded || phaseOf(end, "b") != api.PhaseSkipped {
		t.Errorf("the run ended %s, a %s, b %s", end.Phase, phaseOf(end, "a"), phaseOf(end, "b"))
	}
	if tags := s.snapshot("a").Tags(); tags["2.0.0"] == 0 || len(tags) > 1 {
		t.Errorf("cluster a runs %v", tags)
	}
	if moved := witness.Moved(untouched, s.snapshot("b")); len(moved) > 0 {
		t.Errorf("cluster b was skipped, and touched: %v", moved)
	}
}
