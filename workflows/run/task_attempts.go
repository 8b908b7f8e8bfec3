package run

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/show"
)

// whether tells whether a task's conditions hold. An error is no answer, and never a yes.
func (l *taskList) whether(ctx workflow.Context, t *plan.Task) (bool, error) {
	if len(t.When) == 0 {
		return true, nil
	}
	req := step.WhetherRequest{Params: l.r.plan.Params, Change: l.r.change()}
	for _, w := range t.When {
		w.Input = l.text(w.Input)
		values := make([]string, len(w.Values))
		for i, v := range w.Values {
			values[i] = l.text(v)
		}
		w.Values = values
		req.When = append(req.When, w)
	}
	for _, s := range l.r.state.Status.Tasks {
		if s.Combination > 0 {
			continue
		}
		for _, v := range s.Results {
			req.Results = append(req.Results, step.YieldedResult{Task: s.Name, Result: v})
		}
	}
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: pace.Tuned().LocalActivity, Summary: "conditions of task " + t.Name,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
	})
	holds := false
	if err := workflow.ExecuteLocalActivity(ctx, step.Whether.Name(), req).Get(ctx, &holds); err != nil {
		return false, fmt.Errorf("cannot tell whether the task runs: %s", ask.MessageOf(err))
	}
	return holds, nil
}

// text is a text of a condition, with the value that it names.
func (l *taskList) text(text string) string {
	ref, ok := pipelines.ReferenceOf(text)
	if !ok {
		return text
	}
	value, _ := l.now().Value(ref) // what is missing keeps the task from being asked about
	return pipelines.ParamValue{Value: value}.Text()
}

// do runs one combination of a task, as often as its retries allow.
func (l *taskList) do(ctx workflow.Context, t *plan.Task, n, at int) {
	s := &l.r.state.Status.Tasks[at]
	params, err := t.Combinations[n].Bound(l.now().Value)
	if err != nil {
		l.fail(ctx, at, api.ReasonTaskValidationFailed, err.Error())
		return
	}
	for number := 1; ; number++ {
		began := workflow.Now(ctx).UTC()
		if s.Started.IsZero() {
			s.Started = began
		}
		s.Phase, s.Reason, s.Message = api.PhaseMoving, api.ReasonRunning, ""
		l.r.inTurn++
		made := l.attempt(ctx, t, params, n, number)
		s.Steps, s.Message = briefly(made.Steps), clip.Bytes(made.Message, pace.Tuned().MaxMessage)
		switch {
		case made.Succeeded:
			s.Phase, s.Reason = api.PhaseSucceeded, api.ReasonSucceeded
			if s.Combination == 0 { // what one of many combinations yields nobody can name
				s.Results = made.Results
			}
			s.Ended = workflow.Now(ctx).UTC()
			l.spare(s)
			l.r.inTurn++
			return
		case l.cut != "" || number > t.Retries:
			l.fail(ctx, at, made.Reason, made.Message)
			if t.OnError == pipelines.ContinueOnError && l.cut == "" {
				s.Reason = api.ReasonFailureIgnored
			}
			return
		}
		s.Attempts = append(s.Attempts, api.TaskAttempt{
			Reason: made.Reason, Message: s.Message, Started: began, Ended: workflow.Now(ctx).UTC(), Steps: unpassed(s.Steps),
		})
		s.Reason = api.ReasonToBeRetried
		l.spare(s)
		l.r.inTurn++
		_ = workflow.Await(ctx, func() bool { return !l.r.state.Paused || l.cut != "" })
		if l.cut != "" {
			l.fail(ctx, at, l.cut, s.Message)
			return
		}
	}
}

// fail ends one combination of a task that did not succeed. What a person ended has not failed.
func (l *taskList) fail(ctx workflow.Context, at int, reason, message string) {
	s := &l.r.state.Status.Tasks[at]
	s.Phase, s.Reason, s.Message = api.PhaseFailed, reason, clip.Bytes(message, pace.Tuned().MaxMessage)
	if reason == api.ReasonTaskRunCancelled {
		s.Phase = api.PhaseAborted
	}
	s.Ended = workflow.Now(ctx).UTC()
	l.spare(s)
	l.r.inTurn++
}

// spare keeps what a task says within its part of what all of them may say: the status of a run is one payload.
func (l *taskList) spare(s *api.TaskStatus) {
	show.SpareTask(s, pace.Tuned().SaidOfTasks/len(l.r.state.Status.Tasks))
}

// attempt makes one attempt, and returns once whoever makes it has ended: nothing of it goes on behind the run's back.
func (l *taskList) attempt(ctx workflow.Context, t *plan.Task, params []pipelines.ParamValue, n, number int) step.AttemptResult {
	r := l.r
	req := step.AttemptRequest{
		Ref: step.Ref{Run: r.in.Run, Plan: r.in.Plan, Subject: r.plan.Subject}, Point: pipelines.BeforeRun, Task: t.Check,
		Declared: t.Results, Matrix: t.Matrix, Combination: n, Number: number, Facts: rule.Facts{Stage: r.allUnits(), Change: r.change()},
	}
	if l.finally {
		req.Point = pipelines.AfterRun
	}
	req.Task.Params = params
	call := ask.For(step.Attempt, "task "+t.Name, req)
	if place := r.plan.Tasks.Place(t.Cluster); place != nil {
		req.Cluster, req.Context, req.Facts.Unit = place.Cluster, place.Context, place.Unit
		call = ask.For(step.Attempt, "task "+t.Name+" in "+place.Cluster, req).Near(place.Site)
	}
	within, end := workflow.WithCancel(ctx)
	defer end()
	l.ends = append(l.ends, end)
	if l.cut != "" {
		return step.AttemptResult{Reason: l.cut, Message: l.halt}
	}
	asked, late := call.Start(within), false
	if t.Timeout > 0 {
		timing, over := workflow.WithCancel(ctx)
		defer over()
		timer := workflow.NewTimer(timing, t.Timeout.Std())
		_ = workflow.Await(ctx, func() bool { return asked.Ready() || timer.IsReady() })
		if late = !asked.Ready(); late {
			end()
		}
	}
	made, err := asked.Get(ctx)
	switch {
	case err == nil:
		return made
	case l.cut != "":
		return step.AttemptResult{Reason: l.cut, Message: l.halt}
	case late:
		return step.AttemptResult{Reason: api.ReasonTaskRunTimeout, Message: fmt.Sprintf("it took longer than %s", t.Timeout)}
	}
	return step.AttemptResult{Reason: api.ReasonFailed, Message: "Error: " + ask.MessageOf(err)}
}

// maxSteps is how many steps of a task a run tells of, the last ones: it carries those of all its tasks.
const maxSteps = 20

// briefly are steps without what they saw, and without words where they passed.
func briefly(steps []api.Check) []api.Check {
	var out []api.Check
	for _, s := range steps[max(0, len(steps)-maxSteps):] {
		brief := show.Brief(&s)
		if brief.Verdict == api.Passed {
			brief.Message = ""
		}
		out = append(out, *brief)
	}
	return out
}

// unpassed are the steps for which an attempt failed.
func unpassed(steps []api.Check) []api.Check {
	return slices.DeleteFunc(slices.Clone(steps), func(c api.Check) bool { return c.Verdict == api.Passed })
}
