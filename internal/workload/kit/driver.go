package kit

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// driver is a Driver of any kind.
type driver struct {
	kind   Kind
	family Family
	clock  clock.Clock
}

// New returns the driver of a kind.
func New(kind Kind, on clock.Clock) workload.Driver {
	return driver{kind: kind, family: kind.Family(), clock: on}
}

// Kind is the kind that the driver moves.
func (d driver) Kind() schema.GroupKind { return d.family.Kind.GroupKind() }

// Holds are the family's fields.
func (d driver) Holds() []string {
	pointers := []string{}
	for _, field := range d.family.Holds {
		pointers = append(pointers, "/spec/"+field)
	}
	return pointers
}

// Check asks the kind about a workload that is there.
func (d driver) Check(ctx context.Context, c workload.Cluster, spec workload.Spec, live *unstructured.Unstructured) error {
	if live == nil {
		return nil
	}
	hold, err := workload.HoldOf(live)
	if err != nil {
		return err
	}
	return d.kind.Check(ctx, c, spec, live, hold != nil)
}

// Costs asks the kind about what the owner says once the run is over.
func (d driver) Costs(spec workload.Spec, live *unstructured.Unstructured) ([]workload.Cost, error) {
	if live == nil {
		return nil, nil
	}
	hold, err := workload.HoldOf(live)
	if err != nil {
		return nil, err
	}
	if hold != nil {
		live = hold.Owned(live, d.Holds())
	}
	owner, err := d.family.Restored(spec.WayBack, spec.Target, field.Pick(live, d.family.Holds))
	if err != nil {
		return nil, err
	}
	return d.kind.Costs(owner), nil
}

// within opens a session with some more views for as long as do takes.
func within[T any](d driver, c workload.Cluster, spec workload.Spec, views views, do func(*Session) (T, error)) (T, error) {
	var none T
	s, err := open(c, spec, d.family, d.clock)
	if err != nil {
		return none, err
	}
	defer s.close()
	if views == looks || views == troubles {
		s.withEvents()
	}
	if views == looks || views == counts && (d.family.Nodes || d.family.OnDelete) {
		if err := s.withPods(d.family.Nodes); err != nil {
			return none, err
		}
	}
	if views == troubles {
		if err := s.withPods(false); err != nil {
			return none, err
		}
	}
	return do(s)
}

// views says what a call sees beside the workload and its revisions.
type views int

const (
	bare     views = iota
	counts         // the pods, where the workload and its revisions do not say how many there are
	looks          // pods, their nodes where they belong to those, and events
	troubles       // pods and events: what is told of them has to be told where nodes cannot be read as well
)

// Prepare takes hold of the workload and writes the template in one patch, or creates the workload.
func (d driver) Prepare(ctx context.Context, c workload.Cluster, spec workload.Spec) (workload.State, error) {
	return within(d, c, spec, bare, func(s *Session) (workload.State, error) {
		if err := d.prepare(ctx, s); err != nil {
			return workload.State{}, err
		}
		return s.state(ctx)
	})
}

func (d driver) prepare(ctx context.Context, s *Session) error {
	live, err := s.Live(ctx)
	if err != nil {
		return err
	}
	if live == nil {
		return s.create(ctx, d.kind)
	}
	if err := d.beforeWriting(ctx, s); err != nil {
		return err
	}
	return s.take(ctx, d.kind)
}

// Sizes asks the kind.
func (d driver) Sizes(ctx context.Context, c workload.Cluster, spec workload.Spec, sets []pipelines.NodeSet) ([]workload.Size, error) {
	return within(d, c, spec, counts, func(s *Session) ([]workload.Size, error) { return d.kind.Sizes(ctx, s, sets) })
}

// Advance moves pods until the batch has its share.
func (d driver) Advance(
	ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State, goal workload.Goal, look workload.Look,
) (rule.Facts, error) {
	to := aimOf(state, goal)
	to.Created = state.Created
	return within(d, c, spec, looks, func(s *Session) (rule.Facts, error) { return d.move(ctx, s, to, look) })
}

func aimOf(state workload.State, goal workload.Goal) Aim {
	return Aim{Revision: state.Revision, Template: state.Template, Goal: goal}
}

// Observe looks on.
func (d driver) Observe(
	ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State, goal workload.Goal, look workload.Look,
) error {
	_, err := within(d, c, spec, looks, func(s *Session) (none struct{}, _ error) {
		return none, s.watch(ctx, state, look, d.kind.Mover(s, aimOf(state, goal)).Look)
	})
	return err
}

// Facts tells what is there.
func (d driver) Facts(
	ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State, goal workload.Goal,
) (rule.Facts, error) {
	return within(d, c, spec, looks, func(s *Session) (rule.Facts, error) {
		seen, err := d.kind.Mover(s, aimOf(state, goal)).Look(ctx)
		if err == nil {
			err = s.unchanged(seen.Live, state)
		}
		return seen.Facts, err
	})
}

// StuckPods reads the views of a look once.
func (d driver) StuckPods(ctx context.Context, c workload.Cluster, spec workload.Spec, facts rule.Workload) (*api.Stuck, error) {
	return within(d, c, spec, troubles, func(s *Session) (*api.Stuck, error) { return s.stuck(ctx, facts) })
}

// Disarm pauses the workload, or writes the template of before. Pods that are on their way at that moment get a few seconds to
// arrive; none is begun any more by then.
func (d driver) Disarm(ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State) (workload.State, error) {
	return orGone(state)(within(d, c, spec, counts, func(s *Session) (workload.State, error) { return d.disarm(ctx, s, state) }))
}

// Arm undoes it.
func (d driver) Arm(ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State) (workload.State, error) {
	return within(d, c, spec, bare, func(s *Session) (workload.State, error) { return d.arm(ctx, s, state) })
}

// Retreat moves pods back to the template of before, until the goal is left.
func (d driver) Retreat(
	ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State, stay workload.Goal, look workload.Look,
) (rule.Facts, error) {
	return within(d, c, spec, looks, func(s *Session) (rule.Facts, error) { return d.retreat(ctx, s, state, stay, look) })
}

// Revert writes the way back's template and moves what is not at it.
func (d driver) Revert(
	ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State, pace pipelines.Amount, look workload.Look,
) (rule.Facts, error) {
	return within(d, c, spec, looks, func(s *Session) (rule.Facts, error) {
		facts, err := d.revert(ctx, s, state, pace, look)
		if s.isGone(ctx, err) {
			return s.gone(), nil
		}
		return facts, err
	})
}

// Finish gives the owner's fields back once every pod is where it should be. None of them is part of the pod template: no pod
// moves.
func (d driver) Finish(
	ctx context.Context, c workload.Cluster, spec workload.Spec, state workload.State, back bool,
) (workload.State, error) {
	return orGone(state)(within(d, c, spec, counts, func(s *Session) (workload.State, error) { return d.finish(ctx, s, state, back) }))
}

// orGone takes a workload that is not there for one that is done with.
func orGone(state workload.State) func(workload.State, error) (workload.State, error) {
	return func(after workload.State, err error) (workload.State, error) {
		if fault.CodeOf(err) == fault.NotFound {
			return disarmed(state), nil
		}
		return after, err
	}
}
