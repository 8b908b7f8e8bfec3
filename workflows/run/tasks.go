package run

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// taskList is tasks of a run while it does them: those before its first stage, or those of finally. Which of them start is for
// internal/plan to say.
type taskList struct {
	r       *rollout
	list    []plan.Task
	finally bool
	started map[string]bool       // tasks that were set out with; only looked up
	halt    string                // why no further task starts; "" while they do
	cut     string                // the reason of those that are ended where they are; "" while none is
	ends    []workflow.CancelFunc // of the attempts that were made
	aborts  int                   // how often the run had been told to abort when these began
}

// tasks does what comes before the first stage. Where that does not end well, nothing of the run moves.
func (r *rollout) tasks(ctx workflow.Context) {
	if r.plan.Tasks == nil || len(r.plan.Tasks.First) == 0 {
		return
	}
	limit, of := r.plan.Tasks.Timeouts.OfTasks()
	l := &taskList{r: r, list: r.plan.Tasks.First, started: map[string]bool{}}
	l.run(ctx, limit, of)
	if !r.ending() {
		r.show(ctx, api.PhaseMoving, nil)
	}
}

// stopped reports whether the tasks before the first stage keep it from starting.
func (r *rollout) stopped() bool { return r.state.Status.Broke() || r.state.Status.TimedOut != "" }

// last sets out with finally, once, and reports whether it has ended. It runs beside a rollback that is asked for meanwhile. A run
// that takes another one back has none: that one has had its own.
func (r *rollout) last(ctx workflow.Context) bool {
	if r.in.Back != nil || r.plan.Tasks == nil || len(r.plan.Tasks.Finally) == 0 {
		return true
	}
	if r.state.Status.FinallyStarted.IsZero() {
		now := workflow.Now(ctx).UTC()
		r.state.Status.FinallyStarted = now
		limit, of := r.plan.Tasks.Timeouts.OfFinally(plan.TasksTook(r.state.Status.Tasks))
		l := &taskList{r: r, list: r.plan.Tasks.Finally, finally: true, started: map[string]bool{}, aborts: r.aborts}
		if r.state.Status.TimedOut == api.TimeoutOfPipeline || limit < 0 {
			l.expire(api.TimeoutOfPipeline)
		}
		workflow.GoNamed(ctx, "finally", func(ctx workflow.Context) {
			l.run(ctx, limit, of)
			r.lastDone = true
			r.inTurn++
		})
	}
	return r.lastDone
}

// run does the tasks, and returns once each has ended. A limit above 0 ends those that run then, and starts no other.
func (l *taskList) run(ctx workflow.Context, limit time.Duration, of api.TimeoutOf) {
	if limit > 0 {
		within, over := workflow.WithCancel(ctx)
		defer over()
		workflow.GoNamed(within, "timeout of "+string(of), func(ctx workflow.Context) {
			if workflow.Sleep(ctx, limit) == nil {
				l.expire(of)
				l.r.inTurn++
			}
		})
	}
	for {
		l.heed()
		next := l.now().Next()
		for _, s := range next.Skip {
			l.skip(ctx, &l.list[s.Index], s.Reason)
		}
		if len(next.Skip) > 0 {
			continue // others follow from it
		}
		if next.Done {
			return
		}
		for _, i := range next.Start {
			l.start(ctx, &l.list[i])
		}
		l.show(ctx)
		turn := l.r.inTurn
		if workflow.Await(ctx, func() bool { return l.r.inTurn != turn }) != nil {
			return
		}
	}
}

func (l *taskList) now() plan.TasksNow {
	return plan.TasksNow{
		List: l.list, Status: l.r.state.Status.Tasks, Halt: l.halt, Paused: l.r.state.Paused && !l.r.ending(), Started: l.started,
		Run: l.r.in.Run, Pipeline: l.r.plan.Pipeline,
	}
}

// heed notes what ends the list early: a task that failed lets the others end; who aborts, or takes the run back, ends them.
func (l *taskList) heed() {
	r := l.r
	switch {
	case l.cut != "":
		return
	case l.finally && r.aborts > l.aborts, !l.finally && r.ending():
		l.halt, l.cut = api.SkippedAsStopping, api.ReasonTaskRunCancelled
		if !r.state.Status.Ending.ByItself() {
			l.halt = api.SkippedAsCancelled
		}
		l.end()
	case !l.finally && r.state.Status.Broke():
		l.halt = api.SkippedAsStopping
	}
}

// expire ends the list since a timeout has run out.
func (l *taskList) expire(of api.TimeoutOf) {
	if l.cut != "" {
		return
	}
	if l.r.state.Status.TimedOut == "" {
		l.r.state.Status.TimedOut = of
	}
	l.cut = api.ReasonTaskRunTimeout
	switch of {
	case api.TimeoutOfTasks:
		l.halt = api.SkippedTasksTimeout
	case api.TimeoutOfFinally:
		l.halt = api.SkippedFinallyTimeout
	default:
		l.halt = api.SkippedPipelineTimeout
	}
	l.end()
}

func (l *taskList) end() {
	for _, end := range l.ends {
		end()
	}
}

// statuses are the places of a task's statuses, one for each combination.
func (l *taskList) statuses(t *plan.Task) (at []int) {
	for i, s := range l.r.state.Status.Tasks {
		if s.Name == t.Name && s.Finally == l.finally {
			at = append(at, i)
		}
	}
	return at
}

func (l *taskList) skip(ctx workflow.Context, t *plan.Task, why string) {
	for _, i := range l.statuses(t) {
		s := &l.r.state.Status.Tasks[i]
		s.Phase, s.Reason, s.Ended = api.PhaseSkipped, why, workflow.Now(ctx).UTC()
	}
}

// start sets out with a task: its conditions first, then each of its combinations beside the others.
func (l *taskList) start(ctx workflow.Context, t *plan.Task) {
	l.started[t.Name] = true
	workflow.GoNamed(ctx, "task "+t.Name, func(ctx workflow.Context) {
		holds, err := l.whether(ctx, t)
		switch {
		case l.cut != "":
			l.skip(ctx, t, l.halt)
		case err != nil:
			for _, i := range l.statuses(t) {
				l.fail(ctx, i, api.ReasonTaskValidationFailed, err.Error())
			}
		case !holds:
			l.skip(ctx, t, api.SkippedByWhen)
		default:
			for n, i := range l.statuses(t) {
				workflow.GoNamed(ctx, fmt.Sprintf("task %s %d", t.Name, n+1), func(ctx workflow.Context) { l.do(ctx, t, n, i) })
			}
		}
		l.r.inTurn++
	})
}

// show says which tasks the run is at. A rollback goes before.
func (l *taskList) show(ctx workflow.Context) {
	r := l.r
	if r.backing || r.state.Paused && !r.ending() || len(r.goingBack()) > 0 {
		return
	}
	var names []string
	for i := range r.state.Status.Tasks {
		if s := &r.state.Status.Tasks[i]; s.Finally == l.finally && s.Phase == api.PhaseMoving {
			names = append(names, s.Label())
		}
	}
	what := "tasks"
	if l.finally {
		what = "finally"
	}
	since := workflow.Now(ctx).UTC()
	if was := r.state.Status.Waiting; was != nil && was.Kind == api.WaitTasks && was.Name == what {
		since = was.Since
	}
	r.show(ctx, api.PhaseChecking, &api.Waiting{Kind: api.WaitTasks, Name: what, Since: since, Unmet: listed(names)})
}

func listed(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, ", ")}
}
