package plan

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/pipelines"
)

// tasks prints what the run does beside its stages: before the first, or at the end.
func (o *printer) tasks(p *Plan, finally bool) {
	if p.Tasks == nil {
		return
	}
	list, head, limit := p.Tasks.First, "tasks, before the first stage", p.Tasks.Timeouts.Tasks
	if finally {
		list, head, limit = p.Tasks.Finally, "finally, whatever happened", p.Tasks.Timeouts.Finally
	}
	if len(list) == 0 {
		return
	}
	if limit == 0 && p.Tasks.Timeouts.Pipeline > 0 {
		head += fmt.Sprintf(", within %s of tasks and finally together", p.Tasks.Timeouts.Pipeline)
	}
	if limit > 0 {
		head += fmt.Sprintf(", within %s", limit)
	}
	o.line(0, "")
	o.line(0, "%s", head)
	var rows [][]string
	for i := range list {
		t := &list[i]
		rows = append(rows, []string{t.Name, taskText(t)})
		if does := t.Check.Does(); len(does) > 0 {
			rows = append(rows, []string{"", "  it " + strings.Join(does, ", ")})
		}
	}
	o.table(1, rows)
}

// results prints what a run hands out.
func (o *printer) results(p *Plan) {
	if p.Tasks == nil || len(p.Tasks.Results) == 0 {
		return
	}
	o.line(0, "")
	o.line(0, "results, once all has ended")
	var rows [][]string
	for _, r := range p.Tasks.Results {
		rows = append(rows, []string{r.Name, r.Of.String()})
	}
	o.table(1, rows)
}

// taskText is a task in a line: what it waits for, where it is, and what becomes of a failure.
func taskText(t *Task) string {
	var words []string
	if t.Cluster != "" {
		words = append(words, "in "+t.Cluster)
	}
	if t.Matrix {
		words = append(words, count(len(t.Combinations), "combination"))
	}
	if len(t.After) > 0 {
		words = append(words, "after "+strings.Join(t.After, ", "))
	}
	for _, w := range t.When {
		words = append(words, "when "+whenText(w))
	}
	if len(t.Combinations) == 1 {
		for _, v := range t.Combinations[0].Params {
			words = append(words, v.Name+"="+v.Text())
		}
		for _, f := range t.Combinations[0].From {
			words = append(words, f.Name+"="+f.Value)
		}
	}
	if t.Retries > 0 {
		words = append(words, fmt.Sprintf("at most %d attempts", t.Retries+1))
	}
	if t.Timeout > 0 {
		words = append(words, fmt.Sprintf("each within %s", t.Timeout))
	}
	if t.OnError == pipelines.ContinueOnError {
		words = append(words, "a failure counts as nothing")
	}
	return strings.Join(words, "; ")
}

func whenText(w pipelines.When) string {
	if w.CEL != "" {
		return strings.Join(strings.Fields(w.CEL), " ")
	}
	return fmt.Sprintf("%q %s %q", w.Input, w.Operator, w.Values)
}
