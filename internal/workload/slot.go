package workload

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// aim is where pods go.
type aim struct {
	revision string // that pods carry
	template string // digest of the template that the workload must have
	goal     Goal
	back     bool
	created  bool // the workload was not there before: its pods come up everywhere at once
}

// slot is a node that has a pod of a DaemonSet or should have one. Pod is nil while there is none that stays.
type slot struct {
	node string
	set  int
	pod  *pod
}

// shot is what was seen of a DaemonSet at one moment.
type shot struct {
	slots  []slot // sorted by node
	totals []int  // slots of each set
	moved  int    // slots with a pod at the revision
	going  int    // slots without a pod that stays
	// allowed is how many slots may be at the revision, over all sets; target is the open set's part of it.
	allowed, target int
	facts           rule.Facts
	next            time.Duration // until something may change without an event
}

// shot reads the views, all of which are in touch.
func (d daemonSet) shot(ctx context.Context, s *session, to aim) (shot, error) {
	if err := s.inTouch(ctx); err != nil {
		return shot{}, err
	}
	live, err := s.live(ctx)
	if err != nil {
		return shot{}, err
	}
	sets := to.goal.Sets
	template := templateOf(s.spec.Target)
	owner := s.spec.Target
	if live != nil {
		owner = live
		if to.template != "" || to.revision != "" {
			template = templateOf(live)
		}
	}
	place, err := newPlacement(template)
	if err != nil {
		return shot{}, err
	}
	labels := map[string]map[string]string{}
	nodes := map[string]*slot{}
	for _, n := range s.nodes.All() {
		labels[n.name] = n.labels
		if place.fits(n) {
			nodes[n.name] = &slot{node: n.name}
		}
	}
	var pods []pod
	for _, p := range s.pods.All() {
		if live == nil || p.owner != owner.GetUID() || p.deleting || p.ended || p.node == "" || s.c.Deleted(p.uid) {
			continue
		}
		pods = append(pods, p)
		if nodes[p.node] == nil {
			nodes[p.node] = &slot{node: p.node}
		}
		if at := nodes[p.node]; at.pod == nil || p.hash != to.revision {
			at.pod = &p
		}
	}
	result := shot{totals: make([]int, len(sets))}
	for _, at := range nodes {
		at.set = setOf(sets, labels[at.node], at.node)
		if at.set < len(sets) {
			result.totals[at.set]++
		}
		result.slots = append(result.slots, *at)
	}
	slices.SortFunc(result.slots, func(a, b slot) int { return strings.Compare(a.node, b.node) })
	now := time.Now()
	least := time.Duration(number(owner, 0, "spec", "minReadySeconds")) * time.Second
	result.tally(to)
	result.facts.Workload = s.count(live, to.revision, len(result.slots), pods, least, now)
	result.facts.Batch = result.batch(to)
	result.next = soonest(pods, least, now)
	return result, nil
}

// setOf returns the first set that a node is in; len(sets) where it is in none.
func setOf(sets []pipelines.NodeSet, labels map[string]string, node string) int {
	for i, set := range sets {
		if set.Matches(labels, node) {
			return i
		}
	}
	return len(sets)
}

func (r *shot) tally(to aim) {
	for _, at := range r.slots {
		switch {
		case at.pod == nil:
			r.going++
		case at.pod.hash == to.revision:
			r.moved++
		}
	}
	if to.goal.Set >= len(r.totals) {
		return
	}
	for _, total := range r.totals[:to.goal.Set] {
		r.allowed += total
	}
	r.target = to.goal.Amount.Of(r.totals[to.goal.Set])
	r.allowed += r.target
}

func (r *shot) batch(to aim) rule.Batch {
	if to.goal.Set >= len(r.totals) {
		return rule.Batch{}
	}
	set := to.goal.Sets[to.goal.Set]
	b := rule.Batch{
		Number: int64(to.goal.Number), NodeSet: set.Name,
		Target: int64(r.target), Total: int64(r.totals[to.goal.Set]),
	}
	if b.NodeSet == "" {
		b.NodeSet = set.String()
	}
	for _, at := range r.slots {
		if at.set == to.goal.Set && at.pod != nil && at.pod.hash == to.revision {
			b.Updated++
			b.UpdatedReady += one(at.pod.ready)
		}
	}
	return b
}

// done reports whether the goal is reached: as many slots as allowed are at the revision, and those of the open set, and
// what joined beside it, are available.
func (r *shot) done(to aim, least time.Duration, now time.Time) bool {
	if r.moved < r.allowed {
		return false
	}
	available := 0
	for _, at := range r.slots {
		if at.set < to.goal.Set || at.pod == nil || at.pod.hash != to.revision {
			continue
		}
		if to.created && at.set != to.goal.Set {
			continue // no pod beside the open set came in place of one of it
		}
		if in, ready := at.pod.availableIn(least, now); ready && in == 0 {
			available++
		}
	}
	return available >= r.target
}
