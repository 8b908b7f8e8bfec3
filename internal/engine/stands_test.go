package engine_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

func TestStands(t *testing.T) {
	for reason, c := range map[string]struct {
		run  api.RunStatus
		want bool
	}{
		"a check holds all that is open":              {api.RunStatus{Phase: api.PhaseHeld}, true},
		"somebody paused it":                          {api.RunStatus{Phase: api.PhasePaused}, true},
		"a stage waits for people":                    {api.RunStatus{Phase: api.PhaseWaiting, Waiting: &api.Waiting{Kind: "approval"}}, true},
		"a lock frees itself":                         {api.RunStatus{Phase: api.PhaseWaiting, Waiting: &api.Waiting{Kind: "lock"}}, false},
		"a cluster out of reach comes back by itself": {api.RunStatus{Phase: api.PhaseUnreachable}, false},
		"a rollback goes on":                          {api.RunStatus{Phase: api.PhaseRollingBack}, false},
		"one unit is held while the others go on moving": {api.RunStatus{Phase: api.PhaseMoving, Stages: []api.StageStatus{{Units: []api.UnitStatus{
			{Phase: api.PhaseHeld}, {Phase: api.PhaseMoving},
		}}}}, false},
	} {
		if got := (engine.View{RunStatus: c.run}).Stands(); got != c.want {
			t.Errorf("it stands: %v; %s", got, reason)
		}
	}
}
