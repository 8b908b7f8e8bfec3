// Package planstore reads plans from where they are kept. It writes nothing, and knows no store.
package planstore

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// Source is the part of a ledger that keeps plans.
type Source interface {
	Plan(ctx context.Context, hash string) (ledger.Plan, error)
	Blob(ctx context.Context, digest string) ([]byte, error)
}

// Load returns a plan by its hash or a prefix of it, and how it is kept, which comes with an error too where the plan is there and
// cannot be read. It is fault.NotFound where there is none.
func Load(ctx context.Context, from Source, hash string) (ledger.Plan, *plan.Plan, error) {
	stored, err := from.Plan(ctx, hash)
	if err != nil {
		return stored, nil, err
	}
	body, err := from.Blob(ctx, stored.Body)
	if err != nil {
		return stored, nil, err
	}
	p, err := plan.Decode(body)
	return stored, p, err
}
