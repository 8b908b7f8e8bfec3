package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// bindMetrics fills in what steps that ask for metrics ask, and whom, about some cluster groups. A group that no DataSource has is
// fault.Refused: the check could never tell.
func (b *builder) bindMetrics(checks []pipelines.ResolvedCheck, groups []string) error {
	for i := range checks {
		for j := range checks[i].Steps {
			step := &checks[i].Steps[j]
			if step.Metrics == nil {
				continue
			}
			if err := b.bindStep(&checks[i], step, groups); err != nil {
				return fault.Wrap(fault.CodeOf(err), err, "cannot bind check %s", step.Name)
			}
		}
	}
	return nil
}

func (b *builder) bindStep(c *pipelines.ResolvedCheck, step *pipelines.ResolvedStep, groups []string) error {
	m := *step.Metrics // the document's own stays as it is
	step.Metrics = &m
	if m.Query != "" {
		q, err := b.indicator(m.Query)
		if err != nil {
			return err
		}
		m.PromQL = q.PromQL
		if m.DataSource == "" {
			m.DataSource = q.DataSource
		}
	}
	if err := readable(c, step); err != nil {
		return err
	}
	bound := map[string][]string{}
	for _, group := range slices.Sorted(slices.Values(groups)) {
		s, err := b.in.Documents.DataSourceOf(b.in.Documents.ClusterGroups[group], m.DataSource)
		if err != nil {
			return fault.New(fault.Refused, "%v", err)
		}
		bound[s.Metadata.Name] = append(bound[s.Metadata.Name], group)
	}
	names := slices.Sorted(maps.Keys(bound))
	if at := slices.IndexFunc(c.At, wide); len(names) > 1 && (at >= 0 || len(c.At) == 0) {
		where := "a task of the run"
		if at >= 0 {
			where = string(c.At[at])
		}
		return fault.New(fault.Refused, "%s is about clusters of several DataSources (%s): one question cannot ask them all",
			where, strings.Join(names, ", "))
	}
	step.DataSources = nil
	for _, name := range names {
		step.DataSources = append(step.DataSources, pipelines.BoundDataSource{
			Name: name, Endpoint: b.in.Documents.DataSources[name].Spec.Endpoint, ClusterGroups: bound[name],
		})
	}
	return nil
}

// bindTasks does the same for the tasks of the run: about the cluster that a task names, else about all that the plan moves.
func (b *builder) bindTasks(p *Plan) error {
	if !p.Tasks.Any() {
		return nil
	}
	for _, list := range [][]Task{p.Tasks.First, p.Tasks.Finally} {
		for i := range list {
			groups := groupsOf(p)
			if at := p.Tasks.Place(list[i].Cluster); at != nil {
				groups = []string{at.Unit.Group}
			}
			checks := []pipelines.ResolvedCheck{list[i].Check}
			if err := b.bindMetrics(checks, groups); err != nil {
				return err
			}
			list[i].Check = checks[0]
		}
	}
	return nil
}

// groupsOf are the cluster groups that a plan moves, each once.
func groupsOf(p *Plan) []string {
	found := map[string]bool{}
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			for k := range p.Stages[i].Groups[j].Units {
				found[p.Stages[i].Groups[j].Units[k].Group] = true
			}
		}
	}
	return sortedKeys(found)
}

// wide reports whether a point is about more than one cluster.
func wide(p pipelines.Point) bool { return pipelines.ScopeOf(p) == rule.ScopeStage }

// indicator is a query of the component that is planned.
func (b *builder) indicator(name string) (pipelines.IndicatorQuery, error) {
	indicators := b.in.Component.Spec.Indicators
	if q, ok := indicators.Query(name); ok {
		return q, nil
	}
	var has []string
	if indicators != nil {
		for _, q := range indicators.Queries {
			has = append(has, q.Name)
		}
	}
	hint := rule.Suggest(name, has)
	if len(has) == 0 {
		hint = ": it has none"
	}
	return pipelines.IndicatorQuery{}, fault.New(fault.Invalid, "component %s has no indicator %s%s", b.in.Component.Metadata.Name, name, hint)
}

// readable refuses a query of an indicator that names what is not known where the check runs: Tasks are checked by themselves, and do
// not know it.
func readable(c *pipelines.ResolvedCheck, step *pipelines.ResolvedStep) error {
	if step.Metrics.Query == "" {
		return nil
	}
	for _, name := range step.References() {
		for _, at := range c.At {
			if why := rule.Unreadable(pipelines.ScopeOf(at), name); why != "" {
				return fault.New(fault.Invalid, "indicator %s names $(%s), and runs %s: %s", step.Metrics.Query, name, at, why)
			}
		}
	}
	return nil
}

// asked says which data sources the checks of a plan ask, about whom.
func asked(p *Plan) []string {
	about := map[string][]string{} // by "name at address"
	checks := slices.Clone(p.Checks)
	if p.Tasks.Any() {
		for _, t := range slices.Concat(p.Tasks.First, p.Tasks.Finally) {
			checks = append(checks, t.Check)
		}
	}
	for i := range p.Stages {
		checks = append(checks, p.Stages[i].Rules.Checks...)
	}
	for _, c := range checks {
		for _, s := range c.Steps {
			for _, d := range s.DataSources {
				key := fmt.Sprintf("DataSource %s at %s", d.Name, d.Address)
				if d.Tenant != "" {
					key += " (tenant " + d.Tenant + ")"
				}
				about[key] = append(about[key], d.ClusterGroups...)
			}
		}
	}
	var notes []string
	for _, key := range sortedKeys(about) {
		groups := slices.Compact(slices.Sorted(slices.Values(about[key])))
		notes = append(notes, fmt.Sprintf("checks ask %s about %s", key, names(groups)))
	}
	return notes
}
