package pipelines

import (
	"net/url"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

func (l *linter) dataSource(s *DataSource, at spot) {
	spec := at.at("spec")
	if s.Spec.Type == "" {
		s.Spec.Type = Prometheus
	}
	l.selector(&s.Spec.ClusterGroups, spec.at("clusterGroups"), "clusterGroups")
	l.selectorNames(&s.Spec.ClusterGroups, spec.at("clusterGroups"), KindClusterGroup)
	l.address(s.Spec.Address, spec.at("address"))
	if spec.has("bearerToken") && spec.has("basicAuth") {
		l.report.addAt(spec.key("basicAuth"), "it asks with one of bearerToken and basicAuth, not both")
	}
	if s.Spec.BearerToken != nil {
		l.secret(*s.Spec.BearerToken, spec.at("bearerToken"))
	}
	if s.Spec.BasicAuth != nil && spec.at("basicAuth").has("password") {
		l.secret(s.Spec.BasicAuth.Password, spec.at("basicAuth", "password"))
	}
	hasSecret := s.Spec.BearerToken != nil || s.Spec.BasicAuth != nil
	if hasSecret && strings.HasPrefix(s.Spec.Address, "http://") {
		l.warnings.addAt(spec.at("address"), "its secret goes over the wire in the clear: use https")
	}
}

func (l *linter) address(address string, at spot) {
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		l.report.addAt(at, "address must be of the form http://HOST:PORT or https://HOST/PATH")
	case u.User != nil:
		l.report.addAt(at, "address has a user in it: name the secret in basicAuth instead")
	case u.RawQuery != "" || u.Fragment != "":
		l.report.addAt(at, "address must end with its path, without ? and #")
	}
}

func (l *linter) secret(s WorkerSecret, at spot) {
	switch {
	case at.flawed():
	case s.Env != "" && s.File != "":
		l.report.addAt(at.key("file"), "a secret comes from one of env and file, not both")
	case s.Env == "" && s.File == "":
		l.report.addAt(at, "it does not say where the secret is: give env or file")
	}
}

// defaults reports data sources that are both the default of the same cluster group.
func (l *linter) defaults() {
	for _, name := range l.known(KindClusterGroup) {
		group := l.all.ClusterGroups[name]
		labels := group.EffectiveLabels()
		first := ""
		for _, n := range l.known(KindDataSource) {
			s := l.all.DataSources[n]
			if !s.Spec.Default || !s.Spec.ClusterGroups.Matches(labels, name) {
				continue
			}
			if first != "" {
				l.report.addAt(l.places[KindDataSource+n].at("spec", "default"),
					"cluster group %s has DataSource %s as its default already: a query that names none would not know which to ask", name, first)
				return // the next group would say the same
			}
			first = n
		}
	}
}

// indicators checks what a component says can be asked of it.
func (l *linter) indicators(i *Indicators, at spot) {
	if i == nil {
		return
	}
	var names []string
	queries := at.at("queries")
	for n, q := range i.Queries {
		names = append(names, q.Name)
		here := queries.at(n)
		l.promql(q.PromQL, here.at("promql"))
		if q.DataSource != "" {
			l.referIfAny(here.at("dataSource"), KindDataSource, q.DataSource)
		}
		for _, found := range namedText.FindAllStringSubmatch(q.PromQL, -1) {
			if why := unknownName(found[1], rule.ScopeCluster, nil); why != "" {
				l.report.addAt(here.at("promql"), "$(%s): %s", found[1], why)
			}
		}
	}
	l.unique("query", names, func(n int) spot { return queries.at(n, "name") })
	l.logPatterns(i.LogPatterns, at.at("logPatterns"))
}
