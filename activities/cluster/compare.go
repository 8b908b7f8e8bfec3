package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// Preview looks at what a plan would change in a cluster, and stores it. A cluster that cannot be looked at is part of
// the answer, not an error.
func (a *Activities) Preview(ctx context.Context, req step.DiffRequest) (string, error) {
	c, err := a.comparer(ctx, req.Ref)
	var found plan.ClusterDiff
	if err == nil {
		found, _, err = c.Compare(ctx)
	}
	if err != nil {
		unseen, is := change.Unseen(req.Cluster, err)
		if !is {
			return "", err
		}
		return change.Store(ctx, a.Ledger, unseen)
	}
	found.Notes = append(found.Notes, found.AboutBehind()...)
	return change.Store(ctx, a.Ledger, found)
}

// Diff looks at what a run has to change in a cluster, and stores the change set. A unit that has more dead nodes than its rules
// let stay behind is refused here and not in the plan: nodes come back. So is what comes into a namespace about which nobody was asked
// when the run was started. A way back goes by the nodes that there are, and to where things were.
func (a *Activities) Diff(ctx context.Context, req step.DiffRequest) (step.DiffResult, error) {
	c, err := a.comparer(ctx, req.Ref)
	if err != nil {
		return step.DiffResult{}, err
	}
	found, set, err := c.Compare(ctx)
	if err != nil {
		return step.DiffResult{}, err
	}
	if !req.Back {
		for _, w := range found.Workloads {
			found.Refusals = append(found.Refusals, c.Rules.TooManyBehind(w.Behind)...)
		}
		namespaces, err := a.namespacesOf(ctx, req.Run, c.Plan)
		if err != nil {
			return step.DiffResult{}, err
		}
		found.Refusals = append(found.Refusals, found.Outside(namespaces)...)
	}
	out := step.DiffResult{Left: set.Left, Before: set.Writes(templates.Before, c.Part), After: set.Writes(templates.After, c.Part)}
	if out.Changes, err = change.Store(ctx, a.Ledger, set); err != nil {
		return out, err
	}
	if out.Stored, err = change.Store(ctx, a.Ledger, found); err != nil {
		return out, err
	}
	out.Cluster = found
	out.Cluster.Objects = nil
	return out, nil
}

// namespacesOf are those to which a run is held; nil where whoever started it could do so everywhere.
func (a *Activities) namespacesOf(ctx context.Context, run string, p *plan.Plan) ([]string, error) {
	known, err := a.Ledger.Run(ctx, run)
	if err != nil || known.Live == "" {
		return nil, err
	}
	var live plan.Live
	if err := change.Load(ctx, a.Ledger, known.Live, &live); err != nil {
		return nil, err
	}
	return p.Namespaces(&live), nil
}

func (a *Activities) comparer(ctx context.Context, ref step.Ref) (change.Comparer, error) {
	p, unit, stage, err := a.unitOf(ctx, ref)
	if err != nil {
		return change.Comparer{}, err
	}
	c, err := a.Clusters.Cluster(ctx, ref.Context)
	if err != nil {
		return change.Comparer{}, err
	}
	return change.Comparer{
		Part: partOf(ref), Plan: p, Unit: unit, Rules: stage.Rules, Cluster: c, Records: a.Ledger,
		Drivers: driversIn(c), BlindTo: a.Checks.Rules.ReadsWorkload,
	}, nil
}

// driversIn are the drivers, each bound to a cluster.
func driversIn(c workload.Cluster) change.Drivers {
	return func(kind schema.GroupKind) (change.Driver, error) {
		d, err := drivers.For(kind)
		return driverIn{d, c}, err
	}
}

type driverIn struct {
	workload.Driver
	in workload.Cluster
}

func (d driverIn) Check(ctx context.Context, spec workload.Spec, live *unstructured.Unstructured) error {
	return d.Driver.Check(ctx, d.in, spec, live)
}

func (d driverIn) Sizes(ctx context.Context, spec workload.Spec, sets []pipelines.NodeSet) ([]workload.Size, error) {
	return d.Driver.Sizes(ctx, d.in, spec, sets)
}
