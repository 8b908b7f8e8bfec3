package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/podrun"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

const (
	tidyAtOnce = 32
	tidyWithin = 20 * time.Second // a cluster
)

// Tidy takes away the pods of a run's checks and tasks that still run: whoever waited for them may be dead. A cluster that cannot be
// asked keeps its own, which end by themselves.
func (a *Activities) Tidy(ctx context.Context, req step.TidyRequest) (string, error) {
	_, p, err := planstore.Load(ctx, a.Ledger, req.Plan)
	if err != nil {
		return "", err
	}
	var mu sync.Mutex
	var not []string
	var all errgroup.Group
	all.SetLimit(tidyAtOnce)
	for _, place := range req.Clusters {
		all.Go(func() error {
			within, cancel := context.WithTimeout(ctx, tidyWithin)
			defer cancel()
			c, err := a.Clusters.Cluster(within, place.Context)
			if err == nil {
				err = removePods(within, c, req.Run, checksIn(p, place.Cluster))
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				not = append(not, place.Cluster+": "+err.Error())
			}
			return nil
		})
	}
	_ = all.Wait() // none fails
	if err := ctx.Err(); err != nil {
		return "", err
	}
	slices.Sort(not)
	said := "nothing that checks made runs in " + api.Counted(len(req.Clusters)-len(not), "cluster")
	if len(not) > 0 {
		said += "; not so in " + strings.Join(not[:min(len(not), 5)], ", ")
	}
	return said, nil
}

// checksIn are the checks and tasks of a plan that may make pods in a cluster.
func checksIn(p *plan.Plan, cluster string) (all []pipelines.ResolvedCheck) {
	if _, stage, ok := p.Unit(cluster); ok {
		all = slices.Clone(stage.Rules.Checks)
	}
	if p.Tasks != nil {
		for _, t := range slices.Concat(p.Tasks.First, p.Tasks.Finally) {
			if t.Cluster == cluster {
				all = append(all, t.Check)
			}
		}
	}
	return all
}

// removePods takes away the pods of a run's checks in a cluster that still run. Where no pods may be listed none were made.
func removePods(ctx context.Context, c *kube.Cluster, run string, checks []pipelines.ResolvedCheck) error {
	for _, made := range check.PodsOf(checks) {
		if err := podrun.RemoveOf(ctx, c, made.Namespace, made.Purpose, run); err != nil && fault.CodeOf(err) != fault.Unauthorized {
			return err
		}
	}
	return nil
}
