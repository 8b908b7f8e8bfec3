package engine

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
)

// The states of a worker, as far as the ledger knows.
const (
	WorkerThere  = "There"  // it beats
	WorkerSilent = "Silent" // it has not beaten for a while, and did not say that it ends
	WorkerEnded  = "Ended"
)

// Worker is a worker that the ledger knows, and whether it is there.
type Worker struct {
	ledger.Beat
	State string `json:"state"`
}

// Workers lists the workers that have said to the ledger that they are there, those that were seen last first. Temporal is not asked.
func (e *Engine) Workers(ctx context.Context) ([]Worker, error) {
	beats, err := e.ledger.ListBeats(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Worker, len(beats))
	for i, b := range beats {
		all[i] = Worker{Beat: b, State: WorkerSilent}
		switch {
		case !b.Ended.IsZero():
			all[i].State = WorkerEnded
		case b.There(e.now()):
			all[i].State = WorkerThere
		}
	}
	return all, nil
}
