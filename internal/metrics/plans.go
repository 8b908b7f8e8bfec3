package metrics

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/planstore"
)

// planned is what is needed of the plan of an open run.
type planned struct {
	deadline time.Duration // the longest of its stages
	sites    []string
}

// plan reads the plans of runs that are open, each once, and forgets those of others. Runs whose plan cannot be read have no
// deadline.
func (r *reader) plan(ctx context.Context, open []ledger.OpenRun) (unread error) {
	plans := make(map[string]planned, len(open))
	for _, run := range open {
		if known, ok := r.plans[run.Plan]; ok {
			plans[run.Plan] = known
			continue
		}
		known, err := r.load(ctx, run.Plan)
		if err != nil {
			unread = fmt.Errorf("plan %.12s of run %s: %w", run.Plan, run.Name, err)
			continue
		}
		plans[run.Plan] = known
	}
	r.plans = plans
	return unread
}

func (r *reader) load(ctx context.Context, hash string) (planned, error) {
	_, p, err := planstore.Load(ctx, r.Ledger, hash)
	if err != nil {
		return planned{}, err
	}
	var needs planned
	for _, s := range p.Stages {
		needs.deadline = max(needs.deadline, time.Duration(s.Rules.ProgressDeadline))
	}
	for _, u := range p.AllUnits() {
		if u.Site != "" {
			needs.sites = append(needs.sites, u.Site)
		}
	}
	slices.Sort(needs.sites)
	needs.sites = slices.Compact(needs.sites)
	return needs, nil
}
