package daemonset

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/internal/workload/podtemplate"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// slot is a node that has a pod of a DaemonSet or should have one. Pod is nil while there is none that stays.
type slot struct {
	node     string
	set      int
	pod      *kit.Pod
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
func shoot(ctx context.Context, s *kit.Session, to kit.Aim) (shot, error) {
	live, err := s.Looked(ctx)
	if err != nil {
		return shot{}, err
	}
	sets := to.Goal.Sets
	template := podtemplate.Of(s.Spec.Target)
	owner := s.Spec.Target
	if live != nil {
		owner = live
		if to.Template != "" || to.Revision != "" {
			template = podtemplate.Of(live)
		}
	}
	place, err := newPlacement(template)
	if err != nil {
		return shot{}, err
	}
	known := map[string]kit.Node{}
	nodes := map[string]*slot{}
	for _, n := range s.Nodes() {
		known[n.Name] = n
		if n.Dead == "" && place.fits(n) {
			nodes[n.Name] = &slot{node: n.Name}
		}
	}
	var pods []kit.Pod
	for _, p := range s.Pods() {
		if live == nil || p.Owner != owner.GetUID() || p.Node == "" {
			continue
		}
		dead := known[p.Node].Dead != ""
		leaving := p.Deleting || p.Ended || s.Cluster.Deleted(p.UID)
		if leaving && !dead {
			continue
		}
		if nodes[p.Node] == nil {
			nodes[p.Node] = &slot{node: p.Node}
		}
		if leaving { // on a dead node it may be so for ever; what comes after it is the batch's all the same
			continue
		}
		p.Ready = p.Ready && !dead // whoever said so is not there to take it back
		pods = append(pods, p)
		if at := nodes[p.Node]; at.pod == nil || p.Hash != to.Revision {
			at.pod = &p
		}
	}
	result := shot{totals: make([]int, len(sets)), behind: make([][]goal.Node, len(sets))}
	left := map[string]bool{}
	var dead []string
	for name, at := range nodes {
		n := known[name]
		at.dead, at.returned = n.Dead != "", slices.Contains(s.Spec.Behind, name)
		at.set = setOf(sets, n.Labels, name)
		if at.dead && at.set < len(sets) {
			result.behind[at.set] = append(result.behind[at.set], goal.Node{Name: name, Why: n.Dead, Since: n.Since})
		}
		if at.dead {
			dead = append(dead, name)
		}
		if at.dead && (to.Living || s.Spec.Living || at.returned) {
			left[name] = true
			continue
		}
		if at.set < len(sets) {
			result.totals[at.set]++
		}
		result.slots = append(result.slots, *at)
	}
	slices.Sort(dead)
	pods = slices.DeleteFunc(pods, func(p kit.Pod) bool { return left[p.Node] })
	for _, behind := range result.behind {
		slices.SortFunc(behind, func(a, b goal.Node) int { return strings.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(result.slots, func(a, b slot) int { return strings.Compare(a.node, b.node) })
	now := s.Clock.Now()
	result.live, result.least = live, time.Duration(field.Number(owner, 0, "spec", "minReadySeconds"))*time.Second
	result.reach = reachOf(result.slots, result.totals, to)
	result.facts.Workload = s.Count(live, to.Revision, len(result.slots), pods, result.least, now)
	result.facts.Workload.Behind = dead[:min(len(dead), mostBehind)]
	result.facts.Batch = result.batch(to)
	result.next = kit.Soonest(pods, result.least, now)
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
