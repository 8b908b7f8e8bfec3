package plan

import (
	"cmp"
	"container/heap"
	"fmt"
	"math"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// orderStage splits the members of a stage into groups and puts both in order: what is waited for first, then what the
// stage lists, then the lower risk (of a group: the mean of its units), then the name.
func orderStage(s *StagePlan, members []*member) error {
	listed := map[string]int{}
	for i, name := range s.Rules.Order.Units {
		if _, twice := listed[name]; !twice {
			listed[name] = i
		}
	}
	s.Notes = append(s.Notes, strayNotes(s.Rules.Order.Units, members)...)
	parts := partition(s.Rules.GroupBy, members)
	order, err := orderNodes(groupNodes(parts, listed, s.Rules.Order.By))
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot order the groups by %s", s.Rules.GroupBy)
	}
	for _, at := range order {
		g, err := orderGroup(s.Rules, parts[at], listed)
		if err != nil {
			return err
		}
		if g.Name == NoValue {
			s.Notes = append(s.Notes, fmt.Sprintf("what has no value for %s goes as a group of its own: %s",
				s.Rules.GroupBy, count(len(g.Units), "cluster")))
		}
		s.Groups = append(s.Groups, g)
	}
	return nil
}

// strayNotes names what an explicit order lists and the stage does not take.
func strayNotes(listed []string, members []*member) []string {
	here := map[string]bool{}
	for _, m := range members {
		here[m.Cluster] = true
	}
	var stray []string
	for _, name := range listed {
		if !here[name] {
			stray = append(stray, name)
		}
	}
	if len(stray) == 0 {
		return nil
	}
	return []string{"the order lists " + names(stray) + ", which this stage does not take"}
}

// part is the members of a stage with the same value of groupBy.
type part struct {
	name    string
	members []*member
}

func partition(groupBy string, members []*member) []part {
	if groupBy == "" {
		return []part{{members: members}}
	}
	byValue := map[string][]*member{}
	for _, m := range members {
		byValue[m.value(groupBy)] = append(byValue[m.value(groupBy)], m)
	}
	parts := make([]part, 0, len(byValue))
	for _, name := range sortedKeys(byValue) {
		parts = append(parts, part{name, byValue[name]})
	}
	return parts
}

func orderGroup(rules StageRules, p part, listed map[string]int) (Group, error) {
	order, err := orderNodes(unitNodes(p.members, listed, rules.Order.By))
	if err != nil {
		return Group{}, fault.Wrap(fault.Invalid, err, "cannot order the clusters")
	}
	g := Group{
		Name:           p.name,
		FirstAlone:     rules.GroupBy != "",
		MaxConcurrency: max(rules.MaxConcurrency.Of(len(p.members)), 1),
		Units:          make([]Unit, 0, len(p.members)),
	}
	for _, at := range order {
		if at < len(p.members) {
			g.Units = append(g.Units, p.members[at].unit())
		}
	}
	return g, nil
}

// node is something to be put in order: a unit, a group of units, or the point at which all units of a cluster group have
// had their turn. Before lists the nodes that come first, by index.
type node struct {
	name   string
	listed int // place in the explicit list, unlisted or atOnce
	sum, n int // hundredths of a point and over how many units; 0 of 1 where risk does not count
	before []int
}

// Places outside the explicit list: what is not in it goes last, a point takes no turn and goes at once.
const (
	unlisted = math.MaxInt
	atOnce   = -1
)

func unitNodes(members []*member, listed map[string]int, by string) []node {
	nodes := make([]node, len(members), len(members)+4)
	at := map[string]int{}
	groups := map[string][]int{}
	for i, m := range members {
		nodes[i] = node{name: m.Cluster, listed: placeIn(listed, m.Cluster), sum: riskOf(m, by), n: 1}
		at[m.Cluster] = i
		groups[m.Group] = append(groups[m.Group], i)
	}
	points := map[string]int{}
	for i, m := range members {
		for _, name := range m.after {
			if j, here := at[name]; here {
				nodes[i].before = append(nodes[i].before, j)
			}
		}
		for _, name := range m.behind {
			if len(groups[name]) == 0 {
				continue
			}
			if _, made := points[name]; !made {
				points[name] = len(nodes)
				nodes = append(nodes, node{name: "cluster group " + name, listed: atOnce, n: 1, before: groups[name]})
			}
			nodes[i].before = append(nodes[i].before, points[name])
		}
	}
	return nodes
}

func groupNodes(parts []part, listed map[string]int, by string) []node {
	nodes := make([]node, len(parts))
	home := map[string]int{}    // cluster -> part
	homes := map[string][]int{} // cluster group -> parts, rising
	for i, p := range parts {
		nodes[i] = node{name: p.name, listed: unlisted}
		for _, m := range p.members {
			nodes[i].listed = min(nodes[i].listed, placeIn(listed, m.Cluster))
			nodes[i].sum += riskOf(m, by)
			nodes[i].n++
			home[m.Cluster] = i
			if at := homes[m.Group]; len(at) == 0 || at[len(at)-1] != i {
				homes[m.Group] = append(at, i)
			}
		}
	}
	for i, p := range parts {
		before := map[int]bool{}
		for _, m := range p.members {
			for _, name := range m.after {
				if j, here := home[name]; here {
					before[j] = true
				}
			}
			for _, name := range m.behind {
				for _, j := range homes[name] {
					before[j] = true
				}
			}
		}
		for j := range parts {
			if j != i && before[j] {
				nodes[i].before = append(nodes[i].before, j)
			}
		}
	}
	return nodes
}

func placeIn(listed map[string]int, name string) int {
	if at, ok := listed[name]; ok {
		return at
	}
	return unlisted
}

func riskOf(m *member, by string) int {
	if by == pipelines.OrderByName {
		return 0
	}
	return m.score
}

// orderNodes returns the indices of nodes in topological order, ties broken by list, risk and name. An error names a cycle.
func orderNodes(nodes []node) ([]int, error) {
	waiting := make([]int, len(nodes))
	next := make([][]int, len(nodes))
	for i := range nodes {
		waiting[i] = len(nodes[i].before)
		for _, j := range nodes[i].before {
			next[j] = append(next[j], i)
		}
	}
	ready := &queue{nodes: nodes}
	for i := range nodes {
		if waiting[i] == 0 {
			ready.ready = append(ready.ready, i)
		}
	}
	heap.Init(ready)
	order := make([]int, 0, len(nodes))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		order = append(order, i)
		for _, j := range next[i] {
			if waiting[j]--; waiting[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	if len(order) < len(nodes) {
		return nil, cycleOf(nodes, waiting)
	}
	return order, nil
}

// cycleOf follows what is left of the graph from its first node until it comes back to a node it has seen.
func cycleOf(nodes []node, waiting []int) error {
	at := slices.IndexFunc(waiting, func(n int) bool { return n > 0 })
	var path []string
	seen := map[int]int{}
	for {
		if from, again := seen[at]; again {
			return fault.New(fault.Invalid, "%s goes after itself", strings.Join(append(path[from:], nodes[at].name), " goes after "))
		}
		seen[at] = len(path)
		path = append(path, nodes[at].name)
		at = nodes[at].before[slices.IndexFunc(nodes[at].before, func(j int) bool { return waiting[j] > 0 })]
	}
}

// queue holds the nodes that wait for nothing any more, the one that goes next first.
type queue struct {
	nodes []node
	ready []int
}

func (q *queue) Len() int      { return len(q.ready) }
func (q *queue) Swap(i, j int) { q.ready[i], q.ready[j] = q.ready[j], q.ready[i] }
func (q *queue) Push(x any)    { q.ready = append(q.ready, x.(int)) }

func (q *queue) Pop() any {
	last := q.ready[len(q.ready)-1]
	q.ready = q.ready[:len(q.ready)-1]
	return last
}

// Less compares means without dividing, so exactly.
func (q *queue) Less(i, j int) bool {
	a, b := &q.nodes[q.ready[i]], &q.nodes[q.ready[j]]
	return cmp.Or(cmp.Compare(a.listed, b.listed), cmp.Compare(a.sum*b.n, b.sum*a.n), cmp.Compare(a.name, b.name)) < 0
}
