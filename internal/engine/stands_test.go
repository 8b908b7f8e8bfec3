package engine_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

func TestStands(t *testing.T) {
	for reason, c := range map[string]struct {
		run  api.Run
		want bool
	}{
		"a check holds all that is open":              {api.Run{Phase: api.PhaseHeld}, true},
		"somebody paused it":                          {api.Run{Phase: api.PhasePaused}, true},
		"a stage waits for people":                    {api.Run{Phase: api.PhaseWaiting, Waiting: &api.Waiting{Kind: "approval"}}, true},
		"a lock frees itself":                         {api.Run{Phase: api.PhaseWaiting, Waiting: &api.Waiting{Kind: "lock"}}, false},
		"a cluster out of reach comes back by itself": {api.Run{Phase: api.PhaseUnreachable}, false},
		"a rollback goes on":                          {api.Run{Phase: api.PhaseRollingBack}, false},
		"one unit is held while the others go on moving": {api.Run{Phase: api.PhaseMoving, Stages: []api.Stage{{Units: []api.Unit{
			{Phase: api.PhaseHeld}, {Phase: api.PhaseMoving},
		}}}}, false},
	} {
		if got := (engine.View{Run: c.run}).Stands(); got != c.want {
			t.Errorf("it stands: %v; %s", got, reason)
		}
	}
}
