package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Write is one write into a cluster: its intent is recorded before, its outcome after. It is what lets a retry after a
// crash see its own half-done work as its own.
type Write struct {
	Run             string      `json:"run"`
	Cluster         string      `json:"cluster"`
	Subject         api.Subject `json:"component"`
	Object          string      `json:"object"` // group/Kind/namespace/name
	Step            string      `json:"step"`   // create, patch, arm, disarm, release, revert, delete
	Intent          string      `json:"intent"` // digest of the object as it should be afterwards
	UID             string      `json:"uid,omitempty"`
	ResourceVersion string      `json:"resourceVersion,omitempty"` // "" until the write was seen to succeed
	Created         bool        `json:"created,omitempty"`         // the run made the object: it was not there before
	At              time.Time   `json:"at"`
}

// Writes keeps writes; (run, cluster, object, step) names one, and the latest with that name counts.
type Writes interface {
	// SaveWrite replaces the write of that name, which keeps its place among the others.
	SaveWrite(ctx context.Context, w Write) error
	// ListWrites returns a run's writes in a cluster in the order in which they were first made.
	ListWrites(ctx context.Context, run, cluster string) ([]Write, error)
	// ListMade returns the writes by which any run made an object of a component in a cluster, but for those that were taken
	// away since, in the order in which they were first made.
	ListMade(ctx context.Context, cluster string, subject api.Subject) ([]Write, error)
}

// Check is Invalid where a write lacks what names it.
func (w Write) Check() error {
	return required("write", "run", w.Run, "cluster", w.Cluster, "object", w.Object, "step", w.Step)
}
