package plan

import (
	"cmp"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// sight is what was seen in one cluster, with what tells it from others that are like it.
type sight struct {
	*ClusterDiff
	diff   string // as text; "" where nobody asked for it, or nothing changes
	steads steads
}

// still reports whether nothing is to be done in a cluster that was looked at.
func (c *ClusterDiff) still() bool {
	return c.Unreachable == "" && c.Diff == "" && len(c.Workloads) == 0 && len(c.Refusals) == 0
}

// sighted is what is known of the clusters of a plan, in plan order.
type sighted struct {
	reached     []*sight
	unreachable []*sight
	missing     []string
	all         int
}

// look puts what was seen into plan order. Text returns the unified diff of a blob digest; it may be nil.
func look(p *Plan, live *Live, text func(digest string) (string, error)) (sighted, error) {
	byName := make(map[string]*ClusterDiff, len(live.Clusters))
	for i := range live.Clusters {
		byName[live.Clusters[i].Cluster] = &live.Clusters[i]
	}
	var seen sighted
	for _, u := range p.units() {
		seen.all++
		c := byName[u.Cluster]
		if c == nil {
			seen.missing = append(seen.missing, u.Cluster)
			continue
		}
		s := &sight{ClusterDiff: c}
		if text != nil && c.Text != "" {
			var err error
			if s.diff, err = text(c.Text); err != nil {
				return seen, fault.Wrap(fault.CodeOf(err), err, "cannot read the diff of cluster %s", c.Cluster)
			}
		}
		s.steads = steadsOf(u, s.diff)
		if c.Unreachable != "" {
			seen.unreachable = append(seen.unreachable, s)
			continue
		}
		seen.reached = append(seen.reached, s)
	}
	return seen, nil
}

// units are the clusters of a plan, in plan order.
func (p *Plan) units() []*Unit {
	all := make([]*Unit, 0, p.Units())
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			g := &p.Stages[i].Groups[j]
			for k := range g.Units {
				all = append(all, &g.Units[k])
			}
		}
	}
	return all
}

// alike is clusters that have the same text to be printed, or texts that are equal but for values of the place.
type alike struct {
	text     string
	differ   bool // the clusters' texts are not the same
	clusters []string
	own      []string // the names in text of what each cluster has its own value of
	members  []*sight
}

// groupAlike gathers clusters by text, in the order in which the texts first come. Clusters without one are left out.
//
// Equal texts are always one group. Different ones are where every value that differs is one of the place's own: with each
// cluster's values put back, the text of the group is that cluster's text.
func groupAlike(all []*sight, text func(*sight) string) []*alike {
	const alone = "\x00" // begins the key of a bucket that is like no other
	type bucket struct {
		text string
		key  string // the text as every cluster of the bucket writes it
		all  []*sight
	}
	var buckets []*bucket
	at := map[string]*bucket{}
	for _, s := range all {
		t := text(s)
		if t == "" {
			continue
		}
		short := s.steads.in(t)
		if len(s.steads.named(t)) > 0 {
			short = alone + t // it has words of its own that look like a name of ours
		}
		b := at[t]
		if b == nil {
			b = &bucket{text: t, key: short}
			at[t], buckets = b, append(buckets, b)
		}
		if b.key != short {
			b.key = alone + t
		}
		b.all = append(b.all, s)
	}
	var groups []*alike
	byKey := map[string]*alike{}
	for _, b := range buckets {
		g := byKey[b.key]
		if g == nil {
			g = &alike{text: b.text}
			byKey[b.key], groups = g, append(groups, g)
		}
		if g.text != b.text {
			g.text, g.differ = b.key, true
		}
		g.members = append(g.members, b.all...)
	}
	for _, g := range groups {
		g.settle()
	}
	return groups
}

// settle puts the values back that all clusters of a group share.
func (g *alike) settle() {
	shared := g.members[0].steads
	for _, s := range g.members {
		g.clusters = append(g.clusters, s.ClusterDiff.Cluster)
		shared = shared.shared(s.steads)
	}
	if !g.differ {
		return
	}
	for _, name := range g.members[0].steads.named(g.text) {
		if name = shared.out(name); strings.Contains(name, "<") {
			g.own = append(g.own, name)
		}
	}
	// The place's own words first, then the names that follow from them.
	slices.SortFunc(g.own, func(a, b string) int {
		return cmp.Or(strings.Index(a, "<")-strings.Index(b, "<"), strings.Compare(a, b))
	})
	g.text = shared.out(g.text)
}
