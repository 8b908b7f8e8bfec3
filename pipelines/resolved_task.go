package pipelines

import (
	"fmt"
	"slices"
)

// ResolvedTask is a task of a pipeline with nothing left to look up but what other tasks yield. It survives JSON unchanged.
type ResolvedTask struct {
	Name        string       `json:"name"`
	DisplayName string       `json:"displayName,omitempty"`
	Ref         string       `json:"ref,omitempty"` // the Task that it names; "" of one that is written in place
	Cluster     string       `json:"cluster,omitempty"`
	After       []string     `json:"after,omitempty"` // tasks of the list that end before it starts: it runs after them, or reads them
	Reads       []string     `json:"reads,omitempty"` // tasks without whose results it cannot start
	When        []When       `json:"when,omitempty"`
	Retries     int          `json:"retries,omitempty"`
	Timeout     Duration     `json:"timeout,omitempty"` // of each attempt; 0 is none
	OnError     OnError      `json:"onError"`
	Results     []TaskResult `json:"results,omitempty"`
	Matrix      bool         `json:"matrix,omitempty"`
	// Check is what it runs: gates, or steps. It has no params of its own: those are of each combination.
	Check ResolvedCheck `json:"check"`
	// Combinations are what each run of it is given: one without a matrix; none where a param of it takes no value.
	Combinations []Combination `json:"combinations,omitempty"`
}

// Combination is what one run of a task is given.
type Combination struct {
	Params []ParamValue `json:"params,omitempty"` // sorted by name
	From   []ParamFrom  `json:"from,omitempty"`   // those that are known once other tasks have ended
}

// ParamFrom is a param whose value another task yields.
type ParamFrom struct {
	Name  string    `json:"name"`
	Type  ParamType `json:"type"`
	Value string    `json:"value"`        // the reference, as documents write it
	Of    *Param    `json:"of,omitempty"` // the param itself, where it is an object: its keys, and those of its default
}

// Bound returns the params of a combination with what has been yielded. Yielded is asked for each reference, and false for what is
// not there; that, or a value of another type, is the error.
func (c *Combination) Bound(yielded func(TaskReference) (any, bool)) ([]ParamValue, error) {
	bound := slices.Clone(c.Params)
	for _, f := range c.From {
		ref, _ := ReferenceOf(f.Value)
		value, ok := yielded(ref)
		if !ok {
			return nil, fmt.Errorf("cannot give param %s: there is no %s", f.Name, f.Value)
		}
		want := &Param{Name: f.Name, Type: f.Type}
		if f.Of != nil {
			want = f.Of
		}
		typed, err := want.fill(value)
		if err != nil {
			return nil, fmt.Errorf("cannot give param %s: %s %w", f.Name, f.Value, err)
		}
		bound = append(bound, ParamValue{f.Name, typed})
	}
	sortParams(bound)
	return bound, nil
}

// ReadsOf lists what the task reads of another one in params and texts of conditions. What its rules read is not among it.
func (t *ResolvedTask) ReadsOf(task string) (all []TaskReference) {
	add := func(text string) {
		if ref, ok := ReferenceOf(text); ok && ref.Task == task && ref.Of == "results" && !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	for _, c := range t.Combinations {
		for _, f := range c.From {
			add(f.Value)
		}
	}
	for _, w := range t.When {
		add(w.Input)
		for _, v := range w.Values {
			add(v)
		}
	}
	return all
}

// ResolveTasks makes the list of the tasks of a pipeline, each after those that it waits for, otherwise in the order of the file.
// Params are the pipeline's, as BindParams returns them. On loaded documents it fails only where a param is missing.
func (d *Documents) ResolveTasks(p *Pipeline, params []ParamValue) ([]ResolvedTask, error) {
	return d.resolveTasks(p.Spec.Tasks, params)
}

// ResolveFinally is ResolveTasks for those of finally.
func (d *Documents) ResolveFinally(p *Pipeline, params []ParamValue) ([]ResolvedTask, error) {
	return d.resolveTasks(p.Spec.Finally, params)
}

func (d *Documents) resolveTasks(tasks []PipelineTask, params []ParamValue) ([]ResolvedTask, error) {
	names := namesOf(tasks)
	find := func(name string) *PipelineTask { return &tasks[slices.Index(names, name)] }
	order := ordered(names, func(name string) []string { return find(name).after() })
	if len(order) < len(names) {
		return nil, fmt.Errorf("cannot resolve tasks: task cycle")
	}
	var resolved []ResolvedTask
	runs := 0
	for _, name := range order {
		task, err := d.resolveTask(find(name), names, params)
		if err != nil {
			return nil, fmt.Errorf("cannot resolve task %s: %w", name, err)
		}
		resolved = append(resolved, task)
		runs += max(1, len(task.Combinations))
	}
	if runs > maxTaskRuns {
		return nil, fmt.Errorf("cannot resolve tasks: they run %d times in all, with each combination: at most %d are allowed", runs, maxTaskRuns)
	}
	return resolved, nil
}

func (d *Documents) resolveTask(t *PipelineTask, list []string, params []ParamValue) (ResolvedTask, error) {
	spec, ref := t.TaskSpec, ""
	if t.TaskRef != nil {
		task, ok := d.Tasks[t.TaskRef.Name]
		if !ok {
			return ResolvedTask{}, fmt.Errorf("there is no Task %s", t.TaskRef.Name)
		}
		spec, ref = &task.Spec, t.TaskRef.Name
	}
	if spec == nil {
		return ResolvedTask{}, fmt.Errorf("it has no taskRef or taskSpec")
	}
	when, err := whens(t.When, params)
	if err != nil {
		return ResolvedTask{}, err
	}
	r := ResolvedTask{
		Name: t.Name, DisplayName: t.DisplayName, Ref: ref, Cluster: t.Cluster, Retries: t.Retries, OnError: t.OnError, Matrix: t.Matrix != nil,
		Results: slices.Clone(spec.Results), When: when,
	}
	if r.OnError == "" {
		r.OnError = StopAndFail
	}
	if t.Timeout != nil {
		r.Timeout = *t.Timeout
	}
	for _, name := range t.after() {
		if slices.Contains(list, name) { // finally reads tasks, which have all ended
			r.After = append(r.After, name)
		}
		if !slices.Contains(t.RunAfter, name) || slices.Contains(t.reads(), name) || t.ruleReads(name) {
			r.Reads = append(r.Reads, name)
		}
	}
	r.Check = ResolvedCheck{Name: t.Name, DisplayName: t.DisplayName, Enforcement: Enforcing}
	d.steps(&r.Check, spec)
	given := [][]ParamValue{nil}
	if t.Matrix != nil {
		matrix, err := t.Matrix.with(params)
		if err != nil {
			return r, err
		}
		given = matrix.Combinations()
	}
	for _, own := range given {
		c, err := combination(spec.Params, slices.Concat(t.Params, own), params)
		if err != nil {
			return r, err
		}
		r.Combinations = append(r.Combinations, c)
	}
	return r, nil
}

func (t *PipelineTask) ruleReads(task string) bool {
	return slices.ContainsFunc(t.When, func(w When) bool { return slices.Contains(w.Reads, task) })
}

// combination gives every declared param its value, or says which task will.
func combination(declared []Param, given, pipeline []ParamValue) (c Combination, err error) {
	var now []ParamValue
	for _, v := range given {
		if _, later := ReferenceOf(v.Value); !later {
			now = append(now, v)
		}
	}
	var known []Param
	for _, d := range declared {
		if i := slices.IndexFunc(given, func(v ParamValue) bool { return v.Name == d.Name }); i >= 0 {
			if ref, later := ReferenceOf(given[i].Value); later {
				from := ParamFrom{Name: d.Name, Type: d.Type, Value: ref.String()}
				if d.Type == TypeObject {
					from.Of = &d
				}
				c.From = append(c.From, from)
				continue
			}
		}
		known = append(known, d)
	}
	c.Params, err = bind(known, now, pipeline)
	return c, err
}

// whens are conditions with the params of the pipeline in their texts, and without places: a plan does not know where its files lie.
func whens(all []When, params []ParamValue) (out []When, failed error) {
	text := func(s string) string {
		from, ok := passed(s)
		if !ok {
			return s
		}
		value, err := from.of(params)
		if err != nil {
			failed = err
		}
		return ParamValue{from.name, value}.Text()
	}
	for _, w := range all {
		w.Position, w.Input, w.Values = Position{}, text(w.Input), slices.Clone(w.Values)
		for i := range w.Values {
			w.Values[i] = text(w.Values[i])
		}
		out = append(out, w)
	}
	return out, failed
}
