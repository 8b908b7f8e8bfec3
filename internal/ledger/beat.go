package ledger

import (
	"context"
	"time"
)

// Beat is a worker, as it says every BeatEvery that it is there.
type Beat struct {
	Worker string    `json:"worker"`          // process@host/random
	Build  string    `json:"build,omitempty"` // what it is built of
	Queues []string  `json:"queues"`          // task queues that it serves
	Since  time.Time `json:"since"`           // it began
	Seen   time.Time `json:"seen"`            // of the last beat
	Ended  time.Time `json:"ended,omitzero"`  // it has said that it ends
}

// Beats keeps the last beat of each worker. Temporal knows who asks it for work; this is what is known where Temporal is gone.
type Beats interface {
	// SaveBeat replaces the last one of that worker. Workers that were not seen for BeatsKept are forgotten, and so are the oldest
	// of more than MaxWorkers.
	SaveBeat(ctx context.Context, b Beat) error
	// ListBeats returns the workers, those that were seen last first.
	ListBeats(ctx context.Context) ([]Beat, error)
}

const (
	// BeatEvery is how often a worker says that it is there.
	BeatEvery = 10 * time.Second
	// BeatsWithin is for how long a worker that was seen is taken to be there: two beats may be late.
	BeatsWithin = 4 * BeatEvery
	// BeatsKept is for how long a worker is remembered that is not there any more.
	BeatsKept = 7 * 24 * time.Hour
	// MaxWorkers is how many workers are kept.
	MaxWorkers = 1000
)

// There reports whether the worker was there at a time, as far as the ledger can know. One that was seen in what is the future has not
// beaten since somebody set the clock back.
func (b Beat) There(now time.Time) bool {
	return b.Ended.IsZero() && now.Sub(b.Seen).Abs() < BeatsWithin
}

// Check is Invalid where a beat lacks what names it.
func (b Beat) Check() error { return required("beat", "worker", b.Worker) }
