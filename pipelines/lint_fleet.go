package pipelines

import (
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// fleet sets the fleet that all else is checked against: the built-in one for what no file says.
func (l *linter) fleet(doc *document) {
	builtin := DefaultFleet()
	if doc == nil {
		l.all.Fleet = builtin
		return
	}
	fleet := l.all.Fleet
	environments := doc.spot().at("spec", "environments")
	l.unique("environment", fleet.Spec.Environments, func(i int) spot { return environments.at(i) })
	domains := doc.spot().at("spec", "failureDomains")
	l.unique("failure domain", fleet.Spec.FailureDomains, func(i int) spot { return domains.at(i) })
	if len(fleet.Spec.Environments) == 0 {
		fleet.Spec.Environments = builtin.Spec.Environments
	}
	weights := builtin.Spec.Risk.Weights
	maps.Copy(weights, fleet.Spec.Risk.Weights)
	fleet.Spec.Risk.Weights = weights
}

func (l *linter) environment(at spot, name string) {
	known := l.all.Fleet.Spec.Environments
	if name == "" || slices.Contains(known, name) {
		return
	}
	l.report.addAt(at, "the fleet has no environment %s, only %s%s", name, strings.Join(known, ", "), rule.Suggest(name, known))
}

func (l *linter) group(g *ClusterGroup, at spot) {
	l.labels(at)
	spec := at.at("spec")
	l.environment(spec.at("environment"), g.Spec.Environment)
	l.after(spec, KindClusterGroup, g.Spec.After)
}

// checksSite ends the names of the queues of checks, which stand beside those of sites.
const checksSite = "checks"

func (l *linter) cluster(c *Cluster, at spot) {
	l.labels(at)
	spec := at.at("spec")
	l.refer(spec.at("group"), KindClusterGroup, c.Spec.Group)
	if c.Spec.Site == checksSite || strings.HasSuffix(c.Spec.Site, "-"+checksSite) {
		l.report.addAt(spec.at("site"), "no site can be called %s: its tasks would be where the checks of another site are measured", c.Spec.Site)
	}
	l.after(spec, KindCluster, c.Spec.After)
	c.Spec.Role = c.role()
	if c.Spec.Context == "" {
		c.Spec.Context = c.Metadata.Name
	}
}

// after checks that the units that go first are there. Cycles are for order to find.
func (l *linter) after(spec spot, kind string, names []string) {
	if len(names) == 0 {
		return
	}
	at := spec.at("after")
	for i, name := range names {
		l.refer(at.at(i), kind, name)
	}
	l.unique("after", names, func(i int) spot { return at.at(i) })
}

// labels reports labels that Sluice makes itself: which of the two a selector meant, nobody could tell.
func (l *linter) labels(at spot) {
	labels := at.at("metadata")
	if labels.child("labels") == nil {
		return
	}
	labels = labels.at("labels")
	for _, reserved := range reservedLabels() {
		if labels.child(reserved) != nil {
			l.report.addAt(labels.key(reserved), "label %s is made by Sluice from the spec: it cannot be set", reserved)
		}
	}
}

// order reports units that wait for each other: groups, clusters, and groups and clusters together.
func (l *linter) order() {
	groups := func(name string) []string { return l.all.ClusterGroups[name].Spec.After }
	clusters := func(name string) []string { return l.all.Clusters[name].Spec.After }
	groupCycles := cycles(l.known(KindClusterGroup), groups)
	clusterCycles := cycles(l.known(KindCluster), clusters)
	l.circle(KindClusterGroup, groupCycles)
	l.circle(KindCluster, clusterCycles)
	if len(groupCycles)+len(clusterCycles) == 0 {
		l.deadlock()
	}
}

func (l *linter) circle(kind string, found [][]string) {
	for _, cycle := range found {
		at := l.places[kind+cycle[0]].at("spec", "after").item(cycle[1])
		l.report.addAt(at, "%ss wait for each other: %s", kind, strings.Join(cycle, " -> "))
	}
}

// deadlock finds a cluster that waits for one of another group, which waits for the first one's group. A group is two
// nodes: its begin, for which its clusters wait, and its end, which waits for its clusters.
func (l *linter) deadlock() {
	const (
		begin = "<"
		end   = ">"
	)
	members := map[string][]string{}
	nodes := make([]string, 0, len(l.all.Clusters)+2*len(l.all.ClusterGroups))
	crossing := false
	for _, name := range l.known(KindCluster) {
		c := l.all.Clusters[name]
		nodes = append(nodes, name)
		members[c.Spec.Group] = append(members[c.Spec.Group], name)
		crossing = crossing || len(c.Spec.After) > 0
	}
	if !crossing {
		return
	}
	for _, name := range l.known(KindClusterGroup) {
		nodes = append(nodes, begin+name, end+name)
	}
	found := cycles(nodes, func(n string) []string {
		if group, ok := strings.CutPrefix(n, begin); ok {
			var after []string
			for _, other := range l.all.ClusterGroups[group].Spec.After {
				after = append(after, end+other)
			}
			return after
		}
		if group, ok := strings.CutPrefix(n, end); ok {
			return members[group]
		}
		c := l.all.Clusters[n]
		return append(slices.Clone(c.Spec.After), begin+c.Spec.Group)
	})
	for _, cycle := range found {
		l.report.addAt(l.waiting(cycle), "clusters and groups wait for each other: %s", strings.Join(words(cycle, begin, end), " -> "))
	}
}

// waiting is the place of the first "after" of a cluster in the cycle.
func (l *linter) waiting(cycle []string) spot {
	for i, name := range cycle[:len(cycle)-1] {
		if c, ok := l.all.Clusters[name]; ok && slices.Contains(c.Spec.After, cycle[i+1]) {
			return l.places[KindCluster+name].at("spec", "after").item(cycle[i+1])
		}
	}
	return l.places[KindClusterGroup+strings.Trim(cycle[0], "<>")].at("spec")
}

// words prints the nodes of a cycle, a group once where its end and begin follow each other.
func words(cycle []string, begin, end string) []string {
	var printed []string
	for _, n := range cycle {
		word := "cluster " + n
		if group := strings.TrimPrefix(strings.TrimPrefix(n, begin), end); group != n {
			word = "group " + group
		}
		if len(printed) == 0 || printed[len(printed)-1] != word {
			printed = append(printed, word)
		}
	}
	return printed
}
