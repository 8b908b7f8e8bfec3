package workload

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines/rule"
)

// steps moves the pods of a Deployment by raising the number of new ones that its controller may have.
type steps struct {
	*session
	aim    aim
	looker looker
}

// tide is what was seen of a Deployment at one moment.
type tide struct {
	live     *unstructured.Unstructured
	replicas int
	rev      revision // of the live template
	known    bool     // there is a ReplicaSet for it
	moved    int      // pods at it, as its ReplicaSet or the pods say, whichever is more
	fresh    int      // of these, available
	old      int      // other pods that are available
	allowed  int
	facts    rule.Facts
	next     time.Duration
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
	}
	if seen.rev, seen.known = s.current(live); seen.known {
		seen.moved = int(seen.rev.replicas)
	}
	owners := map[types.UID]bool{}
	for _, r := range s.revisions.All() {
		owners[r.uid] = r.owner == live.GetUID()
	}
	var pods []pod
	at := 0
	now := time.Now()
	for _, p := range s.pods.All() {
		if !owners[p.owner] || p.deleting || p.ended {
			continue
		}
		pods = append(pods, p)
		in, ready := p.availableIn(least, now)
		isNew := seen.known && p.owner == seen.rev.uid
		at += int(one(isNew))
		seen.fresh += int(one(isNew && ready && in == 0))
		seen.old += int(one(!isNew && ready && in == 0))
	}
	seen.moved = max(seen.moved, at)
	seen.allowed = seen.replicas
	if to.goal.Set == 0 {
		seen.allowed = to.goal.Amount.Of(seen.replicas)
	}
	seen.facts.Workload = s.count(live, seen.rev.hash, seen.replicas, pods, least, now)
	seen.facts.Batch = seen.batch(to)
	seen.next = soonest(pods, least, now)
	return seen, nil
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
		if seen.moved >= seen.allowed && seen.fresh >= seen.allowed {
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

// ceiling is how many pods the controller may have moved by now: what it was told, or, while it is paused, what is there.
func (seen tide) ceiling() int {
	if seen.paused() {
		return seen.moved
	}
	return max(seen.moved, told(seen.live))
}

func (seen tide) paused() bool {
	paused, _, _ := unstructured.NestedBool(seen.live.Object, "spec", "paused")
	return paused
}

// more is by how many pods the ceiling may be raised at most: the old ones that are down already cost nothing, the
// others as far as the budget has room. Of what is under way the worst is assumed: the watches of pods and ReplicaSets
// are not at the same moment.
func (seen tide) more(budget int) int {
	ceiling := seen.ceiling()
	wanted := max(0, seen.replicas-ceiling)
	up := min(seen.old, wanted)
	broken := wanted - up
	room := max(0, budget-(seen.replicas-seen.fresh-up))
	return max(0, min(seen.allowed-ceiling, broken+room))
}

// step raises the ceiling, once the controller has seen the one before and counts no pod at the revision as available. A
// ceiling that does not shrink with the replicas stands only while pods move, and none stands that allows too many.
func (m *steps) step(ctx context.Context, seen tide) error {
	if seen.ceiling() > seen.allowed {
		return m.rest(ctx, seen)
	}
	if !locked(seen.live) || observedGeneration(seen.live) < seen.live.GetGeneration() {
		return nil
	}
	if seen.known && (seen.rev.least != lockReady || !seen.rev.observed || seen.rev.available != 0) {
		return nil
	}
	if number(seen.live, -1, "spec", "strategy", "rollingUpdate", "maxSurge") != 0 {
		return fault.New(fault.Conflict, "cannot move %s in cluster %s: somebody else changed its strategy", nameOf(seen.live), m.c.Context())
	}
	more := seen.more(m.aim.goal.MaxUnavailable.Of(seen.replicas))
	switch {
	case more == 0 && seen.moved >= seen.ceiling() && !shrinks(seen.live):
		return m.rest(ctx, seen)
	case more == 0:
		return nil
	}
	return m.write(ctx, seen, func(spec map[string]any) {
		spec["strategy"] = stepTo(seen.ceiling()+more, seen.replicas)
		delete(spec, "paused")
	})
}

// rest pauses a Deployment that has old pods left.
func (m *steps) rest(ctx context.Context, seen tide) error {
	if !locked(seen.live) || seen.paused() || min(seen.allowed, seen.moved) >= seen.replicas {
		return nil
	}
	return m.write(ctx, seen, func(spec map[string]any) { spec["paused"] = true })
}

// write changes the live object's spec if it still is what was seen; else the next look decides anew.
func (m *steps) write(ctx context.Context, seen tide, edit func(spec map[string]any)) error {
	_, err := m.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if live.GetGeneration() != seen.live.GetGeneration() {
			return nil, nil
		}
		desired := live.DeepCopy()
		edit(desired.Object["spec"].(map[string]any))
		return desired, nil
	})
	return err
}

// explain adds to what containers wait for what the rollout itself waits for, in words.
func (m *steps) explain(seen *tide) {
	w := &seen.facts.Workload
	budget := m.aim.goal.MaxUnavailable.Of(seen.replicas)
	others := seen.replicas - seen.moved - seen.old
	if others >= budget && others > 0 && seen.moved < seen.allowed && locked(seen.live) {
		w.Waiting = append(w.Waiting, fmt.Sprintf("MaxUnavailable: %d pods are down that this batch did not take down, maxUnavailable is %d", others, budget))
	}
	if seen.moved > seen.allowed {
		w.Waiting = append(w.Waiting, fmt.Sprintf("BatchExceeded: %d pods are at the revision, the open batches allow %d", seen.moved, seen.allowed))
	}
	slices.Sort(w.Waiting)
	w.Waiting = slices.Compact(w.Waiting)
}
