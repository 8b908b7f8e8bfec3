package run

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/tell"
)

// doRetreat has the last batch of a cluster taken back, which stays where it stands.
func (r *rollout) doRetreat(ctx workflow.Context, c api.Command) api.Answer {
	u := r.among(c.Scope)[0]
	run := r.open[u.Cluster]
	switch {
	case run == nil || run.skipped != nil || run.stopping || run.back:
		return api.Answer{Message: fmt.Sprintf("%s ends, and stays as it is", u.Cluster)}
	case u.Last != nil && u.Last.Back != nil:
		return api.Answer{Message: "nothing to do: " + u.Last.Said()}
	}
	r.tellUnit(ctx, run, tell.Order{Kind: tell.OrderRetreat, Who: c.Who, Reason: c.Reason})
	what := "the last batch of " + u.Cluster
	if u.Last != nil {
		what = "batch " + u.Last.Path
	}
	return api.Answer{Message: what + " goes back; its cluster stays where it stands, and moves it anew once it is resumed"}
}
