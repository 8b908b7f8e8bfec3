package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Numbers is what is counted over all that a ledger keeps, by the store itself: nobody has to read it all for a sum.
type Numbers interface {
	// OpenRuns returns the runs that have not ended, the oldest first.
	OpenRuns(ctx context.Context, limit int) ([]OpenRun, error)
	// CountEnded returns how many runs have ended, by phase, but for those of drills, which are meant to fail.
	CountEnded(ctx context.Context) (map[string]int, error)
	// CountEntries returns how many entries the audit has, by command and by whether it was refused.
	CountEntries(ctx context.Context) ([]Counted, error)
	// LastDeployed returns when something was last deployed in clusters, the newest first: of each cluster and component the last time,
	// as far as the last of all deployments, at most limit, tell.
	LastDeployed(ctx context.Context, limit int) ([]Deployed, error)
	// Size returns how many bytes the store takes.
	Size(ctx context.Context) (int64, error)
}

// OpenRun is a run that has not ended. Moved is when it last got on: it began, pods of its went over, its next batch or node set
// was begun, or somebody told it something.
type OpenRun struct {
	Run
	Moved time.Time
}

// Counted is how many entries of the audit have one command and one kind of outcome.
type Counted struct {
	Command string
	Refused bool
	Entries int
}

// Deployed is that a cluster had a component brought, or taken back, at a time.
type Deployed struct {
	Cluster string
	Subject api.Subject
	At      time.Time
}
