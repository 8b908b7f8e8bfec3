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

// daemonSet moves native DaemonSets: the update strategy is OnDelete while it holds one, and it evicts the pods of the
// nodes that it chose, each by its UID. A DaemonSet that it creates has pods on all its nodes at once: the controller knows
// no partial creation, and there is no old version that could suffer.
//
// A node whose pod is missing or on its way out counts as moved: an armed DaemonSet fills it at the new revision. So nodes
// that join use the open batch up, and a batch that is begun anew after a crash never overshoots.
//
// A dead node replaces nothing: a pod that is evicted there stays Terminating until somebody removes the node. So none is
// chosen there, and none is waited for.
type daemonSet struct{}

func (daemonSet) family() family {
	return family{
		kind:    schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		plural:  "daemonsets",
		history: "controllerrevisions",
		decode:  decodeControllerRevision,
		schema:  appsv1.DaemonSet{},
		holds:   []string{"updateStrategy"},
	}
}

// Kind is the kind that the driver moves.
func (d daemonSet) Kind() schema.GroupKind { return d.family().kind.GroupKind() }

// Holds is the update strategy.
func (daemonSet) Holds() []string { return []string{"/spec/updateStrategy"} }

// Check refuses a DaemonSet whose owner moves its pods by hand, and one with a budget that never lets a pod go.
func (d daemonSet) Check(ctx context.Context, c Cluster, spec Spec, live *unstructured.Unstructured) error {
	if live == nil {
		return nil
	}
	hold, err := HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && text(live, "spec", "updateStrategy", "type") == string(appsv1.OnDeleteDaemonSetStrategyType) {
		return fault.New(fault.Refused, "cannot move %s: its update strategy is OnDelete, so its owner replaces its pods himself", nameOf(live))
	}
	return checkBudgets(ctx, c, spec, int(number(live, 0, "status", "desiredNumberScheduled")))
}

// Prepare switches to OnDelete and writes the template in one patch, or creates the DaemonSet.
func (d daemonSet) Prepare(ctx context.Context, c Cluster, spec Spec) (State, error) {
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
	} else if err := s.take(ctx, d); err != nil {
		return State{}, err
	}
	return d.state(ctx, s)
}

// grab switches to OnDelete; the parameters of the owner's strategy stay where they are.
func (daemonSet) grab(_ *session, desired *unstructured.Unstructured, _ *Hold) error {
	return unstructured.SetNestedField(desired.Object, string(appsv1.OnDeleteDaemonSetStrategyType), "spec", "updateStrategy", "type")
}

func (daemonSet) elsewhere(s *session, desired *unstructured.Unstructured) bool {
	rev, ok := s.current(desired)
	return !ok || slices.ContainsFunc(s.pods.All(), func(p pod) bool {
		return p.owner == desired.GetUID() && !p.deleting && p.hash != rev.hash
	})
}

// state waits until the controller has seen the DaemonSet and made a revision of its template.
func (d daemonSet) state(ctx context.Context, s *session) (State, error) {
	live, rev, err := s.settled(ctx)
	if err != nil {
		return State{}, err
	}
	hold, err := s.held(live)
	if err != nil {
		return State{}, err
	}
	state := stateOf(live, hold)
	if hold.Armed && !hold.Back {
		state.Revision, state.Template = rev.hash, rev.digest
	}
	return state, nil
}

// Sizes counts the living nodes that have a pod or should have one, and lists the dead ones that have one.
func (d daemonSet) Sizes(ctx context.Context, c Cluster, spec Spec, sets []pipelines.NodeSet) ([]Size, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return nil, err
	}
	defer s.close()
	shot, err := d.shot(ctx, s, aim{goal: Goal{Sets: sets}, living: true})
	if err != nil {
		return nil, err
	}
	sizes := make([]Size, len(sets))
	for i := range sets {
		sizes[i] = Size{Pods: shot.totals[i], Behind: shot.behind[i]}
	}
	return sizes, nil
}

func (d daemonSet) watching(c Cluster, spec Spec) (*session, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return nil, err
	}
	return s, s.withPods(true)
}

// Advance evicts pods until the batch's nodes have theirs at the revision.
func (d daemonSet) Advance(ctx context.Context, c Cluster, spec Spec, state State, goal Goal, look Look) (rule.Facts, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return rule.Facts{}, err
	}
	defer s.close()
	s.withEvents()
	m := &eviction{session: s, aim: aim{revision: state.Revision, template: state.Template, goal: goal, created: state.Created}, looker: looker{look: look}}
	return m.run(ctx)
}

// Observe looks on.
func (d daemonSet) Observe(ctx context.Context, c Cluster, spec Spec, state State, goal Goal, look Look) error {
	s, err := d.watching(c, spec)
	if err != nil {
		return err
	}
	defer s.close()
	s.withEvents()
	return s.watch(ctx, state, look, func(ctx context.Context) (rule.Facts, time.Duration, error) {
		shot, err := d.shot(ctx, s, aim{revision: state.Revision, goal: goal})
		return shot.facts, shot.next, err
	})
}

// Facts tells what is there.
func (d daemonSet) Facts(ctx context.Context, c Cluster, spec Spec, state State, goal Goal) (rule.Facts, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return rule.Facts{}, err
	}
	defer s.close()
	s.withEvents()
	shot, err := d.shot(ctx, s, aim{revision: state.Revision, goal: goal})
	if err != nil {
		return rule.Facts{}, err
	}
	return shot.facts, s.ours(ctx, state)
}

// Disarm writes the template of before. Pods that are being replaced at that moment get a few seconds to come back at the
// revision that their batch gave them; none is begun any more by then.
func (d daemonSet) Disarm(ctx context.Context, c Cluster, spec Spec, state State) (State, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return State{}, err
	}
	defer s.close()
	after, err := d.disarm(ctx, s, state)
	if fault.CodeOf(err) == fault.NotFound {
		return disarmed(state), nil
	}
	return after, err
}

func (d daemonSet) disarm(ctx context.Context, s *session, state State) (State, error) {
	if ours, err := s.holds(ctx); err != nil || !ours {
		return disarmed(state), err
	}
	if err := s.recall(ctx, state); err != nil {
		return State{}, err
	}
	if err := d.calm(ctx, s); err != nil {
		return State{}, err
	}
	_, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := HoldOf(live)
		if err != nil || hold == nil || !hold.by(s.spec) || !hold.Armed || hold.Back || hold.Created || s.spec.WayBack == nil {
			return nil, err
		}
		rev, ok := s.current(live)
		if !ok {
			return nil, unknownRevision(live, s.c)
		}
		hold.Armed, hold.Target, hold.Template = false, rev.hash, rev.digest
		return s.withTemplate(live, hold, s.previous(live, hold), s.spec.Target, s.spec.WayBack)
	})
	if err != nil {
		return State{}, err
	}
	return d.after(ctx, s, state)
}

// calm waits for a short time until no node lacks its pod.
func (d daemonSet) calm(ctx context.Context, s *session) error {
	end := time.Now().Add(3 * time.Second)
	for {
		t := s.turn()
		shot, err := d.shot(ctx, s, aim{living: true})
		if err != nil {
			return err
		}
		left := time.Until(end)
		if shot.going == 0 || left <= 0 {
			return nil
		}
		if err := t.sleep(ctx, left); err != nil {
			return err
		}
	}
}

// Arm writes the target's template again.
func (d daemonSet) Arm(ctx context.Context, c Cluster, spec Spec, state State) (State, error) {
	s, err := open(c, spec, d.family())
	if err != nil {
		return State{}, err
	}
	defer s.close()
	if err := s.recall(ctx, state); err != nil {
		return State{}, err
	}
	_, err = s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		hold, err := HoldOf(live)
		if err != nil || hold == nil || hold.Armed || hold.Back {
			return nil, err
		}
		if _, err := s.held(live); err != nil {
			return nil, err
		}
		hold.Armed = true
		return s.withTemplate(live, hold, hold.Target, s.spec.WayBack, spec.Target)
	})
	if err != nil {
		return State{}, err
	}
	return d.after(ctx, s, state)
}

// after returns the state after a disarm or an arm; what a workload that is not held is like is not changed by either.
func (d daemonSet) after(ctx context.Context, s *session, state State) (State, error) {
	live, err := s.present(ctx)
	if err != nil {
		return State{}, err
	}
	if hold, err := HoldOf(live); err != nil || hold == nil || !hold.by(s.spec) {
		return state, err
	}
	return d.state(ctx, s)
}

// Revert writes the way back's template and evicts what is not at it.
func (d daemonSet) Revert(ctx context.Context, c Cluster, spec Spec, state State, pace pipelines.Amount, look Look) (rule.Facts, error) {
	s, err := d.watching(c, spec)
	if err != nil {
		return rule.Facts{}, err
	}
	defer s.close()
	s.withEvents()
	facts, err := d.revert(ctx, s, state, pace, look)
	if s.isGone(ctx, err) {
		return s.gone(), nil
	}
	return facts, err
}

func (d daemonSet) revert(ctx context.Context, s *session, state State, pace pipelines.Amount, look Look) (rule.Facts, error) {
	if err := s.recall(ctx, state); err != nil {
		return rule.Facts{}, err
	}
	if s.spec.WayBack == nil {
		if err := s.withdraw(ctx, state, look); err != nil {
			return rule.Facts{}, err
		}
		if _, err := s.present(ctx); err != nil {
			return rule.Facts{}, err
		}
		shot, err := d.shot(ctx, s, aim{revision: state.Revision, goal: everything(pace), living: true})
		return shot.facts, err
	}
	if err := s.takeBack(ctx, d, state); err != nil {
		return rule.Facts{}, err
	}
	live, rev, err := s.settled(ctx)
	if err != nil {
		return rule.Facts{}, err
	}
	m := &eviction{
		session: s, looker: looker{look: look},
		aim: aim{revision: rev.hash, template: templateDigest(templateOf(live)), goal: everything(pace), back: true, living: true},
	}
	return m.run(ctx)
}

// everything is the goal of a way back: every pod, at a pace.
func everything(pace pipelines.Amount) Goal {
	return Goal{
		Sets:   []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}},
		Number: 1, Amount: pipelines.Percent(100), MaxUnavailable: pace,
	}
}

// Finish gives the update strategy back once every pod is where it should be.
func (d daemonSet) Finish(ctx context.Context, c Cluster, spec Spec, state State, back bool) (State, error) {
	s, err := d.watching(c, spec)
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

func (d daemonSet) finish(ctx context.Context, s *session, state State, back bool) (State, error) {
	if back {
		if err := s.recall(ctx, state); err != nil {
			return State{}, err
		}
	}
	if _, err := s.finishable(ctx, back); err != nil {
		return State{}, err
	}
	live, rev, err := s.settled(ctx)
	if err != nil {
		return State{}, err
	}
	shot, err := d.shot(ctx, s, aim{revision: rev.hash, goal: everything(pipelines.Count(1)), living: true})
	if err != nil {
		return State{}, err
	}
	elsewhere := 0
	for _, at := range shot.slots {
		elsewhere += int(one(at.pod != nil && at.pod.hash != rev.hash && !at.returned))
	}
	if elsewhere > 0 {
		return State{}, fault.New(fault.Refused, "cannot give back the update strategy of %s in cluster %s: %d of %d pods are not at revision %s and would move at once",
			nameOf(live), s.c.Context(), elsewhere, len(shot.slots), rev.hash)
	}
	return s.giveBack(ctx, state, rev, back)
}
