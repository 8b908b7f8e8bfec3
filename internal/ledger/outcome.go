package ledger

import (
	"context"
	"time"
)

// Outcome is how it went in one cluster of a run, as far as fuses count it: it failed, it ended, or both, in this order or at once.
type Outcome struct {
	Run     string    `json:"run"`
	Cluster string    `json:"cluster"`
	Plan    string    `json:"plan"`            // hash
	Failed  time.Time `json:"failed,omitzero"` // the first time; zero where it did not
	Ended   time.Time `json:"ended,omitzero"`  // zero while it stands where it failed
	// Passed: it went all the way. One that neither failed nor passed says nothing, and is not kept.
	Passed bool `json:"-"`
}

// At is when it counts.
func (o Outcome) At() time.Time {
	if o.Failed.IsZero() {
		return o.Ended
	}
	return o.Failed
}

// OutcomesFor is how long outcomes are kept.
const OutcomesFor = 7 * 24 * time.Hour

// Outcomes keeps how it went in clusters, over all runs, for a while.
type Outcomes interface {
	// NoteOutcome adds to what is known of a cluster of a run. That it failed stays; noting the same again changes nothing. Those that
	// count from more than OutcomesFor before this one are forgotten. Of the run of a drill nothing is kept: it is meant to fail.
	NoteOutcome(ctx context.Context, o Outcome) error
	// ListOutcomes returns those that count after a time, the newest first, and nothing where none of them failed.
	ListOutcomes(ctx context.Context, after time.Time) ([]Outcome, error)
	// Failing returns those that failed and stand still where they did, of runs that have not ended, the oldest first.
	Failing(ctx context.Context) ([]Outcome, error)
}

// Check is Invalid where an outcome is of nothing.
func (o Outcome) Check() error {
	return required("outcome", "run", o.Run, "cluster", o.Cluster, "plan", o.Plan)
}
