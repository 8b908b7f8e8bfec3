package rights

import (
	"maps"
	"slices"

	"sluice.dev/sluice/pipelines"
)

// StepsOf are the steps that documents have measured: those of their pipelines and of the ones that their components name, wherever
// these are, and of tasks that the files have.
func StepsOf(docs *pipelines.Documents) (all []pipelines.StepKinds) {
	own := func(at pipelines.Position) bool { return slices.Contains(docs.Files, at.File) }
	tasks, used := map[string]bool{}, map[string]bool{}
	for name, t := range docs.Tasks {
		tasks[name] = own(t.Position)
	}
	for name, p := range docs.Pipelines {
		used[name] = own(p.Position)
	}
	for _, versions := range docs.Components {
		for _, c := range versions {
			used[c.Spec.Pipeline] = true
		}
	}
	add := func(spec *pipelines.TaskSpec, ref *pipelines.TaskRef) {
		if ref != nil {
			tasks[ref.Name] = true
		}
		all = append(all, stepsOf(spec)...)
	}
	for _, name := range slices.Sorted(maps.Keys(docs.Pipelines)) {
		if used[name] {
			eachSpec(&docs.Pipelines[name].Spec, add)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(docs.Tasks)) {
		if tasks[name] {
			all = append(all, stepsOf(&docs.Tasks[name].Spec)...)
		}
	}
	return all
}

func stepsOf(spec *pipelines.TaskSpec) (all []pipelines.StepKinds) {
	if spec == nil {
		return nil
	}
	for _, s := range spec.Steps {
		all = append(all, s.StepKinds)
	}
	return all
}

// eachSpec visits what a pipeline has done: by a task's name, or written in its place.
func eachSpec(p *pipelines.PipelineSpec, visit func(spec *pipelines.TaskSpec, ref *pipelines.TaskRef)) {
	checks := slices.Clone(p.Defaults.Checks)
	for _, stage := range p.Stages {
		checks = append(checks, stage.Checks...)
	}
	for _, c := range checks {
		visit(c.TaskSpec, c.TaskRef)
	}
	for _, t := range slices.Concat(p.Tasks, p.Finally) {
		visit(t.TaskSpec, t.TaskRef)
	}
}
