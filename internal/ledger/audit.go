package ledger

import (
	"context"
	"time"
)

// Entry is one line of the audit: a command, and what came of it.
type Entry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Command string    `json:"command"` // plan, run, pause, resume, approve, abort, rollback
	Object  string    `json:"object"`  // run or plan
	Scope   string    `json:"scope,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Outcome string    `json:"outcome"` // what came of it, which begins with Refused where nothing did
}

// Refused is how the outcome of a command begins that was not taken.
const Refused = "refused: "

// Audit keeps entries; they are never changed or removed.
type Audit interface {
	// AddEntry adds an entry. Its ID is given by the store.
	AddEntry(ctx context.Context, e Entry) error
	// ListEntries returns the newest first; object "" means all.
	ListEntries(ctx context.Context, object string, limit int) ([]Entry, error)
	// PageEntries returns a part of that list.
	PageEntries(ctx context.Context, object string, p Page) ([]Marked[Entry], error)
}

// Check is Invalid where an entry is by nobody, or of nothing.
func (e Entry) Check() error {
	return required("audit entry", "command", e.Command, "who", e.Who)
}
