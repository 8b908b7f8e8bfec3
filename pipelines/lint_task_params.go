package pipelines

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

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
		if d.required() && d.Name != "" && !slices.Contains(names, d.Name) {
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
			if k.spread(p.Name, value, declared, at.at("value"), j) {
				continue
			}
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

// spread checks a value of a matrix that is all items of an array, and reports whether it is one.
func (k *taskList) spread(into string, value any, declared []Param, at spot, j int) bool {
	from, ok := passed(value)
	if !ok || from.part != allItems {
		return false
	}
	if at.node.Kind == yaml.SequenceNode {
		at = at.at(j)
	}
	d := slices.IndexFunc(declared, func(d Param) bool { return d.Name == into })
	array := declared[d]
	array.Type, array.Properties = TypeArray, nil
	if want := declared[d].Type; want != TypeString && want != "" {
		k.l.report.addAt(at, "param %s must be of type %s: the items of an array are texts", into, want)
		return true
	}
	k.l.passedOn(k.p, from, &array, at)
	return true
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
	value, want := at.at("value"), &declared[d]
	if from, ok := passed(v.Value); ok {
		k.l.passedOn(k.p, from, want, value)
		return
	}
	if ref, ok := ReferenceOf(v.Value); ok {
		k.reference(ref, want, value)
		return
	}
	if pasted(v.Value) {
		k.l.report.addAt(value, "params are values, not text to paste: $(params.NAME) or $(tasks.TASK.results.NAME) must be all of the value")
		return
	}
	k.l.items(k.p, v.Value, value)
	k.l.literal(v, want, value)
}

// literal gives a value that is written out the type of the param that it is for.
func (l *linter) literal(v *ParamValue, want *Param, at spot) {
	typed, err := want.fill(v.Value)
	if err == nil {
		err = unasked(want.Properties, typed)
	}
	if err != nil {
		l.report.addAt(at, "param %s %v", v.Name, err)
		return
	}
	v.Value = typed
}

// pasted reports whether a value has $(...) in it, and is nothing else.
func pasted(value any) bool {
	has := func(text string) bool {
		_, whole := passed(text)
		return strings.Contains(text, "$(") && !whole
	}
	switch v := value.(type) {
	case string:
		return has(v)
	case []string:
		return slices.ContainsFunc(v, has)
	case map[string]string:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), has)
	}
	return false
}

// passedOn checks that the pipeline has a param, of the type of the one that it is for; nil where any will do.
func (l *linter) passedOn(p *Pipeline, from paramPart, want *Param, at spot) {
	i := slices.IndexFunc(p.Spec.Params, func(own Param) bool { return own.Name == from.name })
	if i < 0 {
		l.report.addAt(at, "the pipeline has no param %s%s", from.name, rule.Suggest(from.name, paramNames(p.Spec.Params)))
		return
	}
	own := p.Spec.Params[i]
	if own.Type == "" {
		return
	}
	has, why := own.Type.part(from.part, own.Properties)
	if why != "" {
		l.report.addAt(at, "param %s of the pipeline %s", from.name, why)
		return
	}
	if want == nil {
		l.oneText(has, at)
		return
	}
	if has != want.Type && want.Type != "" {
		l.report.addAt(at, "param %s must be of type %s: param %s of the pipeline is of type %s", want.Name, want.Type, from.name+from.part, has)
		return
	}
	l.keys(want, "param "+from.name+" of the pipeline", has, own.Properties, at)
}

// oneText checks that what stands in a text is one.
func (l *linter) oneText(has ParamType, at spot) {
	if has == TypeArray || has == TypeObject {
		l.report.addAt(at, "a text cannot be of type %s: name one item, such as [0] or .KEY", has)
	}
}

// keys checks that an object has those that a param needs.
func (l *linter) keys(want *Param, of string, has ParamType, properties map[string]Property, at spot) {
	if has != TypeObject || want.Type != TypeObject {
		return
	}
	all := map[string]any{}
	for key := range properties {
		all[key] = nil
	}
	if own, ok := want.Default.(map[string]string); ok {
		for key := range own {
			all[key] = nil
		}
	}
	if missing := lacking(want.Properties, all); len(missing) > 0 {
		l.report.addAt(at, "param %s needs the key %s, and %s has none", want.Name, strings.Join(missing, ", "), of)
	}
}

// reference checks what is read of another task, and its type where one is wanted.
func (k *taskList) reference(ref TaskReference, want *Param, at spot) {
	if ref.inContext() {
		k.fits(ref, TaskResult{}, want, at)
		return
	}
	if ref.Of != "results" && !k.finally {
		k.l.report.addAt(at, "%s is known in finally only", ref)
		return
	}
	if ref.Task == "" {
		k.fits(ref, TaskResult{}, want, at)
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
		k.fits(ref, TaskResult{}, want, at)
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
	k.fits(ref, results[r], want, at)
}

// fits reports a value of another type than the param that it goes into; nil is a text. A whole number is a double too.
func (k *taskList) fits(ref TaskReference, from TaskResult, want *Param, at spot) {
	has, why := from.typed().part(ref.Part, from.Properties)
	switch {
	case why != "":
		k.l.report.addAt(at, "%s: the result %s", ref, why)
	case want == nil:
		k.l.oneText(has, at)
	case want.Type != "" && has != want.Type && (has != TypeInt || want.Type != TypeDouble):
		k.l.report.addAt(at, "param %s must be of type %s: %s is of type %s", want.Name, want.Type, ref, has)
	default:
		k.l.keys(want, ref.String(), has, from.Properties, at)
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
		if !at.at(i).flawed() {
			results[i].Type = inferred(results[i].Type, results[i].Properties, nil)
			l.properties("result "+results[i].Name, results[i].Type, results[i].Properties, at.at(i))
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
