package workload

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// slot is a node that has a pod of a DaemonSet or should have one. Pod is nil while there is none that stays.
type slot struct {
	node     string
	set      int
	pod      *pod
	dead     bool // its node died since the unit began
	returned bool // its node was dead when the unit began
}

// mostBehind is how many dead nodes facts name.
const mostBehind = 100

// shot is what was seen of a DaemonSet at one moment.
type shot struct {
	live   *unstructured.Unstructured // nil where it is not there
	least  time.Duration              // for so long a pod is ready before the owner takes it for available
	slots  []slot                     // sorted by node
	totals []int                      // slots of each set
	behind [][]goal.Node              // dead nodes of each set, those that count among them
	reach
	facts rule.Facts
	next  time.Duration // until something may change without an event
}

// shoot reads the views.
func shoot(ctx context.Context, s *session, to aim) (shot, error) {
	live, err := s.looked(ctx)
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
	known := map[string]node{}
	nodes := map[string]*slot{}
	for _, n := range s.around() {
		known[n.name] = n
		if n.dead == "" && place.fits(n) {
			nodes[n.name] = &slot{node: n.name}
		}
	}
	var pods []pod
	for _, p := range s.shown() {
		if live == nil || p.owner != owner.GetUID() || p.node == "" {
			continue
		}
		dead := known[p.node].dead != ""
		leaving := p.deleting || p.ended || s.c.Deleted(p.uid)
		if leaving && !dead {
			continue
		}
		if nodes[p.node] == nil {
			nodes[p.node] = &slot{node: p.node}
		}
		if leaving { // on a dead node it may be so for ever; what comes after it is the batch's all the same
			continue
		}
		p.ready = p.ready && !dead // whoever said so is not there to take it back
		pods = append(pods, p)
		if at := nodes[p.node]; at.pod == nil || p.hash != to.revision {
			at.pod = &p
		}
	}
	result := shot{totals: make([]int, len(sets)), behind: make([][]goal.Node, len(sets))}
	left := map[string]bool{}
	var dead []string
	for name, at := range nodes {
		n := known[name]
		at.dead, at.returned = n.dead != "", slices.Contains(s.spec.Behind, name)
		at.set = setOf(sets, n.labels, name)
		if at.dead && at.set < len(sets) {
			result.behind[at.set] = append(result.behind[at.set], goal.Node{Name: name, Why: n.dead, Since: n.since})
		}
		if at.dead {
			dead = append(dead, name)
		}
		if at.dead && (to.living || s.spec.Living || at.returned) {
			left[name] = true
			continue
		}
		if at.set < len(sets) {
			result.totals[at.set]++
		}
		result.slots = append(result.slots, *at)
	}
	slices.Sort(dead)
	pods = slices.DeleteFunc(pods, func(p pod) bool { return left[p.node] })
	for _, behind := range result.behind {
		slices.SortFunc(behind, func(a, b goal.Node) int { return strings.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(result.slots, func(a, b slot) int { return strings.Compare(a.node, b.node) })
	now := s.clock.Now()
	result.live, result.least = live, time.Duration(number(owner, 0, "spec", "minReadySeconds"))*time.Second
	result.reach = reachOf(result.slots, result.totals, to)
	result.facts.Workload = s.count(live, to.revision, len(result.slots), pods, result.least, now)
	result.facts.Workload.Behind = dead[:min(len(dead), mostBehind)]
	result.facts.Batch = result.batch(to)
	result.next = soonest(pods, result.least, now)
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
