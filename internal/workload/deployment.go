package workload

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// With these a new pod never counts as available to the Deployment controller, which then halts at exactly maxUnavailable
// new pods, and never calls that a failure. They are the highest values that the API server takes.
const (
	lockReady    = 2147483646
	lockDeadline = 2147483647
)

// deployment moves native Deployments: their stock controller does the work and keeps the ceiling, also while Sluice is
// down. Within a batch maxSurge and maxUnavailable go step by step, as far as the owner and the pods that are available
// allow (surge.go). Replicas stay whose they are: the ceiling is said in percent where it can be, so that it shrinks with
// them. Between two batches, and wherever the ceiling is a number, the Deployment is paused: its controller then scales old
// and new pods alike. A Deployment that is created, or whose template stays the same, needs no lock: it has no old pods.
type deployment struct{}

func (deployment) family() family {
	return family{
		kind:    schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		plural:  "deployments",
		history: "replicasets",
		decode:  decodeReplicaSet,
		schema:  appsv1.Deployment{},
		holds:   []string{"strategy", "minReadySeconds", "progressDeadlineSeconds", "paused"},
	}
}

// Kind is the kind that the driver moves.
func (d deployment) Kind() schema.GroupKind { return d.family().kind.GroupKind() }

// Holds are the update strategy and what belongs to it.
func (d deployment) Holds() []string {
	pointers := []string{}
	for _, field := range d.family().holds {
		pointers = append(pointers, "/spec/"+field)
	}
	return pointers
}

// Check refuses a Deployment that its owner has paused or scaled to 0.
func (d deployment) Check(_ context.Context, _ Cluster, spec Spec, live *unstructured.Unstructured) error {
	if live == nil {
		return nil
	}
	hold, err := HoldOf(live)
	if err != nil || hold != nil {
		return err
	}
	for _, object := range []*unstructured.Unstructured{live, spec.Target} {
		if paused, _, _ := unstructured.NestedBool(object.Object, "spec", "paused"); paused {
			return fault.New(fault.Refused, "cannot move %s: its owner has paused it", nameOf(object))
		}
	}
	if replicasOf(live) == 0 {
		return fault.New(fault.Refused, "cannot move %s: it has 0 replicas, so nothing could be checked", nameOf(live))
	}
	return nil
}

// Prepare pauses and locks the Deployment and writes the template in one patch, or creates the Deployment.
func (d deployment) Prepare(ctx context.Context, c Cluster, spec Spec) (State, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return State{}, err
	}
	defer s.close()
	live, err := s.live(ctx)
	if err != nil {
		return State{}, err
	}
	if live == nil {
		if err := s.create(ctx, d); err != nil {
			return State{}, err
		}
		return d.state(ctx, s)
	}
	if err := d.calm(ctx, s); err != nil {
		return State{}, err
	}
	if err := s.take(ctx, d); err != nil {
		return State{}, err
	}
	return d.state(ctx, s)
}

// grab pauses the Deployment and locks it, unless all its pods are at the desired template already. Its surge stays as it is:
// a Deployment that is paused in the middle of a step would else lose pods, good ones too.
func (d deployment) grab(s *session, desired *unstructured.Unstructured, hold *Hold) error {
	if desired.GetUID() == "" || !d.elsewhere(s, desired) {
		return nil
	}
	governs, err := s.governs(hold.Owner, hold.Back)
	if err != nil {
		return err
	}
	setFields(desired, s.family.holds, map[string]any{
		"paused":                  true,
		"minReadySeconds":         int64(lockReady),
		"progressDeadlineSeconds": int64(lockDeadline),
		"strategy":                pausedStrategy(desired, governs, s.total(desired)),
	})
	hold.Told = valueAt(desired.Object, "spec", "strategy")
	return nil
}

func (deployment) elsewhere(s *session, desired *unstructured.Unstructured) bool {
	rev, ok := s.current(desired)
	return !ok || slices.ContainsFunc(s.revisions.All(), func(r revision) bool {
		return r.owner == desired.GetUID() && r.uid != rev.uid && r.replicas > 0
	})
}

// state waits until the controller has seen the Deployment.
func (d deployment) state(ctx context.Context, s *session) (State, error) {
	live, err := s.observed(ctx)
	if err != nil {
		return State{}, err
	}
	if err := s.revisions.Wait(ctx); err != nil {
		return State{}, err
	}
	hold, err := s.held(live)
	if err != nil {
		return State{}, err
	}
	state := stateOf(live, hold)
	state.Template = templateDigest(templateOf(live))
	if rev, ok := s.current(live); ok {
		state.Revision = rev.hash
	}
	return state, nil
}

// Sizes is the number of replicas, in the first set.
func (d deployment) Sizes(ctx context.Context, c Cluster, spec Spec, sets []pipelines.NodeSet) ([]Size, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return nil, err
	}
	defer s.close()
	live, err := s.live(ctx)
	if err != nil {
		return nil, err
	}
	if live == nil {
		live = spec.Target
	}
	sizes := make([]Size, len(sets))
	if len(sizes) > 0 {
		sizes[0].Pods = replicasOf(live)
	}
	return sizes, nil
}

func (d deployment) watching(c Cluster, spec Spec) (*session, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return nil, err
	}
	s.withEvents()
	return s, s.withPods(false)
}

// Advance raises the number of new pods until the batch has its share.
func (d deployment) Advance(ctx context.Context, c Cluster, spec Spec, state State, goal Goal, look Look) (rule.Facts, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return rule.Facts{}, err
	}
	defer s.close()
	m := &steps{session: s, aim: aim{revision: state.Revision, template: state.Template, goal: goal}, looker: looker{look: look}}
	return m.run(ctx)
}

// Observe looks on.
func (d deployment) Observe(ctx context.Context, c Cluster, spec Spec, state State, goal Goal, look Look) error {
	s, err := d.watching(c, spec)
	if err != nil {
		return err
	}
	defer s.close()
	return s.watch(ctx, state, look, func(ctx context.Context) (rule.Facts, time.Duration, error) {
		seen, err := d.tide(ctx, s, aim{revision: state.Revision, template: state.Template, goal: goal})
		return seen.facts, seen.next, err
	})
}

// Facts tells what is there.
func (d deployment) Facts(ctx context.Context, c Cluster, spec Spec, state State, goal Goal) (rule.Facts, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return rule.Facts{}, err
	}
	defer s.close()
	seen, err := d.tide(ctx, s, aim{revision: state.Revision, template: state.Template, goal: goal})
	if err != nil {
		return rule.Facts{}, err
	}
	return seen.facts, s.ours(ctx, state)
}

// Disarm pauses the Deployment. Each of its ReplicaSets makes its own pods anew, so that no pod changes its version.
func (d deployment) Disarm(ctx context.Context, c Cluster, spec Spec, state State) (State, error) {
	return d.rearm(ctx, c, spec, state, false)
}

// Arm lets Advance go on.
func (d deployment) Arm(ctx context.Context, c Cluster, spec Spec, state State) (State, error) {
	return d.rearm(ctx, c, spec, state, true)
}

func (d deployment) rearm(ctx context.Context, c Cluster, spec Spec, state State, armed bool) (State, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return State{}, err
	}
	defer s.close()
	after, err := d.rearmed(ctx, s, state, armed)
	if !armed && fault.CodeOf(err) == fault.NotFound {
		return disarmed(state), nil
	}
	return after, err
}

func (d deployment) rearmed(ctx context.Context, s *session, state State, armed bool) (State, error) {
	if !armed {
		if ours, err := s.holds(ctx); err != nil || !ours {
			return disarmed(state), err
		}
		if err := d.calm(ctx, s); err != nil {
			return State{}, err
		}
	}
	live, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := HoldOf(live)
		if err != nil || hold == nil || hold.Armed == armed || hold.Back || !locked(live) {
			return nil, err
		}
		if _, err := s.held(live); err != nil {
			return nil, err
		}
		hold.Armed = armed
		desired := live.DeepCopy()
		if err := d.pause(s, desired, hold); err != nil {
			return nil, err
		}
		return desired, hold.writeTo(desired)
	})
	if err != nil {
		return State{}, err
	}
	if hold, err := HoldOf(live); err != nil || hold == nil || !hold.by(s.spec) {
		return state, err
	}
	return d.state(ctx, s)
}

// Revert writes the way back's template and raises the number of pods at it until all are.
func (d deployment) Revert(ctx context.Context, c Cluster, spec Spec, state State, pace pipelines.Amount, look Look) (rule.Facts, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return rule.Facts{}, err
	}
	defer s.close()
	facts, err := d.revert(ctx, s, state, pace, look)
	if s.isGone(ctx, err) {
		return s.gone(), nil
	}
	return facts, err
}

func (d deployment) revert(ctx context.Context, s *session, state State, pace pipelines.Amount, look Look) (rule.Facts, error) {
	if err := s.recall(ctx, state); err != nil {
		return rule.Facts{}, err
	}
	if s.spec.WayBack == nil {
		if err := s.withdraw(ctx, state, look); err != nil {
			return rule.Facts{}, err
		}
		seen, err := d.tide(ctx, s, aim{revision: state.Revision, goal: everything(pace)})
		return seen.facts, err
	}
	if err := d.calm(ctx, s); err != nil {
		return rule.Facts{}, err
	}
	if err := s.takeBack(ctx, d, state); err != nil {
		return rule.Facts{}, err
	}
	live, err := s.observed(ctx)
	if err != nil {
		return rule.Facts{}, err
	}
	m := &steps{
		session: s, looker: looker{look: look},
		aim: aim{template: templateDigest(templateOf(live)), goal: everything(pace), back: true},
	}
	return m.run(ctx)
}

// Finish gives the owner's fields back once every pod is where it should be. None of them is part of the pod template: no
// pod moves and no ReplicaSet is made.
func (d deployment) Finish(ctx context.Context, c Cluster, spec Spec, state State, back bool) (State, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return State{}, err
	}
	defer s.close()
	after, err := d.finish(ctx, s, state, back)
	if fault.CodeOf(err) == fault.NotFound {
		return disarmed(state), nil
	}
	return after, err
}

func (d deployment) finish(ctx context.Context, s *session, state State, back bool) (State, error) {
	if back {
		if err := s.recall(ctx, state); err != nil {
			return State{}, err
		}
	}
	if _, err := s.finishable(ctx, back); err != nil {
		return State{}, err
	}
	live, err := s.observed(ctx)
	if err != nil {
		return State{}, err
	}
	if err := s.revisions.Wait(ctx); err != nil {
		return State{}, err
	}
	rev, _ := s.current(live)
	if d.elsewhere(s, live) || rev.replicas != int64(replicasOf(live)) {
		return State{}, fault.New(fault.Refused, "cannot give back the strategy of %s in cluster %s: %d of %d pods are at its template, the others would move at once",
			nameOf(live), s.c.Context(), rev.replicas, replicasOf(live))
	}
	return s.giveBack(ctx, state, rev, back)
}

func replicasOf(object *unstructured.Unstructured) int {
	return int(number(object, 1, "spec", "replicas"))
}

func locked(object *unstructured.Unstructured) bool {
	return number(object, 0, "spec", "minReadySeconds") == lockReady
}
