package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/probing"
)

// ProbeTurns keeps what was noticed last of cases that are not well, for whoever tells others of them.
type ProbeTurns interface {
	// BadProbes returns which cases are Failing or Unknown in which clusters at a time, by case and cluster; MaxProbeTurns of them at most.
	BadProbes(ctx context.Context, now time.Time) ([]BadProbe, error)
	// StandsAt returns stands by what BadProbe.Worst says of them. Those that are not there any more are left out.
	StandsAt(ctx context.Context, worst []int64) (map[int64]probing.Stand, error)
	// BestStates returns the best state of a case in each of some clusters, as it was said. A cluster that has the case no more is left out.
	BestStates(ctx context.Context, probeCase string, clusters []string) (map[string]probing.State, error)
	// ListProbeTurns returns what was noticed last, by case and cluster, and the revision of it; MaxProbeTurns at most.
	ListProbeTurns(ctx context.Context) (all []ProbeTurn, revision int64, err error)
	// TurnProbes replaces what was noticed of some, and queues what follows from it. It is Conflict where somebody else has noticed
	// something since the revision. A turn without a state is forgotten.
	TurnProbes(ctx context.Context, revision int64, turns []ProbeTurn, queue []Notice) error
}

// MaxProbeTurns is how many cases in clusters are looked at: of more that are not well at once the first by name, until they are.
const MaxProbeTurns = 10_000

// BadProbe is a case in a cluster that is not well at one target at least.
type BadProbe struct {
	Cluster, Case string
	Failing       int // targets
	Unknown       int
	Looked        int   // targets that somebody has looked at ever
	Worst         int64 // the stand that speaks for all: one that fails, else one that could not look, else one that is too old
}

// ProbeTurn is what was noticed last of a case in a cluster.
type ProbeTurn struct {
	Cluster   string        `json:"-"`
	Case      string        `json:"-"`
	State     probing.State `json:"state"` // Passing: it was another, and that is over
	At        time.Time     `json:"at"`
	Been      probing.State `json:"been,omitempty"` // what else it has been since it was well: Failing or Unknown
	Severity  string        `json:"severity,omitempty"`
	Owner     string        `json:"owner,omitempty"`
	Enforcing bool          `json:"enforcing,omitempty"`
}
