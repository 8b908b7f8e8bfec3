package workload

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/pipelines/rule"
)

// steps moves the pods of a Deployment by telling its controller how many old ones may be missing, and how many new ones it
// may have before.
type steps struct {
	*session
	aim    aim
	looker looker
}

func (m *steps) run(ctx context.Context) (rule.Facts, error) {
	for {
		t := m.turn()
		seen, err := deployment{}.tide(ctx, m.session, m.aim)
		if err != nil {
			return rule.Facts{}, err
		}
		if err := m.intact(seen); err != nil {
			return seen.facts, err
		}
		m.explain(&seen)
		if err := m.looker.see(ctx, seen.facts); err != nil {
			return seen.facts, err
		}
		if seen.arrived() {
			return seen.facts, m.rest(ctx, seen)
		}
		if err := m.step(ctx, seen); err != nil {
			return seen.facts, err
		}
		if err := t.sleep(ctx, seen.next); err != nil {
			return seen.facts, err
		}
	}
}

// intact checks that the Deployment is as this run left it.
func (m *steps) intact(seen tide) error {
	hold, err := HoldOf(seen.live)
	if err != nil {
		return err
	}
	if hold == nil && m.aim.back {
		return m.templateIs(seen.live, m.aim.template)
	}
	if hold, err = m.held(seen.live); err != nil {
		return err
	}
	if hold.Back != m.aim.back {
		return fault.New(fault.Refused, "cannot move %s in cluster %s: it is on its way back", nameOf(seen.live), m.c.Context())
	}
	if !hold.Armed {
		return fault.New(fault.Refused, "cannot move %s in cluster %s: it is disarmed", nameOf(seen.live), m.c.Context())
	}
	if !locked(seen.live) && !hold.Created && (deployment{}).elsewhere(m.session, seen.live) {
		return fault.New(fault.Conflict, "cannot move %s in cluster %s: somebody else changed its strategy", nameOf(seen.live), m.c.Context())
	}
	if m.aim.revision != "" && seen.known && m.aim.revision != seen.rev.hash {
		return fault.New(fault.Conflict, "cannot move %s in cluster %s: its revision is %s, not %s", nameOf(seen.live), m.c.Context(), seen.rev.hash, m.aim.revision)
	}
	return m.templateIs(seen.live, m.aim.template)
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
	case observedGeneration(seen.live) < seen.live.GetGeneration():
		return nil
	case seen.known && (seen.rev.least != lockReady || !seen.rev.observed || seen.rev.available != 0):
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
		_, err := m.c.Patch(ctx, m.replicaSets(), m.spec.Target.GetNamespace(), h.name, types.MergePatchType, patch)
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return false, err
		}
	}
	return any, nil
}

func (m *steps) replicaSets() schema.GroupVersionKind {
	return m.family.kind.GroupVersion().WithKind("ReplicaSet")
}

// recount asks for the ReplicaSets anew.
func (m *steps) recount(ctx context.Context, seen *tide) error {
	selector, err := podSelector(m.spec.Target)
	if err != nil {
		return err
	}
	objects, err := m.c.List(ctx, m.replicaSets(), m.spec.Target.GetNamespace(), kube.Filter{Labels: selector})
	if err != nil {
		return err
	}
	all := make([]revision, len(objects))
	for i, object := range objects {
		all[i] = decodeReplicaSet(object, nil)
	}
	digest := templateDigest(templateOf(seen.live))
	seen.rev, seen.known = newestOf(all, seen.live.GetUID(), func(r revision) bool { return r.digest == digest })
	seen.count(all)
	return nil
}

// recreate has the controller replace all pods at once.
func (m *steps) recreate(ctx context.Context, seen tide) error {
	if seen.allowed < seen.replicas {
		return fault.New(fault.Refused, "cannot move %s in cluster %s in batches: its strategy is Recreate, which allows no two versions at once",
			nameOf(seen.live), m.c.Context())
	}
	if !seen.paused() {
		return nil
	}
	return m.goOn(ctx, seen, nil)
}

// undisturbed checks that the strategy is what the driver has written.
func (m *steps) undisturbed(live *unstructured.Unstructured) error {
	hold, err := m.held(live)
	if err != nil {
		return err
	}
	is := valueAt(live.Object, "spec", "strategy")
	same := sameJSON(hold.Told, is)
	if hold.Told == nil { // of a release that knew no surge, and always said one of 0
		same = number(live, -1, mostSurge...) == 0
	}
	if !same {
		return fault.New(fault.Conflict, "cannot move %s in cluster %s: somebody else changed its strategy", nameOf(live), m.c.Context())
	}
	return nil
}

// rest pauses a Deployment that has old pods left.
func (m *steps) rest(ctx context.Context, seen tide) error {
	if !locked(seen.live) || seen.paused() || min(seen.allowed, seen.moved) >= seen.replicas {
		return nil
	}
	return m.write(ctx, seen, func(spec map[string]any, _ *Hold) { spec["paused"] = true })
}

// goOn has a Deployment's controller go on, with another strategy where there is one.
func (m *steps) goOn(ctx context.Context, seen tide, strategy map[string]any) error {
	return m.write(ctx, seen, func(spec map[string]any, hold *Hold) {
		delete(spec, "paused")
		if strategy != nil {
			spec["strategy"], hold.Told = strategy, strategy
		}
	})
}

// write changes the live object's spec if it still is what was seen; else the next look decides anew.
func (m *steps) write(ctx context.Context, seen tide, edit func(spec map[string]any, hold *Hold)) error {
	_, err := m.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if live.GetGeneration() != seen.live.GetGeneration() {
			return nil, nil
		}
		hold, err := m.held(live)
		if err != nil {
			return nil, err
		}
		desired := live.DeepCopy()
		edit(desired.Object["spec"].(map[string]any), hold)
		return desired, hold.writeTo(desired)
	})
	return err
}

// explain adds to what containers wait for what the rollout itself waits for, in words.
func (m *steps) explain(seen *tide) {
	w := &seen.facts.Workload
	others := seen.replicas - seen.moved
	for _, h := range seen.old {
		others -= h.available
	}
	if budget := seen.allowance.down; budget > 0 && others >= budget && seen.moved < seen.allowed && locked(seen.live) && !seen.recreates {
		w.Waiting = append(w.Waiting, fmt.Sprintf("MaxUnavailable: %d pods are down that this batch did not take down, maxUnavailable is %d", others, budget))
	}
	if seen.moved > seen.allowed {
		w.Waiting = append(w.Waiting, fmt.Sprintf("BatchExceeded: %d pods are at the revision, the open batches allow %d", seen.moved, seen.allowed))
	}
	slices.Sort(w.Waiting)
	w.Waiting = slices.Compact(w.Waiting)
}
