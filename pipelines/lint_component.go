package pipelines

import (
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

func (l *linter) component(c *Component, at spot) {
	spec := at.at("spec")
	if c.Spec.Pipeline != "" {
		l.refer(spec.at("pipeline"), KindPipeline, c.Spec.Pipeline)
	}
	l.template(c, spec)
	l.images(c, spec)
	l.config(&c.Spec.Config, spec.at("config"))
	l.indicators(c.Spec.Indicators, spec.at("indicators"))
	order := spec.at("workloadOrder")
	l.unique("workload", c.Spec.WorkloadOrder, func(i int) spot { return order.at(i) })

	if c.Spec.Risk == "" {
		c.Spec.Risk = Medium
	}
	if c.Spec.Namespace == "" {
		c.Spec.Namespace = c.Metadata.Name
	}
	if c.Spec.Rollback == "" {
		c.Spec.Rollback = RollbackAuto
	}
	if c.Spec.Drift == "" {
		c.Spec.Drift = DriftRefuse
	}
}

func (l *linter) template(c *Component, spec spot) {
	if !spec.has("template") {
		return // said to be missing by the decoder
	}
	at := spec.at("template")
	if at.flawed() {
		return
	}
	t := c.Spec.Template
	switch {
	case t.Chart != "" && t.Manifests != "":
		l.report.addAt(at.key("manifests"), "a template is a chart or manifests, not both")
	case t.Probes != "" && t.Chart+t.Manifests != "":
		l.report.addAt(at.key("probes"), "a template is a chart, manifests or probes, one of them")
	case t.Probes != "":
		l.folder(c, at.at("probes"), t.Probes, false)
	case t.Chart != "":
		l.folder(c, at.at("chart"), t.Chart, true)
	case t.Manifests != "":
		l.folder(c, at.at("manifests"), t.Manifests, false)
	default:
		l.report.addAt(at, "a template needs chart, manifests or probes")
	}
}

func (l *linter) folder(c *Component, at spot, path string, chart bool) {
	if c.Dir == "" {
		return
	}
	full := filepath.Join(c.Dir, path)
	if l.root != "" && !within(l.root, full) {
		l.report.addAt(at, "cannot find folder %s: it is outside of what was given", path)
		return
	}
	info, err := os.Stat(full)
	if err != nil {
		l.report.addAt(at, "cannot find folder %s: %v", path, cause(err))
		return
	}
	if !info.IsDir() {
		l.report.addAt(at, "%s is no folder", path)
		return
	}
	if !chart {
		return
	}
	if _, err := os.Stat(filepath.Join(full, chartFile)); err != nil {
		l.report.addAt(at, "%s is no Helm chart: it has no %s", path, chartFile)
	}
}

// within reports whether a path is below a folder.
func within(root, path string) bool {
	inside, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(inside)
}

// config checks the names of the layers: a layer under a misspelt name would be left out in silence.
func (l *linter) config(c *Config, at spot) {
	for name := range c.Environments {
		l.environment(at.at("environments").key(name), name)
	}
	for name := range c.ClusterGroups {
		l.referIfAny(at.at("clusterGroups").key(name), KindClusterGroup, name)
	}
	for name := range c.Clusters {
		l.referIfAny(at.at("clusters").key(name), KindCluster, name)
	}
	if len(c.NetworkDomains) == 0 || len(l.all.ClusterGroups) == 0 {
		return
	}
	domains := map[string]bool{}
	for _, g := range l.all.ClusterGroups {
		domains[g.Spec.NetworkDomain] = true
	}
	for name := range c.NetworkDomains {
		if !domains[name] {
			l.report.addAt(at.at("networkDomains").key(name), "no ClusterGroup is in network domain %s%s", name,
				rule.Suggest(name, slices.Sorted(maps.Keys(domains))))
		}
	}
}
