package pipelines

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// params checks what a task is given, once and by its matrix.
func (k *taskList) params(t *PipelineTask, declared []Param, of string, at spot) {
	var names []string
	for i := range t.Params {
		names = append(names, t.Params[i].Name)
		k.param(&t.Params[i], declared, of, at.at("params", i))
	}
	k.l.unique("param", names, func(i int) spot { return at.at("params", i, "name") })
	if t.Matrix != nil {
		names = append(names, k.matrix(t, declared, of, at)...)
	}
	for _, d := range declared {
		if d.Default == nil && d.Name != "" && !slices.Contains(names, d.Name) {
			k.l.report.addAt(at, "task %s does not give param %s, which %s needs", t.Name, d.Name, of)
		}
	}
}

// matrix checks the values that params take in turn, and returns their names.
func (k *taskList) matrix(t *PipelineTask, declared []Param, of string, at spot) (names []string) {
	m, here := t.Matrix, at.at("matrix")
	if len(m.Params) == 0 && len(m.Include) == 0 && !here.flawed() {
		k.l.report.addAt(here, "the matrix is empty: give params, include, or both")
	}
	for i := range m.Params {
		p, at := &m.Params[i], here.at("params", i)
		names = append(names, p.Name)
		if slices.ContainsFunc(t.Params, func(v ParamValue) bool { return v.Name == p.Name }) {
			k.l.report.addAt(at.at("name"), "param %s stands in params and in the matrix: give it once", p.Name)
		}
		if !slices.Contains(paramNames(declared), p.Name) {
			k.param(&ParamValue{Name: p.Name}, declared, of, at) // says so once, not for each value
			continue
		}
		for j, value := range p.Value {
			v := ParamValue{p.Name, value}
			k.param(&v, declared, of, at.at("value", j))
			p.Value[j] = v.Value
		}
	}
	k.l.unique("param", names, func(i int) spot { return here.at("params", i, "name") })
	for i := range m.Include {
		for j := range m.Include[i].Params {
			v := &m.Include[i].Params[j]
			names = append(names, v.Name)
			k.param(v, declared, of, here.at("include", i, "params", j))
		}
	}
	if n := m.count(); n > maxCombinations {
		k.l.report.addAt(here, "the matrix has %d combinations or more, at most %d are allowed", n, maxCombinations)
	}
	return names
}

// param checks one value, and gives a literal the type that the task wants. A place in a matrix is that of the value itself.
func (k *taskList) param(v *ParamValue, declared []Param, of string, at spot) {
	d := slices.IndexFunc(declared, func(d Param) bool { return d.Name == v.Name })
	if d < 0 {
		if v.Name != "" {
			k.l.report.addAt(at.at("name"), "%s has no param %s%s", of, v.Name, rule.Suggest(v.Name, paramNames(declared)))
		}
		return
	}
	if at.flawed() || v.Value == nil {
		return
	}
	value, want := at.at("value"), declared[d].Type
	if name, ok := passed(v.Value); ok {
		k.l.passedOn(k.p, name, v.Name, want, value)
		return
	}
	if ref, ok := ReferenceOf(v.Value); ok {
		k.reference(ref, v.Name, want, value)
		return
	}
	if text, ok := v.Value.(string); ok && strings.Contains(text, "$(") {
		k.l.report.addAt(value, "params are values, not text to paste: $(params.NAME) or $(tasks.TASK.results.NAME) must be all of the value")
		return
	}
	typed, err := want.convert(v.Value)
	if err != nil {
		k.l.report.addAt(value, "param %s %v", v.Name, err)
		return
	}
	v.Value = typed
}

// passedOn checks that the pipeline has a param, of the wanted type where one is.
func (l *linter) passedOn(p *Pipeline, name, into string, want ParamType, at spot) {
	for _, own := range p.Spec.Params {
		if own.Name != name {
			continue
		}
		if own.Type != want && own.Type != "" && want != "" {
			l.report.addAt(at, "param %s must be of type %s: param %s of the pipeline is of type %s", into, want, name, own.Type)
		}
		return
	}
	l.report.addAt(at, "the pipeline has no param %s%s", name, rule.Suggest(name, paramNames(p.Spec.Params)))
}

// reference checks what is read of another task, and its type where one is wanted.
func (k *taskList) reference(ref TaskReference, into string, want ParamType, at spot) {
	if ref.Of != "results" && !k.finally {
		k.l.report.addAt(at, "%s is known in finally only", ref)
		return
	}
	if ref.Task == "" {
		k.fits(ref, TypeString, into, want, at)
		return
	}
	names := namesOf(k.readable())
	i := slices.Index(names, ref.Task)
	if i < 0 {
		if k.finally && slices.Contains(namesOf(k.tasks), ref.Task) {
			k.l.report.addAt(at, "%s: the tasks of finally run beside each other and read nothing of each other", ref)
			return
		}
		k.l.report.addAt(at, "%s: there is no task %s%s", ref, ref.Task, rule.Suggest(ref.Task, names))
		return
	}
	if ref.Of != "results" {
		k.fits(ref, TypeString, into, want, at)
		return
	}
	other := k.readable()[i]
	if other.Matrix != nil {
		k.l.report.addAt(at, "%s: task %s has a matrix, and each combination has results of its own", ref, ref.Task)
		return
	}
	results := k.l.resultsOf(&other)
	r := slices.IndexFunc(results, func(r TaskResult) bool { return r.Name == ref.Result })
	if r < 0 {
		if other.TaskSpec != nil || other.TaskRef != nil && k.l.all.Tasks[other.TaskRef.Name] != nil {
			k.l.report.addAt(at, "%s: task %s has no result %s%s", ref, ref.Task, ref.Result, rule.Suggest(ref.Result, resultNames(results)))
		}
		return
	}
	k.fits(ref, results[r].typed(), into, want, at)
}

// fits reports a value of another type than the param that it goes into. A whole number is a double too.
func (k *taskList) fits(ref TaskReference, has ParamType, into string, want ParamType, at spot) {
	if want != "" && has != want && (has != TypeInt || want != TypeDouble) {
		k.l.report.addAt(at, "param %s must be of type %s: %s is of type %s", into, want, ref, has)
	}
}

// resultsOf are the results that a task of a pipeline declares.
func (l *linter) resultsOf(t *PipelineTask) []TaskResult {
	if t.TaskSpec != nil {
		return t.TaskSpec.Results
	}
	if t.TaskRef != nil && l.all.Tasks[t.TaskRef.Name] != nil {
		return l.all.Tasks[t.TaskRef.Name].Spec.Results
	}
	return nil
}

// results checks declarations, and gives them the type that holds where none is said.
func (l *linter) results(results []TaskResult, at spot) {
	for i := range results {
		if slices.Contains(celReserved(), results[i].Name) {
			l.report.addAt(at.at(i, "name"), "result %s: no rule could read it, the word is reserved in CEL", results[i].Name)
		}
		if results[i].Type == "" && !at.at(i).flawed() {
			results[i].Type = TypeString
		}
	}
	l.unique("result", resultNames(results), func(i int) spot { return at.at(i, "name") })
}

func (r TaskResult) typed() ParamType {
	if r.Type == "" {
		return TypeString
	}
	return r.Type
}

func resultNames(results []TaskResult) []string {
	var names []string
	for _, r := range results {
		names = append(names, r.Name)
	}
	return names
}

func paramNames(params []Param) []string {
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	return names
}

// documentOf is the place of a Task's document.
func (l *linter) documentOf(t *Task) spot {
	for _, doc := range l.docs {
		if doc.value == any(t) {
			return doc.spot()
		}
	}
	return spot{}
}
