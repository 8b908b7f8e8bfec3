package checks

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/tekton"
)

// there measures at the place of a request; at none, where that names no cluster.
func (a *Activities) there(ctx context.Context, req step.ChecksRequest, i check.Inquiry, measure measured) ([]api.Check, error) {
	if req.Cluster != "" {
		place, leave, err := a.place(ctx, req)
		if err != nil {
			return nil, err
		}
		defer leave()
		i.Place, i.TaskRun = place, tekton.TaskRunName(req.Run, req.Cluster)
	}
	return measure(ctx, i)
}

const reachableEvery = time.Second

// reach returns once the API server of a context answers, whatever it says. It takes the cluster anew each time: what was wrong may be
// the endpoint or the credentials, and be put right meanwhile.
func (a *Activities) reach(ctx context.Context, contextName string) error {
	for {
		c, err := a.Clusters.Cluster(ctx, contextName)
		if err == nil {
			err = c.Reachable(ctx)
		}
		switch code := fault.CodeOf(err); {
		case err == nil || code == fault.Invalid:
			return err
		case code != fault.Unreachable:
			return nil // it answers, and what it refuses is for the measurement to meet
		}
		timer := a.Clock.NewTimer(reachableEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C():
		}
	}
}
