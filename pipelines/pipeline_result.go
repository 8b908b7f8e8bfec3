package pipelines

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// PipelineResult is a value that a run hands out: what a task of it has yielded, or one of finally.
type PipelineResult struct {
	Name        string    `json:"name" is:"identifier"`
	Type        ParamType `json:"type,omitempty"` // default that of what it names
	Description string    `json:"description,omitempty"`
	// $(tasks.TASK.results.NAME) or $(finally.TASK.results.NAME), with [*], [0] or .KEY of an array or object
	Value string `json:"value" is:"text"`
}

// reference is what the value names, and whether that is a task of finally.
func (r PipelineResult) reference() (ref TaskReference, finally, ok bool) {
	rest, finally := strings.CutPrefix(r.Value, "$(finally.")
	if finally {
		rest = "$(tasks." + rest
	}
	ref, ok = ReferenceOf(rest)
	return ref, finally, ok && ref.Of == "results"
}

// Reference is what the value names. On loaded documents it is a result of a task that there is.
func (r PipelineResult) Reference() TaskReference {
	ref, _, _ := r.reference()
	return ref
}

// typeOf is the type of what a reference to a result names; false where there is no such thing.
func (k *taskList) typeOf(ref TaskReference) (ParamType, bool) {
	i := slices.IndexFunc(k.readable(), func(t PipelineTask) bool { return t.Name == ref.Task })
	if i < 0 {
		return "", false
	}
	results := k.l.resultsOf(&k.readable()[i])
	r := slices.IndexFunc(results, func(r TaskResult) bool { return r.Name == ref.Result })
	if r < 0 {
		return "", false
	}
	t, why := results[r].typed().part(ref.Part, results[r].Properties)
	return t, why == ""
}

// pipelineResults checks what a pipeline hands out.
func (l *linter) pipelineResults(p *Pipeline, tasks, final *taskList, at spot) {
	var names []string
	for i := range p.Spec.Results {
		r, here := &p.Spec.Results[i], at.at(i)
		names = append(names, r.Name)
		if here.flawed() {
			continue
		}
		ref, finally, ok := r.reference()
		if !ok {
			l.report.addAt(here.at("value"), "a result of a pipeline is all of $(tasks.TASK.results.NAME) or $(finally.TASK.results.NAME)")
			continue
		}
		list := &taskList{l: l, p: p, before: tasks.tasks, finally: true}
		if finally {
			list.before = final.tasks
		}
		if all := namesOf(list.before); !slices.Contains(all, ref.Task) {
			l.report.addAt(here.at("value"), "%s: there is no task %s%s", r.Value, ref.Task, rule.Suggest(ref.Task, all))
			continue
		}
		list.reference(ref, &Param{}, here.at("value"))
		if has, known := list.typeOf(ref); known && r.Type != "" && r.Type != has {
			l.report.addAt(here.at("type"), "result %s is of type %s: %s is", r.Name, has, r.Value)
		}
	}
	l.unique("result", names, func(i int) spot { return at.at(i, "name") })
}
