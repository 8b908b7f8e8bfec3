package cli

import (
	"context"
	"errors"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

func TestTheExitCodeOfARunThatIsWaitedFor(t *testing.T) {
	unit := func(p api.Phase) api.RunStatus {
		return api.RunStatus{Name: "a-1", Phase: api.PhaseMoving, Stages: []api.StageStatus{{Units: []api.UnitStatus{{Phase: p}, {Phase: api.PhaseMoving}}}}}
	}
	for _, c := range []struct {
		reason  string
		run     api.RunStatus
		stopped error
		want    int
	}{
		{"it moves", unit(api.PhaseMoving), context.DeadlineExceeded, fault.ExitWaiting},
		{"one of its units is held", unit(api.PhaseHeld), context.DeadlineExceeded, fault.ExitRefused},
		{"one of its units is stalled", unit(api.PhaseStalled), context.DeadlineExceeded, fault.ExitRefused},
		{"it shows as stalled", api.RunStatus{Phase: api.PhaseStalled}, context.DeadlineExceeded, fault.ExitRefused},
		{"a person has paused it", api.RunStatus{Phase: api.PhasePaused}, context.DeadlineExceeded, fault.ExitRefused},
		{"it failed", api.RunStatus{Phase: api.PhaseFailed}, nil, fault.ExitFailed},
		{"it was rolled back", api.RunStatus{Phase: api.PhaseRolledBack}, nil, fault.ExitRolledBack},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var exit *Exit
			if err := outcome(engine.View{RunStatus: c.run}, c.stopped); !errors.As(err, &exit) || exit.Code != c.want {
				t.Errorf("%v, want code %d", err, c.want)
			}
		})
	}
}
