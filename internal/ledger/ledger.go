// Package ledger is the contract of the store of what is deployed where, by which run, since when, and of who did what. It keeps blobs
// by digest, plans, runs, deployments, write intents, observations, beats of workers, freezes and who may pass them, permits,
// documents of the whole installation, what failed lately, notices, agents, what probes found and the audit. Here are what is kept, what
// every store promises and what every store refuses; a store is a folder of its own, and passes ledgertest. It knows no SQL, no Kubernetes
// and no Temporal.
package ledger

import (
	"context"

	"sluice.dev/sluice/internal/fault"
)

// Ledger is the whole contract, which a store keeps; who uses one asks for the parts that he needs. It is wide because the parts
// share transactions and foreign keys: a deployment names a blob, a pre-image belongs to the era of a deployment. Methods return
// fault errors: NotFound for what is not there, Conflict for a lost race, Internal for the rest. Every write is one transaction:
// it happens whole or not.
type Ledger interface {
	Blobs
	Plans
	Runs
	Deployments
	Writes
	PreImages
	Observations
	Beats
	Audit
	Fences
	Freezes
	Bypasses
	KeptDocuments
	Outcomes
	Notices
	Permits
	Numbers
	Drills
	Requests
	Tokens
	Agents
	Probes
	ProbeTurns
	// Installation is the random name that this ledger was given when it was made. It is what a Lease names as holder.
	Installation(ctx context.Context) (string, error)
	Close() error
}

// maxRows is how many rows a list returns at most.
const maxRows = 10_000

// Rows is how many rows a list with a limit returns at most. A limit outside 1 to 10,000 means 10,000.
func Rows(limit int) int {
	if limit < 1 || limit > maxRows {
		return maxRows
	}
	return limit
}

// required refuses the first empty value. Pairs are name, value, name, value.
func required(noun string, pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return fault.New(fault.Invalid, "%s has no %s", noun, pairs[i])
		}
	}
	return nil
}
