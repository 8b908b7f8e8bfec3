package deployment

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// steps moves the pods of a Deployment by telling its controller how many old ones may be missing, and how many new ones it
// may have before.
type steps struct {
	*kit.Session
	aim  kit.Aim
	seen tide
}

// Look reads the tide.
func (m *steps) Look(ctx context.Context) (kit.Seen, error) {
	var err error
	m.seen, err = seeTide(ctx, m.Session, m.aim)
	return kit.Seen{Live: m.seen.live, Facts: m.seen.facts, Next: m.seen.next}, err
}

// Intact checks that the lock is there, and the revision what the run learned.
func (m *steps) Intact(hold *workload.Hold) error {
	live, rev := m.seen.live, m.seen.rev
	if !locked(live) && !hold.Created && (Kind{}).Elsewhere(m.Session, live) {
		return m.Cannot("move", fault.Conflict, "somebody else changed its strategy")
	}
	if m.aim.Revision != "" && m.seen.known && m.aim.Revision != rev.Hash {
		return m.Cannot("move", fault.Conflict, "its revision is %s, not %s", rev.Hash, m.aim.Revision)
	}
	return nil
}

// Step tells the controller what it may do next, or pauses it where the batch is there.
func (m *steps) Step(ctx context.Context) (bool, time.Duration, error) {
	if m.seen.arrived() {
		return true, 0, m.rest(ctx, m.seen)
	}
	return false, m.seen.next, m.step(ctx, m.seen)
}

// step goes on once the controller has seen what it was told before, and counts no pod at the revision as available. What a
// ceiling allows that does not shrink with the replicas stands only while pods move, and none stands that allows too many.
func (m *steps) step(ctx context.Context, seen tide) error {
	if !locked(seen.live) {
		return nil
	}
	if err := m.undisturbed(seen.live); err != nil {
		return err
	}
	switch {
	case seen.recreates:
		return m.recreate(ctx, seen)
	case seen.exceeds():
		return m.rest(ctx, seen)
	case field.Observed(seen.live) < seen.live.GetGeneration():
		return nil
	case seen.known && (seen.rev.Least != lockReady || !seen.rev.Observed || seen.rev.Available != 0):
		return nil
	}
	if unlocked, err := m.unlock(ctx, seen); err != nil || unlocked {
		return err
	}
	next, do := seen.then()
	if do == tell && seen.paused() {
		// The view of the ReplicaSets may be behind that of the Deployment, whose controller has done its part by now.
		if err := m.recount(ctx, &seen); err != nil {
			return err
		}
		next, do = seen.then()
	}
	switch do {
	case stop:
		return m.rest(ctx, seen)
	case tell:
		return m.goOn(ctx, seen, strategyFor(next, seen.replicas))
	}
	return nil
}

// unlock gives older ReplicaSets that were locked themselves, by a run that left this one half-way, the owner's own
// minReadySeconds back. Their controller would else take all of their pods for unavailable, and those away first.
func (m *steps) unlock(ctx context.Context, seen tide) (bool, error) {
	any := false
	for _, h := range seen.old {
		if !h.locked || h.pods == 0 {
			continue
		}
		any = true
		patch := fmt.Appendf(nil, `{"spec":{"minReadySeconds":%d}}`, int(seen.least/time.Second))
		_, err := m.Cluster.Patch(ctx, m.replicaSets(), m.Spec.Target.GetNamespace(), h.name, types.MergePatchType, patch)
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return false, err
		}
	}
	return any, nil
}

func (m *steps) replicaSets() schema.GroupVersionKind {
	return m.Family.Kind.GroupVersion().WithKind("ReplicaSet")
}

// recount asks for the ReplicaSets anew.
func (m *steps) recount(ctx context.Context, seen *tide) error {
	selector, err := kit.PodSelector(m.Spec.Target)
	if err != nil {
		return err
	}
	objects, err := m.Cluster.List(ctx, m.replicaSets(), m.Spec.Target.GetNamespace(), kube.Filter{Labels: selector})
	if err != nil {
		return err
	}
	all := make([]kit.Revision, len(objects))
	for i, object := range objects {
		all[i] = kit.DecodeReplicaSet(object, nil)
	}
	digest := podtemplate.Digest(podtemplate.Of(seen.live))
	seen.rev, seen.known = kit.NewestOf(all, seen.live.GetUID(), func(r kit.Revision) bool { return r.Digest == digest })
	seen.count(all)
	return nil
}

// recreate has the controller replace all pods at once.
func (m *steps) recreate(ctx context.Context, seen tide) error {
	if seen.allowed < seen.replicas {
		const why = "cannot move %s in cluster %s in batches: its strategy is Recreate, which allows no two versions at once"
		return fault.New(fault.Refused, why, workload.NameOf(seen.live), m.Cluster.Context())
	}
	if !seen.paused() {
		return nil
	}
	return m.goOn(ctx, seen, nil)
}

// undisturbed checks that the strategy is what the driver has written.
func (m *steps) undisturbed(live *unstructured.Unstructured) error {
	hold, err := m.Held(live)
	if err != nil {
		return err
	}
	is := field.At(live.Object, "spec", "strategy")
	same := field.Same(hold.Told, is)
	if hold.Told == nil { // of a release that knew no surge, and always said one of 0
		same = field.Number(live, -1, mostSurge...) == 0
	}
	if !same {
		return m.Cannot("move", fault.Conflict, "somebody else changed its strategy")
	}
	return nil
}

// rest pauses a Deployment that has old pods left.
func (m *steps) rest(ctx context.Context, seen tide) error {
	if !locked(seen.live) || seen.paused() || min(seen.allowed, seen.moved) >= seen.replicas {
		return nil
	}
	return m.write(ctx, seen, func(spec map[string]any, _ *workload.Hold) { spec["paused"] = true })
}

// goOn has a Deployment's controller go on, with another strategy where there is one.
func (m *steps) goOn(ctx context.Context, seen tide, strategy map[string]any) error {
	return m.write(ctx, seen, func(spec map[string]any, hold *workload.Hold) {
		delete(spec, "paused")
		if strategy != nil {
			spec["strategy"], hold.Told = strategy, strategy
		}
	})
}

// write changes the live object's spec if it still is what was seen; else the next look decides anew.
func (m *steps) write(ctx context.Context, seen tide, edit func(spec map[string]any, hold *workload.Hold)) error {
	_, err := m.Change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if live.GetGeneration() != seen.live.GetGeneration() {
			return nil, nil
		}
		hold, err := m.Held(live)
		if err != nil {
			return nil, err
		}
		desired := live.DeepCopy()
		edit(desired.Object["spec"].(map[string]any), hold)
		return desired, hold.WriteTo(desired)
	})
	return err
}

// Waiting tells of pods that are down by themselves, and of a batch that is exceeded.
func (m *steps) Waiting() []string {
	seen, words := m.seen, []string{}
	others := seen.replicas - seen.moved
	for _, h := range seen.old {
		others -= h.available
	}
	if budget := seen.allowance.down; budget > 0 && others >= budget && seen.moved < seen.allowed && locked(seen.live) && !seen.recreates {
		words = append(words, kit.UsedUp(others, budget))
	}
	if seen.moved > seen.allowed && !m.aim.Retreats {
		words = append(words, fmt.Sprintf("BatchExceeded: %d pods are at the revision, the open batches allow %d", seen.moved, seen.allowed))
	}
	return words
}
