package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// Findings are what is wrong with documents, and what could not be judged.
type Findings struct {
	Errors   pipelines.Diagnostics
	Warnings pipelines.Diagnostics
}

// Lint judges the pipelines of documents by the policies among them, before any cluster is asked: each for every version of a component
// that names it, or, where none does, for one that no policy knows by name. One of the library is judged where a component names it, and
// what is wrong is said there.
func Lint(docs *pipelines.Documents) Findings {
	var found Findings
	if len(docs.Policies) == 0 {
		return found
	}
	var policies []*pipelines.Policy
	for _, name := range slices.Sorted(maps.Keys(docs.Policies)) {
		policies = append(policies, docs.Policies[name])
	}
	if len(docs.Clusters) == 0 {
		found.Warnings = append(found.Warnings, pipelines.Diagnostic{
			Position: policies[0].Position, Message: "no pipeline is judged by the policies: there is no cluster among the documents",
		})
		return found
	}
	for _, name := range slices.Sorted(maps.Keys(docs.Pipelines)) {
		p := docs.Pipelines[name]
		ours := slices.Contains(docs.Files, p.Position.File)
		for _, c := range subjects(docs, name, ours) {
			place := func(b Broken) pipelines.Position { return placeOf(p, b) }
			if !ours {
				place = func(Broken) pipelines.Position { return c.Position }
			}
			drafted, err := draft(docs, p, c)
			if err != nil {
				found.Warnings = append(found.Warnings, pipelines.Diagnostic{
					Position: p.Position, Message: fmt.Sprintf("the pipeline is not judged by the policies: %v", err),
				})
				continue
			}
			for _, b := range Judge(Case{Plan: drafted, Draft: true}, policies) {
				found.Errors = append(found.Errors, pipelines.Diagnostic{Position: place(b), Message: b.String()})
			}
		}
	}
	found.Errors, found.Warnings = slices.Compact(found.Errors.Sorted()), slices.Compact(found.Warnings.Sorted())
	return found
}

// subjects are what a pipeline is judged for. One of nobody is for one of ours alone.
func subjects(docs *pipelines.Documents, pipeline string, ours bool) []*pipelines.Component {
	var all []*pipelines.Component
	for _, name := range slices.Sorted(maps.Keys(docs.Components)) {
		for _, version := range docs.Components[name] {
			if version.Spec.Pipeline == pipeline {
				all = append(all, version)
			}
		}
	}
	if len(all) == 0 && ours {
		all = append(all, &pipelines.Component{})
	}
	return all
}

// draft is the plan of a pipeline before anything of the component is looked at.
func draft(docs *pipelines.Documents, p *pipelines.Pipeline, c *pipelines.Component) (*plan.Plan, error) {
	params, err := pipelines.BindParams(p, some(p))
	if err != nil {
		return nil, err
	}
	return plan.Build(plan.Input{
		Documents: docs, Pipeline: p, Component: c, Params: params, Template: "none",
		Values: func(pipelines.Place) (string, error) { return "none", nil },
	})
}

// some gives the params that have no default a value: no policy reads it.
func some(p *pipelines.Pipeline) map[string]string {
	given := map[string]string{}
	for _, param := range p.Spec.Params {
		if param.Default != nil {
			continue
		}
		switch param.Type {
		case pipelines.TypeInt, pipelines.TypeDouble:
			given[param.Name] = "1"
		case pipelines.TypeBool:
			given[param.Name] = "true"
		case pipelines.TypeDuration:
			given[param.Name] = "1m"
		case pipelines.TypeObject:
			var keys []string
			for _, key := range slices.Sorted(maps.Keys(param.Properties)) {
				keys = append(keys, key+"=some")
			}
			given[param.Name] = strings.Join(keys, ",")
		default:
			given[param.Name] = "some"
		}
	}
	return given
}

// placeOf is where a pipeline says what a policy is broken by: its stage, or the pipeline.
func placeOf(p *pipelines.Pipeline, b Broken) pipelines.Position {
	if s := p.Stage(b.Stage); s != nil {
		return s.Position
	}
	return p.Position
}
