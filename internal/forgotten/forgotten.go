// Package forgotten says which runs Temporal executes that the ledger does not know: it was restored from an older backup. It ends none of
// them, since nobody can tell what they have moved.
package forgotten

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/rounds"
)

// Ledger is the part of a ledger that is needed.
type Ledger interface {
	Run(ctx context.Context, name string) (ledger.Run, error)
}

// Watcher looks for runs that were forgotten. All fields are required.
type Watcher struct {
	Ledger Ledger
	Open   func(context.Context) ([]string, error) // names of the runs of this installation that Temporal executes
	Clock  clock.WithTicker
	Logger *slog.Logger

	said []string
}

// every is how often it looks.
const every = time.Minute

// most is how many names are said at once.
const most = 20

// Keep looks again and again until ctx ends.
func (w *Watcher) Keep(ctx context.Context) {
	rounds.Keep(ctx, w.Clock, every, rounds.Trying(w.Logger, "cannot tell whether the ledger has forgotten a run", w.Look))
}

// Look logs which runs are forgotten, each time that these are others than before.
func (w *Watcher) Look(ctx context.Context) error {
	open, err := w.Open(ctx)
	if err != nil {
		return err
	}
	var lost []string
	for _, name := range open {
		_, err := w.Ledger.Run(ctx, name)
		if fault.CodeOf(err) == fault.NotFound {
			lost = append(lost, name)
		} else if err != nil {
			return err
		}
	}
	slices.Sort(lost)
	if len(lost) > 0 && !slices.Equal(lost, w.said) {
		w.Logger.Error("Temporal executes runs that the ledger has forgotten, since it was restored from an older backup; end their workflows",
			"count", len(lost), "runs", lost[:min(len(lost), most)])
	}
	w.said = lost
	return nil
}
