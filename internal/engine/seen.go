package engine

import (
	"context"

	"sluice.dev/sluice/internal/plan"
)

// Seen is a plan by its hash, and what was seen in its clusters at one time by its digest. Neither ever changes.
type Seen struct {
	Plan string
	Live string // "" where nobody has looked, or nobody knows what was seen
}

// SeenForRun is the plan of a run with what was seen for it when the run was started.
func (e *Engine) SeenForRun(ctx context.Context, run string) (Seen, error) {
	known, err := e.runNamed(ctx, run)
	return Seen{known.Plan, known.Live}, err
}

// SeenForPlan is a stored plan, by a prefix of its hash, with what was seen last.
func (e *Engine) SeenForPlan(ctx context.Context, prefix string) (Seen, error) {
	known, err := e.ledger.Plan(ctx, prefix)
	return Seen{known.Hash, known.Live}, err
}

// ReadSeen reads both; what was seen is nil where nobody knows it.
func (e *Engine) ReadSeen(ctx context.Context, s Seen) (*plan.Plan, *plan.Live, error) {
	p, err := e.ReadPlan(ctx, s.Plan)
	if err != nil || s.Live == "" {
		return p, nil, err
	}
	live := &plan.Live{}
	return p, live, e.read(ctx, s.Live, live)
}
