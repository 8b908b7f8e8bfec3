// Package cluster holds the activities that look at and change one Kubernetes cluster: thin calls into internal/change and
// internal/workload, under the component's Lease and with a heartbeat. Each is idempotent under its request: run twice, it
// changes once. What an object is to become is not decided here.
package cluster

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
)

// Activities are the activities near clusters. All exported fields are required.
type Activities struct {
	Clusters     *kube.Pool
	Ledger       Records
	Checks       *check.Runner
	Clock        clock.Clock
	Installation string // the ledger's; what Leases name as holder

	hearts func(context.Context) pulse.Heart // nil: Temporal hears them
}

// Records are what activities near a cluster read and write. It is wide because a change is long: what was there and what was meant are
// kept around each write, and how it ended after them. But for plans and runs each is about one cluster.
type Records interface {
	planstore.Source
	change.Journal
	change.History
	change.Deployments
	PastDeployment(ctx context.Context, cluster string, subject api.Subject, target string) (ledger.Deployment, error)
	NextFence(ctx context.Context, cluster string, subject api.Subject, floor int64) (int64, error)
	Run(ctx context.Context, name string) (ledger.Run, error)
	Overtaken(ctx context.Context, name string) (ledger.Run, error)
	SaveObservation(ctx context.Context, o ledger.Observation) error
	ListObservations(ctx context.Context, subject api.Subject) ([]ledger.Observation, error)
}

// Register has the activities near a cluster done here.
func (a *Activities) Register(r serve.Registry) {
	serve.Handle(r, step.Diff, pulse.Steady(a.Clock, a.Diff))
	serve.Handle(r, step.Preview, pulse.Steady(a.Clock, a.Preview))
	serve.Handle(r, step.Acquire, pulse.Steady(a.Clock, ahead(a, a.Acquire)))
	serve.Handle(r, step.Apply, pulse.Steady(a.Clock, ahead(a, a.Apply)))
	serve.Handle(r, step.Unapply, pulse.Steady(a.Clock, a.Unapply))
	serve.Handle(r, step.Prepare, pulse.Steady(a.Clock, ahead(a, a.Prepare)))
	serve.Handle(r, step.Advance, ahead(a, a.Advance))
	serve.Handle(r, step.Observe, a.Observe)
	serve.Handle(r, step.Look, pulse.Steady(a.Clock, a.Look))
	serve.Handle(r, step.Arm, pulse.Steady(a.Clock, ahead(a, a.Arm)))
	serve.Handle(r, step.Disarm, pulse.Steady(a.Clock, a.Disarm))
	serve.Handle(r, step.Finish, pulse.Steady(a.Clock, a.Finish))
	serve.Handle(r, step.Revert, a.Revert)
	serve.Handle(r, step.Retreat, a.Retreat)
	serve.Handle(r, step.Prune, pulse.Steady(a.Clock, ahead(a, a.Prune)))
	serve.Handle(r, step.Reconcile, pulse.Steady(a.Clock, a.Reconcile))
	serve.Handle(r, step.Release, pulse.Steady(a.Clock, a.Release))
	serve.Handle(r, step.Tidy, pulse.Steady(a.Clock, a.Tidy))
	serve.Handle(r, step.SeeNodes, pulse.Steady(a.Clock, a.SeeNodes))
	serve.Handle(r, step.Reachable, a.Reachable)
}

// unitOf loads a plan and the unit of a cluster in it.
func (a *Activities) unitOf(ctx context.Context, ref step.Ref) (*plan.Plan, *plan.Unit, *plan.StagePlan, error) {
	_, p, err := planstore.Load(ctx, a.Ledger, ref.Plan)
	if err != nil {
		return nil, nil, nil, err
	}
	unit, stage, ok := p.Unit(ref.Cluster)
	if !ok {
		return nil, nil, nil, fault.New(fault.Invalid, "cannot find cluster %s in plan %.12s", ref.Cluster, ref.Plan)
	}
	return p, unit, stage, nil
}

// beats heartbeats from now on; see pulse.Start.
func (a *Activities) beats(ctx context.Context, every time.Duration) (context.Context, *pulse.Pulse) {
	hearts := a.hearts
	if hearts == nil {
		hearts = pulse.HeartOf
	}
	return pulse.Start(ctx, a.Clock, hearts(ctx), every)
}

const reachableEvery = 3 * time.Second

// Reachable returns once the API server answers. Until then its heartbeat says why it does not.
func (a *Activities) Reachable(ctx context.Context, ref step.Ref) (string, error) {
	ctx, beat := a.beats(ctx, pulse.Looking)
	defer beat.Stop()
	return a.reach(ctx, ref, beat)
}

// reach takes the cluster anew each time: what was wrong may be the endpoint or the credentials, and be put right meanwhile.
func (a *Activities) reach(ctx context.Context, ref step.Ref, beat *pulse.Pulse) (string, error) {
	for {
		c, err := a.Clusters.Cluster(ctx, ref.Context)
		if err == nil {
			err = c.Reachable(ctx)
		}
		if err == nil {
			return ref.Cluster + " answers", nil
		}
		if fault.CodeOf(err) == fault.Invalid {
			return "", err
		}
		beat.Say(step.Progress{Note: err.Error()})
		if err := pulse.Pause(ctx, a.Clock, reachableEvery); err != nil {
			return "", err
		}
	}
}
