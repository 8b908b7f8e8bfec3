package pipelines

import (
	"regexp"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// TaskReference is a value that is known once a task has ended: $(tasks.TASK.results.NAME), $(tasks.TASK.status),
// $(tasks.TASK.reason), or $(tasks.status), which is about all of them; or while the run runs: $(context.pipelineRun.name).
type TaskReference struct {
	Task   string `json:"task,omitempty"`   // "" in $(tasks.status)
	Result string `json:"result,omitempty"` // where Of is "results"
	Of     string `json:"of"`               // results, status or reason; of the run pipelineRun.name or pipeline.name
	Part   string `json:"part,omitempty"`   // of an array or object: [*], [0], .KEY; "" is all of it
}

var (
	ofTask = regexp.MustCompile(`^\$\(tasks\.([a-z0-9][-a-z0-9]*)` +
		`\.(results|status|reason)(?:\.([A-Za-z_][A-Za-z0-9_]*)` + partPattern + `)?\)$`)
	ofTasks = "$(tasks.status)"
)

// ReferenceOf reads a reference; false for a value that is none. The whole value has to be one.
func ReferenceOf(value any) (TaskReference, bool) {
	text, ok := value.(string)
	if !ok {
		return TaskReference{}, false
	}
	if text == ofTasks {
		return TaskReference{Of: "status"}, true
	}
	if ref, ok := contextOf(text); ok {
		return ref, true
	}
	found := ofTask.FindStringSubmatch(text)
	if found == nil || (found[2] == "results") != (found[3] != "") {
		return TaskReference{}, false
	}
	return TaskReference{Task: found[1], Of: found[2], Result: found[3], Part: found[4]}, true
}

// In is what the reference takes of the result that it names; false where that has no such part.
func (r TaskReference) In(result any) (any, bool) {
	value, err := partOf(result, r.Part)
	return value, err == nil
}

// String is the reference as documents write it.
func (r TaskReference) String() string {
	switch {
	case r.inContext():
		return "$(context." + r.Of + ")"
	case r.Task == "":
		return ofTasks
	case r.Of == "results":
		return "$(" + rule.ResultPath(r.Task, r.Result) + r.Part + ")"
	}
	return "$(tasks." + r.Task + "." + r.Of + ")"
}

// values are all that a task is given: in params, in its matrix, and in conditions.
func (t *PipelineTask) values() []any {
	var all []any
	for _, p := range t.Params {
		all = append(all, p.Value)
	}
	if t.Matrix != nil {
		for _, p := range t.Matrix.Params {
			all = append(all, p.Value...)
		}
		for _, i := range t.Matrix.Include {
			for _, p := range i.Params {
				all = append(all, p.Value)
			}
		}
	}
	for _, w := range t.When {
		all = append(all, w.Input)
		for _, v := range w.Values {
			all = append(all, v)
		}
	}
	return all
}

// reads names the tasks whose results a task reads, each once. What its rules read is told by compiling them.
func (t *PipelineTask) reads() []string {
	var names []string
	for _, v := range t.values() {
		if ref, ok := ReferenceOf(v); ok && ref.Of == "results" && !slices.Contains(names, ref.Task) {
			names = append(names, ref.Task)
		}
	}
	return names
}
