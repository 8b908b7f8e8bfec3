package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
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

// tide is what was seen of a Deployment at one moment.
type tide struct {
	live      *unstructured.Unstructured
	replicas  int
	rev       revision // of the live template
	known     bool     // there is a ReplicaSet for it
	moved     int      // pods at it, as its ReplicaSet or the pods say, whichever is more
	fresh     int      // of these, available
	old       []herd   // the older ReplicaSets, the oldest first
	rest      int      // pods that are not at it, as their ReplicaSets or the pods say, whichever is more
	unsettled bool     // the status of some older ReplicaSet is about pods that it is to have no more
	allowed   int
	allowance allowance
	recreates bool              // its owner allows no two versions at once
	least     time.Duration     // for so long a pod is ready before the owner takes it for available
	available map[types.UID]int // pods of each ReplicaSet
	facts     rule.Facts
	next      time.Duration
}

// tide reads the views, all of which are in touch.
func (d deployment) tide(ctx context.Context, s *session, to aim) (tide, error) {
	if err := s.inTouch(ctx); err != nil {
		return tide{}, err
	}
	live, err := s.present(ctx)
	if err != nil {
		return tide{}, err
	}
	seen := tide{live: live, replicas: replicasOf(live)}
	hold, err := HoldOf(live)
	if err != nil {
		return tide{}, err
	}
	least := time.Duration(number(live, 0, "spec", "minReadySeconds")) * time.Second
	if hold != nil {
		owner := &unstructured.Unstructured{Object: map[string]any{"spec": hold.Owner}}
		least = time.Duration(number(owner, 0, "spec", "minReadySeconds")) * time.Second
		governs, err := s.governs(hold.Owner, hold.Back)
		if err != nil {
			return tide{}, err
		}
		seen.recreates = recreates(governs)
		seen.allowance = allowed(governs, seen.replicas, to.goal.MaxUnavailable.Of(seen.replicas))
	}
	seen.least = least
	seen.rev, seen.known = s.current(live)
	owners := map[types.UID]bool{}
	for _, r := range s.revisions.All() {
		owners[r.uid] = r.owner == live.GetUID()
	}
	var pods []pod
	at := 0
	now := time.Now()
	seen.available = map[types.UID]int{}
	for _, p := range s.pods.All() {
		if !owners[p.owner] || p.deleting || p.ended {
			continue
		}
		pods = append(pods, p)
		at += int(one(seen.known && p.owner == seen.rev.uid))
		in, ready := p.availableIn(least, now)
		seen.available[p.owner] += int(one(ready && in == 0))
	}
	seen.count(s.revisions.All())
	seen.moved, seen.rest = max(seen.moved, at), max(seen.rest, len(pods)-at)
	seen.allowed = seen.replicas
	if to.goal.Set == 0 {
		seen.allowed = to.goal.Amount.Of(seen.replicas)
	}
	seen.facts.Workload = s.count(live, seen.rev.hash, seen.replicas, pods, least, now)
	seen.facts.Batch = seen.batch(to)
	seen.next = soonest(pods, least, now)
	return seen, nil
}

// count tells the pods of the live template's ReplicaSet from those of the older ones, which it puts in the order in which
// the controller goes through them.
func (seen *tide) count(all []revision) {
	seen.moved, seen.fresh, seen.rest, seen.old, seen.unsettled = 0, 0, 0, nil, false
	older := slices.DeleteFunc(slices.Clone(all), func(r revision) bool {
		return r.owner != seen.live.GetUID() || r.replicas == 0 && r.available == 0
	})
	slices.SortFunc(older, func(a, b revision) int {
		return cmp.Or(a.created.Compare(b.created), strings.Compare(a.name, b.name))
	})
	for _, r := range older {
		pods := int(r.replicas)
		if seen.known && r.uid == seen.rev.uid {
			seen.moved, seen.fresh = pods, min(seen.available[r.uid], pods)
			continue
		}
		seen.rest += pods
		seen.unsettled = seen.unsettled || !r.observed || r.available > r.replicas
		seen.old = append(seen.old, herd{name: r.name, pods: pods, available: min(seen.available[r.uid], pods), known: min(int(r.available), pods), locked: r.least == lockReady})
	}
}

func (seen tide) batch(to aim) rule.Batch {
	b := rule.Batch{
		Number: int64(to.goal.Number), Target: int64(seen.allowed), Total: int64(seen.replicas),
		Updated: seen.facts.Workload.Updated, UpdatedReady: seen.facts.Workload.UpdatedReady,
	}
	if to.goal.Set < len(to.goal.Sets) {
		if b.NodeSet = to.goal.Sets[to.goal.Set].Name; b.NodeSet == "" {
			b.NodeSet = to.goal.Sets[to.goal.Set].String()
		}
	}
	return b
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

// arrived reports whether the batch is there: its pods are available, and those that they came for are gone.
func (seen tide) arrived() bool {
	return seen.moved >= seen.allowed && seen.fresh >= seen.allowed && seen.rest <= seen.replicas-seen.allowed
}

func (seen tide) paused() bool { return isPaused(seen.live) }

// verb is what is to be done about a Deployment.
type verb int

const (
	wait verb = iota
	stop      // pause it
	tell      // tell its controller another ration, and have it go on
)

// exceeds reports whether the controller may have more new pods than the batch allows.
func (seen tide) exceeds() bool {
	return !seen.paused() && told(seen.live).most() > max(seen.allowed, seen.moved)
}

// then returns what is to be done, and the ration. What its controller was told before binds while it goes on: it may have
// done all of that by now. Where it is paused what is there counts, since it has scaled old and new pods meanwhile.
func (seen tide) then() (ration, verb) {
	was := told(seen.live)
	c := course{
		replicas: seen.replicas, target: seen.allowed, gone: was.gone,
		moved: seen.moved, fresh: seen.fresh, old: seen.old, allowance: seen.allowance,
	}
	if seen.paused() {
		c.gone = seen.replicas
		for _, h := range seen.old {
			c.gone -= h.pods
		}
	}
	next := sayable(c.next(), seen.replicas)
	switch {
	case seen.exceeds():
		return was, stop
	case seen.unsettled, next == (ration{}), next.gone > seen.allowed:
		return was, wait // the controller goes by what ReplicaSets say of their pods
	case seen.paused() && next.gone <= max(0, c.gone) && next.most() <= seen.moved:
		return was, wait // nothing would move
	case seen.paused() || next != was:
		return next, tell
	case !shrinks(seen.live) && seen.moved >= was.most() && seen.rest <= seen.replicas-was.gone:
		return was, stop
	}
	return was, wait
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
	if hold.Told == nil { // a hold of before 0.3, which always said a maxSurge of 0
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
