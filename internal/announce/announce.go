// Package announce tells open runs which freezes hold them. What a freeze means for a run is for the plan to say, and what a run
// makes of it is the run's: here each change reaches every run that is open, once or more, whoever dies on the way.
package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/rounds"
)

// Ledger is the part of a ledger that is needed. It is wide as freezes, who passes them, who has heard of them and plans are
// kept apart; it makes and lists none of them.
type Ledger interface {
	EndFreezes(ctx context.Context, now time.Time) error
	Frozen(ctx context.Context) (list []api.Freeze, revision int64, err error)
	Untold(ctx context.Context, revision int64, limit int) ([]ledger.Hearer, error)
	Bypasses(ctx context.Context, plan string) ([]ledger.Bypass, error)
	Told(ctx context.Context, run string, h ledger.Heard) error
	planstore.Source
}

// Signaler is the part of a Temporal client that tells a run something.
type Signaler interface {
	SignalWorkflow(ctx context.Context, workflowID, runID, signal string, arg any) error
}

// Announcer tells runs. All fields are required.
type Announcer struct {
	Ledger   Ledger
	Temporal Signaler
	Clock    clock.WithTicker
}

const (
	// every is how often an announcer looks for news.
	every = 2 * time.Second
	// startsWithin is how long a run that is in the ledger may take until its workflow is there to hear.
	startsWithin = time.Minute
)

// Keep tells runs of every change until ctx ends. What cannot be told now is told later.
func (a *Announcer) Keep(ctx context.Context, log *slog.Logger) {
	rounds.Keep(ctx, a.Clock, every, rounds.Trying(log, "cannot tell every run which freezes hold it", a.Tell))
}

// Tell tells every open run what it has not heard yet, and lifts the freezes whose time is over. One run that cannot be told keeps no
// other from hearing.
func (a *Announcer) Tell(ctx context.Context) error {
	now := a.Clock.Now()
	if err := a.Ledger.EndFreezes(ctx, now); err != nil {
		return err
	}
	freezes, revision, err := a.Ledger.Frozen(ctx)
	if err != nil || revision == 0 {
		return err
	}
	hearers, err := a.Ledger.Untold(ctx, revision, 0)
	if err != nil {
		return err
	}
	var unheard []error
	for _, h := range hearers {
		if err := a.tell(ctx, h, freezes, revision, now); err != nil {
			unheard = append(unheard, fmt.Errorf("run %s: %w", h.Run.Name, err))
		}
	}
	return errors.Join(unheard[:min(len(unheard), 3)]...)
}

func (a *Announcer) tell(ctx context.Context, h ledger.Hearer, freezes []api.Freeze, revision int64, now time.Time) error {
	holds := api.Holds{Revision: revision}
	bypasses, err := a.Ledger.Bypasses(ctx, h.Run.Plan)
	if err != nil {
		return err
	}
	if under := h.Run.Under(freezes, bypasses); len(under) > 0 {
		_, p, err := planstore.Load(ctx, a.Ledger, h.Run.Plan)
		if err != nil {
			return err
		}
		holds = p.Holds(under, revision, now)
	}
	if len(holds.List) > 0 || h.Held {
		err := a.Temporal.SignalWorkflow(ctx, h.Run.Name, "", api.SignalHolds, holds)
		var missing *serviceerror.NotFound
		switch {
		case errors.As(err, &missing) && now.Sub(h.Run.Started) < startsWithin:
			return nil // it is about to start, perhaps without having heard of this
		case err != nil && !errors.As(err, &missing):
			return err
		}
	}
	return a.Ledger.Told(ctx, h.Run.Name, ledger.Heard{Revision: revision, Held: len(holds.List) > 0})
}
