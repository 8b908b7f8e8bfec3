package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// maxResults is how many bytes the results of a task may take, with their names.
const maxResults = 4096

// Attempt makes one attempt at a task: its steps are measured to their end, in their order. A context that ends is an error.
func (m *Measurer) Attempt(ctx context.Context, i Inquiry, declared []pipelines.TaskResult) (step.AttemptResult, error) {
	say, last := i.Say, i.Before
	i.Say = func(t Tallies) {
		last = t
		if say != nil {
			say(t)
		}
	}
	found, err := m.Ask(ctx, i)
	if err != nil {
		return step.AttemptResult{}, err
	}
	return attempted(i.Checks[0], found[0], last, declared), nil
}

// attempted is what came of the measurements of a task.
func attempted(task pipelines.ResolvedCheck, found api.Check, tallies Tallies, declared []pipelines.TaskResult) step.AttemptResult {
	r := step.AttemptResult{Reason: api.ReasonFailed, Message: fmt.Sprintf("%s: %s", found.Verdict, found.Message)}
	yielded := map[string]any{}
	for s := range stepsOf(task) {
		t, measured := tallies[s.Name]
		if !measured || t.Verdict == "" {
			continue // one before it did not pass
		}
		r.Steps = append(r.Steps, api.Check{Name: s.Name, Verdict: t.Verdict, Message: t.Message, Seen: t.Seen})
		if t.Verdict != api.Passed {
			r.Message = fmt.Sprintf("%s: %s: %s", s.Name, t.Verdict, t.Message)
		}
		for name, value := range t.Results {
			yielded[name] = value
		}
	}
	r.Steps = spareFound(r.Steps)
	if found.Verdict != api.Passed {
		return r
	}
	size := 0
	for _, d := range declared {
		value, ok := yielded[d.Name]
		if !ok {
			continue // whoever reads it is not started
		}
		typed, err := d.Check(value)
		if err != nil {
			r.Reason, r.Message = api.ReasonTaskValidationFailed, fmt.Sprintf("result %s %v", d.Name, err)
			return r
		}
		v := pipelines.ParamValue{Name: d.Name, Value: typed}
		r.Results = append(r.Results, v)
		size += len(d.Name) + len(v.Text())
	}
	if size > maxResults {
		r.Results = nil
		r.Reason = api.ReasonResultTooLarge
		r.Message = fmt.Sprintf("the results take %d bytes, at most %d are allowed", size, maxResults)
		return r
	}
	slices.SortFunc(r.Results, func(a, b pipelines.ParamValue) int { return cmp.Compare(a.Name, b.Name) })
	r.Succeeded, r.Reason, r.Message = true, api.ReasonSucceeded, "All Steps have completed executing"
	return r
}

// Whether tells whether all conditions of a task hold. A rule that cannot be evaluated is an error, and so is a context that ends.
func (r *Runner) Whether(ctx context.Context, req step.WhetherRequest) (bool, error) {
	var params []rule.Param
	values := rule.Params{}
	for _, v := range req.Params {
		params, values[v.Name] = append(params, rule.Param{Name: v.Name, Type: rule.Type(v.Type())}), v.Value
	}
	for _, y := range req.Results {
		params = append(params, rule.Param{Name: y.Result.Name, Type: rule.Type(y.Result.Type()), Task: y.Task})
		values[rule.ResultPath(y.Task, y.Result.Name)] = y.Result.Value
	}
	for _, w := range req.When {
		if w.CEL == "" {
			if slices.Contains(w.Values, w.Input) != (w.Operator == pipelines.WhenIn) {
				return false, nil
			}
			continue
		}
		program, err := r.Rules.compiler.Compile(rule.ScopeTasks, params, w.CEL)
		if err != nil {
			return false, fmt.Errorf("cannot compile the condition %q: %w", w.CEL, err)
		}
		holds, err := program.Eval(ctx, rule.Facts{Change: req.Change}, values)
		if err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}
