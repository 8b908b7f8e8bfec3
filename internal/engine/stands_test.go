package engine_test

import (
	"testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/status"
)

func TestStands(t *testing.T) {
	for reason, c := range map[string]struct {
		run  status.Run
		want bool
	}{
		"a check holds all that is open":              {status.Run{Phase: status.PhaseHeld}, true},
		"somebody paused it":                          {status.Run{Phase: status.PhasePaused}, true},
		"a stage waits for people":                    {status.Run{Phase: status.PhaseWaiting, Waiting: &status.Waiting{Kind: "approval"}}, true},
		"a lock frees itself":                         {status.Run{Phase: status.PhaseWaiting, Waiting: &status.Waiting{Kind: "lock"}}, false},
		"a cluster out of reach comes back by itself": {status.Run{Phase: status.PhaseUnreachable}, false},
		"a rollback goes on":                          {status.Run{Phase: status.PhaseRollingBack}, false},
		"one unit is held while the others go on moving": {status.Run{Phase: status.PhaseMoving, Stages: []status.Stage{{Units: []status.Unit{
			{Phase: status.PhaseHeld}, {Phase: status.PhaseMoving},
		}}}}, false},
	} {
		if got := (engine.View{Run: c.run}).Stands(); got != c.want {
			t.Errorf("it stands: %v; %s", got, reason)
		}
	}
}
