package e2e_test

import (
	"slices"
	"strings"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// thaws proves that a version that a run has taken back does not start again, and lets it.
func (s *site) thaws(back, version, pipeline string) {
	s.t.Helper()
	freezes, err := s.engine.Freezes(s.t.Context(), false, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(freezes, func(f engine.KnownFreeze) bool { return f.Run == back })
	if i < 0 {
		s.t.Fatalf("%s left no freeze: %v", back, freezes)
	}
	name := freezes[i].Name
	if err := s.try(s.plan(version, pipeline).Hash); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), name) {
		s.t.Errorf("started again, what %s took back says %v", back, err)
	}
	if _, err := s.engine.Unfreeze(s.t.Context(), name, "test", "it was a test"); err != nil {
		s.t.Fatal(err)
	}
}
