package deployment

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/pipelines/rule"
)

// tide is what was seen of a Deployment at one moment.
type tide struct {
	live      *unstructured.Unstructured
	replicas  int
	rev       kit.Revision // of the live template
	known     bool         // there is a ReplicaSet for it
	moved     int          // pods at it, as its ReplicaSet or the pods say, whichever is more
	fresh     int          // of these, available
	old       []herd       // the older ReplicaSets, the oldest first
	rest      int          // pods that are not at it, as their ReplicaSets or the pods say, whichever is more
	unsettled bool         // the status of some older ReplicaSet is about pods that it is to have no more
	allowed   int
	allowance allowance
	recreates bool              // its owner allows no two versions at once
	least     time.Duration     // for so long a pod is ready before the owner takes it for available
	available map[types.UID]int // pods of each ReplicaSet
	facts     rule.Facts
	next      time.Duration
}

// seeTide reads the views.
func seeTide(ctx context.Context, s *kit.Session, to kit.Aim) (tide, error) {
	live, err := s.Looked(ctx)
	if err != nil {
		return tide{}, err
	}
	if live == nil {
		return tide{}, nil
	}
	seen := tide{live: live, replicas: replicasOf(live)}
	hold, err := workload.HoldOf(live)
	if err != nil {
		return tide{}, err
	}
	least := time.Duration(field.Number(live, 0, "spec", "minReadySeconds")) * time.Second
	if hold != nil {
		owner := &unstructured.Unstructured{Object: map[string]any{"spec": hold.Owner}}
		least = time.Duration(field.Number(owner, 0, "spec", "minReadySeconds")) * time.Second
		governs, err := governing(s, hold.Owner, hold.Back)
		if err != nil {
			return tide{}, err
		}
		seen.recreates = recreates(governs)
		seen.allowance = allowed(governs, seen.replicas, to.Goal.MaxUnavailable.Of(seen.replicas))
	}
	seen.least = least
	seen.rev, seen.known = s.Current(live)
	owners := map[types.UID]bool{}
	for _, r := range s.Revisions() {
		owners[r.UID] = r.Owner == live.GetUID()
	}
	var pods, made []kit.Pod
	now := s.Clock.Now()
	seen.available = map[types.UID]int{}
	for _, p := range s.Pods() {
		if !owners[p.Owner] || p.Deleting || p.Ended {
			continue
		}
		pods = append(pods, p)
		if seen.known && p.Owner == seen.rev.UID {
			made = append(made, p)
		}
		in, ready := p.AvailableIn(least, now)
		seen.available[p.Owner] += int(kit.One(ready && in == 0))
	}
	seen.count(s.Revisions())
	seen.moved, seen.rest = max(seen.moved, len(made)), max(seen.rest, len(pods)-len(made))
	seen.allowed = seen.replicas
	if to.Goal.Set == 0 {
		seen.allowed = to.Share(seen.replicas)
	}
	seen.facts.Workload = s.Count(live, seen.rev.Hash, seen.replicas, pods, least, now)
	seen.facts.Batch = seen.batch(to)
	seen.facts.Batch.Pods, seen.facts.Batch.Nodes = kit.Names(made)
	seen.next = kit.Soonest(pods, least, now)
	return seen, nil
}

// count tells the pods of the live template's ReplicaSet from those of the older ones, which it puts in the order in which
// the controller goes through them.
func (seen *tide) count(all []kit.Revision) {
	seen.moved, seen.fresh, seen.rest, seen.old, seen.unsettled = 0, 0, 0, nil, false
	older := slices.DeleteFunc(slices.Clone(all), func(r kit.Revision) bool {
		return r.Owner != seen.live.GetUID() || r.Replicas == 0 && r.Available == 0
	})
	slices.SortFunc(older, func(a, b kit.Revision) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	for _, r := range older {
		pods := int(r.Replicas)
		if seen.known && r.UID == seen.rev.UID {
			seen.moved, seen.fresh = pods, min(seen.available[r.UID], pods)
			continue
		}
		seen.rest += pods
		seen.unsettled = seen.unsettled || !r.Observed || r.Available > r.Replicas
		seen.old = append(seen.old, herd{
			name: r.Name, pods: pods, locked: r.Least == lockReady,
			available: min(seen.available[r.UID], pods), known: min(int(r.Available), pods),
		})
	}
}

func (seen tide) batch(to kit.Aim) rule.Batch {
	b := rule.Batch{
		Number: int64(to.Goal.Number), Target: int64(seen.allowed), Total: int64(seen.replicas),
		Updated: seen.facts.Workload.Updated, UpdatedReady: seen.facts.Workload.UpdatedReady,
	}
	if to.Goal.Set < len(to.Goal.Sets) {
		if b.NodeSet = to.Goal.Sets[to.Goal.Set].Name; b.NodeSet == "" {
			b.NodeSet = to.Goal.Sets[to.Goal.Set].String()
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
