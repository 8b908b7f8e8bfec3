package cli

import (
	"context"
	"errors"
	"testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/status"
)

func TestTheExitCodeOfARunThatIsWaitedFor(t *testing.T) {
	unit := func(p status.Phase) status.Run {
		return status.Run{Name: "a-1", Phase: status.PhaseMoving, Stages: []status.Stage{{Units: []status.Unit{{Phase: p}, {Phase: status.PhaseMoving}}}}}
	}
	for _, c := range []struct {
		reason  string
		run     status.Run
		stopped error
		want    int
	}{
		{"it moves", unit(status.PhaseMoving), context.DeadlineExceeded, fault.ExitWaiting},
		{"one of its units is held", unit(status.PhaseHeld), context.DeadlineExceeded, fault.ExitRefused},
		{"one of its units is stalled", unit(status.PhaseStalled), context.DeadlineExceeded, fault.ExitRefused},
		{"it shows as stalled", status.Run{Phase: status.PhaseStalled}, context.DeadlineExceeded, fault.ExitRefused},
		{"a person has paused it", status.Run{Phase: status.PhasePaused}, context.DeadlineExceeded, fault.ExitRefused},
		{"it failed", status.Run{Phase: status.PhaseFailed}, nil, fault.ExitFailed},
		{"it was rolled back", status.Run{Phase: status.PhaseRolledBack}, nil, fault.ExitRolledBack},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var exit *Exit
			if err := outcome(engine.View{Run: c.run}, c.stopped); !errors.As(err, &exit) || exit.Code != c.want {
				t.Errorf("%v, want code %d", err, c.want)
			}
		})
	}
}
