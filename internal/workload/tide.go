package workload

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/pipelines/rule"
)

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

// seeTide reads the views.
func seeTide(ctx context.Context, s *session, to aim) (tide, error) {
	live, err := s.looked(ctx)
	if err != nil {
		return tide{}, err
	}
	if live == nil {
		return tide{}, nil
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
		governs, err := governing(s, hold.Owner, hold.Back)
		if err != nil {
			return tide{}, err
		}
		seen.recreates = recreates(governs)
		seen.allowance = allowed(governs, seen.replicas, to.goal.MaxUnavailable.Of(seen.replicas))
	}
	seen.least = least
	seen.rev, seen.known = s.current(live)
	owners := map[types.UID]bool{}
	for _, r := range s.kept() {
		owners[r.uid] = r.owner == live.GetUID()
	}
	var pods []pod
	at := 0
	now := s.clock.Now()
	seen.available = map[types.UID]int{}
	for _, p := range s.shown() {
		if !owners[p.owner] || p.deleting || p.ended {
			continue
		}
		pods = append(pods, p)
		at += int(one(seen.known && p.owner == seen.rev.uid))
		in, ready := p.availableIn(least, now)
		seen.available[p.owner] += int(one(ready && in == 0))
	}
	seen.count(s.kept())
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
