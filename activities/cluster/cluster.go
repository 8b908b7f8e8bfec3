// Package cluster holds the activities that look at and change one Kubernetes cluster: thin calls into internal/kube,
// internal/patch and internal/workload, with the ledger's intents around every write. Each is idempotent under its
// request: run twice, it changes once.
package cluster

import (
	"context"
	"encoding/json"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/gate"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

// Activities are the activities near clusters. All fields are required.
type Activities struct {
	Clusters     *kube.Pool
	Ledger       ledger.Ledger
	Gates        *gate.Evaluator
	Installation string // the ledger's; what Leases name as holder
}

// Registry is where activities are registered: a Temporal worker.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers every activity under its name in internal/step.
func (a *Activities) Register(r Registry) {
	for name, f := range map[string]any{
		step.Diff:      done(a.Diff),
		step.Preview:   done(a.Preview),
		step.Acquire:   done(a.Acquire),
		step.Apply:     done(a.Apply),
		step.Unapply:   done(a.Unapply),
		step.Prepare:   done(a.Prepare),
		step.Advance:   done(a.Advance),
		step.Observe:   done(a.Observe),
		step.Look:      done(a.Look),
		step.Arm:       done(a.Arm),
		step.Disarm:    done(a.Disarm),
		step.Finish:    done(a.Finish),
		step.Revert:    done(a.Revert),
		step.Release:   done(a.Release),
		step.Reachable: done(a.Reachable),
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

// done makes an error's fault code its type in Temporal, by which the workflow and the retry policy tell errors apart.
func done[In, Out any](f func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		out, err := f(ctx, in)
		if err == nil || ctx.Err() != nil {
			return out, err
		}
		return out, temporal.NewApplicationErrorWithOptions(err.Error(), string(fault.CodeOf(err)), temporal.ApplicationErrorOptions{})
	}
}

// unitOf loads a plan and the unit of a cluster in it.
func (a *Activities) unitOf(ctx context.Context, ref step.Ref) (*plan.Plan, *plan.Unit, *plan.Stage, error) {
	stored, err := a.Ledger.Plan(ctx, ref.Plan)
	if err != nil {
		return nil, nil, nil, err
	}
	body, err := a.Ledger.Blob(ctx, stored.Body)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := plan.Decode(body)
	if err != nil {
		return nil, nil, nil, err
	}
	unit, stage, ok := p.Unit(ref.Cluster)
	if !ok {
		return nil, nil, nil, fault.New(fault.Invalid, "cannot find cluster %s in plan %.12s", ref.Cluster, ref.Plan)
	}
	return p, unit, stage, nil
}

// Reachable returns once the API server answers. Until then its heartbeat says why it does not.
func (a *Activities) Reachable(ctx context.Context, ref step.Ref) (string, error) {
	c, err := a.Clusters.Cluster(ctx, ref.Context)
	if err != nil {
		return "", err
	}
	beat := newPulse(ctx)
	defer beat.stop()
	for {
		err := c.Reachable(ctx)
		if err == nil {
			return ref.Cluster + " answers", nil
		}
		beat.say(step.Progress{Note: err.Error()})
		if err := pause(ctx, reachableEvery); err != nil {
			return "", err
		}
	}
}

func (a *Activities) putJSON(ctx context.Context, v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot encode %T", v)
	}
	return a.Ledger.PutBlob(ctx, data)
}

func (a *Activities) getJSON(ctx context.Context, digest string, v any) error {
	data, err := a.Ledger.Blob(ctx, digest)
	if err != nil {
		return err
	}
	return fault.Wrap(fault.Internal, json.Unmarshal(data, v), "cannot read blob %s", digest)
}
