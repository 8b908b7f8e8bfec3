package scenario

import (
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// planned is the plan of the scenario's pipeline on its fleet. Everything runs a version before.
func (s *Scenario) planned(library []pipelines.Source) (*plan.Plan, error) {
	docs, err := pipelines.Loader{Library: library}.Parse(s.sources...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot load the documents of %s", s.Name)
	}
	if n := len(docs.Clusters); n > MaxClusters {
		return nil, fault.New(fault.Invalid, "%s has %d clusters, at most %d are played", s.Name, n, MaxClusters)
	}
	p, err := s.pipelineOf(docs, library)
	if err != nil {
		return nil, err
	}
	in := plan.Input{Documents: docs, Pipeline: p, Template: "sha256:template", WayBack: map[string]plan.WayBack{}}
	in.Component = &pipelines.Component{Spec: pipelines.ComponentSpec{Version: s.script.version, Rollback: s.script.rollback}}
	in.Component.Metadata.Name = s.script.subject
	in.Values = func(pipelines.Place) (string, error) { return "sha256:values", nil }
	for name := range docs.Clusters {
		in.WayBack[name] = plan.WayBack{Version: "before", Objects: "sha256:objects", Target: "sha256:target"}
	}
	if in.Params, err = pipelines.BindParams(p, s.script.params); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot play scenario %s", s.Name)
	}
	out, err := plan.Build(in)
	if err != nil {
		return nil, fault.Wrap(fault.CodeOf(err), err, "cannot plan %s", s.Name)
	}
	return out, s.known(docs, out)
}

// pipelineOf is the pipeline that is played: the one that is named, or the only one that is not of the library.
func (s *Scenario) pipelineOf(docs *pipelines.Documents, library []pipelines.Source) (*pipelines.Pipeline, error) {
	others, err := pipelines.Parse(library...)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(docs.Pipelines)), func(name string) bool { return others.Pipelines[name] != nil })
	name := s.script.pipeline
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if p := docs.Pipelines[name]; p != nil {
		return p, nil
	}
	if name == "" && len(names) > 0 {
		return nil, fault.New(
			fault.Invalid, "%s has the pipelines %s: choose with a line pipeline NAME of its script", s.Name, strings.Join(names, ", "),
		)
	}
	return nil, fault.New(fault.Invalid, "%s has no pipeline %s: there are %s", s.Name, name, strings.Join(names, ", "))
}

// known finds names of the script that nothing has: a scenario that speaks of a check which is not there would prove nothing.
func (s *Scenario) known(docs *pipelines.Documents, p *plan.Plan) error {
	checks, tasks := map[string]bool{}, map[string]bool{}
	for _, c := range p.Checks {
		checks[c.Name] = true
	}
	clusters := map[string]bool{}
	for i := range p.Stages {
		for _, c := range p.Stages[i].Rules.Checks {
			checks[c.Name] = true
		}
	}
	for _, u := range p.AllUnits() {
		clusters[u.Cluster] = true
	}
	if p.Tasks != nil {
		for _, t := range slices.Concat(p.Tasks.First, p.Tasks.Finally) {
			tasks[t.Name] = true
		}
	}
	var wrong pipelines.Diagnostics
	is := func(at pipelines.Position, noun, name string, among map[string]bool) {
		if !among[name] {
			wrong = append(wrong, diagnose(at, "there is no %s %s: there are %s", noun, name, strings.Join(slices.Sorted(maps.Keys(among)), ", ")))
		}
	}
	if d := s.script.drill; d != nil {
		for _, name := range d.Checks {
			is(d.at, "check", name, checks)
		}
	}
	for _, st := range s.script.states {
		if st.cluster != "" {
			is(st.at, "cluster", st.cluster, clusters)
		}
		switch st.kind {
		case aCheck:
			is(st.at, "check", st.name, checks)
		case aTask:
			is(st.at, "task", st.name, tasks)
		}
	}
	for _, c := range s.script.commands {
		for _, name := range c.scope.Clusters {
			is(c.at, "cluster", name, clusters)
		}
	}
	for name := range s.script.takes {
		if name != "" {
			is(pipelines.Position{File: s.Name, Line: 1, Column: 1}, "cluster", name, clusters)
		}
	}
	for name := range s.script.pods {
		is(pipelines.Position{File: s.Name, Line: 1, Column: 1}, "cluster", name, clusters)
	}
	if len(wrong) > 0 {
		return fault.Wrap(fault.Invalid, wrong.Sorted(), "cannot play scenario %s", s.Name)
	}
	return nil
}
