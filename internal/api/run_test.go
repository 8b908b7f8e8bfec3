package api_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestFinalPhasesAreNeverLeft(t *testing.T) {
	for _, p := range []api.Phase{api.PhasePending, api.PhaseWaiting, api.PhaseMoving, api.PhaseSoaking, api.PhaseChecking, api.PhasePaused, api.PhaseUnreachable, api.PhaseRollingBack, api.PhaseHeld} {
		if p.Final() {
			t.Errorf("%s is taken for final", p)
		}
	}
}
