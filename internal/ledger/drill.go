package ledger

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Drills keeps what came of drills. The drills themselves are kept as documents.
type Drills interface {
	// SaveDrilled stores what has come of a drill, or replaces it. One that has ended is not changed again: Conflict, unless equal.
	SaveDrilled(ctx context.Context, d api.Drilled) error
	// Drilled returns one by its ID, or NotFound.
	Drilled(ctx context.Context, id string) (api.Drilled, error)
	// ListDrilled returns the newest first; drill "" means all.
	ListDrilled(ctx context.Context, drill string, limit int) ([]api.Drilled, error)
	// PageDrilled returns a part of that list.
	PageDrilled(ctx context.Context, drill string, p Page) ([]Marked[api.Drilled], error)
}

// CheckDrilled is Invalid where nobody could tell what ran when, and Conflict where it would change one that has ended.
func CheckDrilled(was, now api.Drilled) error {
	if err := required("drill", "id", now.ID, "name", now.Drill, "outcome", string(now.Outcome)); err != nil {
		return err
	}
	if !was.Ended.IsZero() && was != now {
		return fault.New(fault.Conflict, "it ended %s as %s", was.Ended.UTC().Format(timeLayout), was.Outcome)
	}
	return nil
}
