package daemonset

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/pipelines/rule"
)

// reach is how far a batch of a DaemonSet has come and how far it can get: the arithmetic over its slots, without a cluster.
//
// What a dead node has of a batch stays its own: no other node moves in its place, since it may come back at the revision. One
// that is dead before its pod was chosen is passed over for as long as there are others.
type reach struct {
	moved int // slots with a pod at the revision
	going int // slots without a pod that stays
	// allowed is how many slots may be at the revision, over all sets; target is the open set's part of it.
	allowed, target int
	need            int // pods that are to go yet
	lost            int // nodes by which dead ones keep the batch from its target
	short           int // slots over all sets by which dead nodes keep it from what is allowed
}

func reachOf(slots []slot, totals []int, to kit.Aim) reach {
	if to.Retreats {
		return retreatOf(slots, totals, to)
	}
	r := reach{}
	stuck := 0                   // old pods on dead nodes of sets that are done
	ours, alive, dead := 0, 0, 0 // old pods of the open set on dead nodes; of what counts for the target: living, dead
	movable, earlier, deadGoing := 0, 0, 0
	for _, at := range slots {
		old := false
		switch {
		case at.pod == nil:
			r.going++
			deadGoing += int(kit.One(at.dead))
		case at.pod.Hash == to.Revision:
			r.moved++
		default:
			old = true
		}
		switch {
		case !old && at.counts(to):
			alive += int(kit.One(!at.dead))
			dead += int(kit.One(at.dead))
		case !old || at.set > to.Goal.Set:
		case !at.dead:
			movable += int(kit.One(at.set == to.Goal.Set))
			earlier += int(kit.One(at.set < to.Goal.Set))
		default:
			ours += int(kit.One(at.set == to.Goal.Set))
			stuck += int(kit.One(at.set < to.Goal.Set))
		}
	}
	if to.Goal.Set >= len(totals) {
		return r
	}
	for _, total := range totals[:to.Goal.Set] {
		r.allowed += total
	}
	r.target = to.Goal.Amount.Of(totals[to.Goal.Set])
	r.allowed += r.target
	r.need = max(0, r.allowed-stuck-r.moved-r.going)
	r.short = deadGoing + stuck + min(ours, max(0, r.need-movable-earlier))
	can := alive + min(movable, max(0, r.need-earlier))
	r.lost = min(max(0, r.target-can), dead+ours)
	return r
}

// retreatOf is reachOf the other way: sets before the open one stay as they are, and what joined beside it goes back first. Dead
// nodes are no slots.
func retreatOf(slots []slot, totals []int, to kit.Aim) reach {
	r := reach{}
	if to.Goal.Set >= len(totals) {
		return r
	}
	for _, at := range slots {
		switch {
		case !at.open(to, len(totals)):
		case at.pod == nil:
			r.going++
		case at.pod.Hash == to.Revision:
			r.moved++
		}
	}
	r.target = to.Share(totals[to.Goal.Set])
	r.allowed = r.target
	for _, total := range totals[to.Goal.Set+1:] {
		r.allowed += total
	}
	r.need = max(0, r.allowed-r.moved-r.going)
	return r
}

// open reports whether a slot is of a set whose pods go, of so many.
func (at slot) open(to kit.Aim, sets int) bool {
	if to.Retreats {
		return at.set >= to.Goal.Set && at.set < sets
	}
	return at.set <= to.Goal.Set
}

// counts reports whether a slot that is at the revision counts for the open set's target: those of the set do, and what
// joined beside it came in place of one of it, but for a workload whose pods all came at once.
func (at slot) counts(to kit.Aim) bool {
	return at.set == to.Goal.Set || at.set > to.Goal.Set && !to.Created && !to.Retreats
}

// done reports whether the goal is reached but for dead nodes: as many slots as allowed are at the revision, and those of the
// open set, and what joined beside it, are available.
func (s *shot) done(to kit.Aim, least time.Duration, now time.Time) bool {
	if s.moved+s.short < s.allowed {
		return false
	}
	available := 0
	for _, at := range s.slots {
		if at.dead || at.pod == nil || at.pod.Hash != to.Revision || !at.counts(to) {
			continue
		}
		if in, ready := at.pod.AvailableIn(least, now); ready && in == 0 {
			available++
		}
	}
	return available >= s.target-s.lost
}

// choose returns the pods to go now: those of the open sets, in order, the ones that are not ready first, since replacing
// them costs nothing, and the newest first where a batch is taken back; ready ones as far as maxUnavailable has room. All pods
// that are down use that room up, whoever took them down, and dead nodes do. None is chosen on a dead node, and one on a node
// that has come back only after the others.
func (s *shot) choose(to kit.Aim, least time.Duration, now time.Time, refused func(types.UID) bool) []kit.Pod {
	if s.need <= 0 {
		return nil
	}
	down := 0
	var open []slot
	for _, at := range s.slots {
		if at.pod == nil || at.dead {
			down++
			continue
		}
		if in, ready := at.pod.AvailableIn(least, now); !ready || in > 0 {
			down++
		}
		if at.open(to, len(s.totals)) && at.pod.Hash != to.Revision {
			open = append(open, at)
		}
	}
	room := to.Goal.MaxUnavailable.Of(len(s.slots)) - down
	slices.SortStableFunc(open, func(a, b slot) int {
		if to.Retreats {
			return cmp.Or(cmp.Compare(b.set, a.set), b.pod.Made.Compare(a.pod.Made), strings.Compare(b.node, a.node))
		}
		return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(kit.One(a.returned), kit.One(b.returned)),
			cmp.Compare(kit.One(a.pod.Ready), kit.One(b.pod.Ready)), strings.Compare(a.node, b.node))
	})
	var chosen []kit.Pod
	for _, at := range open {
		if len(chosen) == s.need {
			break
		}
		if at.pod.Ready {
			if room <= 0 {
				continue
			}
			room--
		}
		if at.pod.Ready && refused(at.pod.UID) {
			continue
		}
		chosen = append(chosen, *at.pod)
	}
	return chosen
}

func (s *shot) batch(to kit.Aim) rule.Batch {
	if to.Goal.Set >= len(s.totals) {
		return rule.Batch{}
	}
	set := to.Goal.Sets[to.Goal.Set]
	b := rule.Batch{
		Number: int64(to.Goal.Number), NodeSet: set.Name,
		Target: int64(s.target), Total: int64(s.totals[to.Goal.Set]), Lost: int64(s.lost),
	}
	if b.NodeSet == "" {
		b.NodeSet = set.String()
	}
	var made []kit.Pod
	for _, at := range s.slots {
		if at.set == to.Goal.Set && at.pod != nil && at.pod.Hash == to.Revision {
			b.Updated++
			b.UpdatedReady += kit.One(at.pod.Ready)
			made = append(made, *at.pod)
		}
	}
	b.Pods, b.Nodes = kit.Names(made)
	return b
}
