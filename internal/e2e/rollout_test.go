package e2e_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/status"
)

func TestAVersionGoesThroughAndABadOneIsTakenBack(t *testing.T) {
	s := newSite(t)
	s.work()
	if end := s.ended(s.start("1.0.0", "install"), 90*time.Second); end.Phase != status.PhaseSucceeded {
		t.Fatalf("the installation ended %s: %+v", end.Phase, end)
	}
	if end := s.ended(s.start("2.0.0", "careful"), 3*time.Minute); end.Phase != status.PhaseSucceeded {
		t.Fatalf("version 2 ended %s: %+v", end.Phase, end)
	}
	end := s.ended(s.start("3.0.0", "careful"), 2*time.Minute)
	if end.Phase != status.PhaseRolledBack {
		t.Fatalf("version 3 ended %s: %+v", end.Phase, end)
	}
}
