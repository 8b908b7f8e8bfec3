package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// task is a task that passes after a second, unless a test says otherwise.
func task(name string, after ...string) plan.Task {
	return plan.Task{
		Name: name, After: after, OnError: pipelines.StopAndFail, Check: pipelines.ResolvedCheck{Name: name},
		Combinations: []pipelines.Combination{{}},
	}
}

// attempts answers attempts at tasks: after how long, and with what.
type attempts map[string]func(step.AttemptRequest) (step.AttemptResult, error)

func passes(results ...pipelines.ParamValue) func(step.AttemptRequest) (step.AttemptResult, error) {
	return func(step.AttemptRequest) (step.AttemptResult, error) {
		return step.AttemptResult{Succeeded: true, Reason: api.ReasonSucceeded, Results: results}, nil
	}
}

func breaks(step.AttemptRequest) (step.AttemptResult, error) {
	return step.AttemptResult{Reason: api.ReasonFailed, Message: "check: Failed: it is not well"}, nil
}

// registerTasks has conditions told for real; attempts are answered by does.
func (w *world) registerTasks() {
	answer(w, step.Whether, func(step.WhetherRequest) string { return "" }, func(r step.WhetherRequest) (bool, error) {
		return w.gates.Whether(context.Background(), r)
	})
	answer(w, step.Attempt, func(r step.AttemptRequest) string { return r.Task.Name }, func(r step.AttemptRequest) (step.AttemptResult, error) {
		return step.AttemptResult{}, fmt.Errorf("nobody has said what comes of task %s", r.Task.Name)
	})
}

// does has the world do tasks. Takes says how long each lasts; a second where it says nothing.
func (w *world) does(tasks *plan.Tasks, made attempts, takes map[string]time.Duration) {
	w.plan.Tasks = tasks
	for _, t := range slices.Concat(tasks.First, tasks.Finally) {
		about := mock.MatchedBy(func(r step.AttemptRequest) bool { return r.Task.Name == t.Name })
		lasts := time.Second
		if d, ok := takes[t.Name]; ok {
			lasts = d
		}
		w.env.OnActivity(step.Attempt.Name(), mock.Anything, about).Maybe().After(lasts).Return(
			func(_ context.Context, r step.AttemptRequest) (step.AttemptResult, error) {
				line := fmt.Sprintf("task %s %d", r.Task.Name, r.Number)
				for _, v := range r.Task.Params {
					line += fmt.Sprintf(" %s=%v", v.Name, v.Value)
				}
				w.note(line)
				if f := made[t.Name]; f != nil {
					return f(r)
				}
				return passes()(r)
			})
	}
}

// ofTasks is what became of tasks, a line each.
func ofTasks(r api.RunStatus) (lines []string) {
	for _, t := range r.Tasks {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s: %s", t.Label(), t.Phase, t.Reason)))
	}
	return lines
}

// began is what the run did, in order: tasks as they end, and clusters as they begin.
func (w *world) began() (lines []string) {
	for _, line := range w.log {
		if rest, ok := strings.CutPrefix(line, "task "); ok {
			lines = append(lines, rest)
		}
		if rest, ok := strings.CutPrefix(line, "Acquire "); ok {
			lines = append(lines, "cluster "+rest)
		}
	}
	return lines
}

func TestTasksOfARun(t *testing.T) {
	found := pipelines.ParamValue{Name: "found", Value: int64(3)}
	reads := func(name string, of string) plan.Task {
		one := task(name, of)
		one.Reads = []string{of}
		one.Combinations[0].From = []pipelines.ParamFrom{{Name: "n", Type: pipelines.TypeInt, Value: "$(tasks." + of + ".results.found)"}}
		return one
	}
	with := func(one plan.Task, set func(*plan.Task)) plan.Task { set(&one); return one }
	ignoring := func(one *plan.Task) { one.OnError = pipelines.ContinueOnError }
	when := func(rule string) func(*plan.Task) {
		return func(one *plan.Task) { one.When = []pipelines.When{{CEL: rule}} }
	}
	status := func(name, value string) plan.Task {
		return with(task(name), func(one *plan.Task) {
			one.Combinations[0].From = []pipelines.ParamFrom{{Name: "state", Type: pipelines.TypeString, Value: value}}
		})
	}
	const ordered, succeeded = "Succeeded: Succeeded", "Succeeded: Succeeded"
	for _, c := range []struct {
		reason string
		tasks  plan.Tasks
		made   attempts
		takes  map[string]time.Duration
		set    func(*world)
		phase  api.Phase
		want   []string
		began  []string // left out where the order says nothing
	}{
		{
			reason: "tasks go before the clusters, each after what it waits for, and finally goes last",
			tasks:  plan.Tasks{First: []plan.Task{task("a"), task("b", "a")}, Finally: []plan.Task{task("z")}},
			phase:  api.PhaseSucceeded, want: []string{"a " + ordered, "b " + ordered, "z " + ordered},
			began: []string{"a 1", "b 1", "cluster a", "z 1"},
		},
		{
			reason: "a result goes into the params of who reads it",
			tasks:  plan.Tasks{First: []plan.Task{task("a"), reads("b", "a")}}, made: attempts{"a": passes(found)},
			phase: api.PhaseSucceeded, want: []string{"a " + succeeded, "b " + succeeded}, began: []string{"a 1", "b 1 n=3", "cluster a"},
		},
		{
			reason: "who reads a result that is not there is skipped, with what comes after it",
			tasks:  plan.Tasks{First: []plan.Task{task("a"), reads("b", "a"), task("c", "b")}},
			phase:  api.PhaseSucceeded,
			want:   []string{"a " + succeeded, "b Skipped: Results were missing", "c Skipped: Parent Tasks were skipped"},
		},
		{
			reason: "a condition that does not hold keeps its own task from starting, not what is ordered after it",
			tasks: plan.Tasks{First: []plan.Task{
				task("a"), with(task("b", "a"), when("tasks.a.results.found > 7")), task("c", "b"), reads("d", "b"),
			}},
			made: attempts{"a": passes(found)}, phase: api.PhaseSucceeded, want: []string{
				"a " + succeeded, "b Skipped: When Expressions evaluated to false", "c " + succeeded, "d Skipped: Results were missing",
			},
		},
		{
			reason: "a condition that holds", tasks: plan.Tasks{First: []plan.Task{task("a"), with(task("b", "a"), when("tasks.a.results.found == 3"))}},
			made: attempts{"a": passes(found)}, phase: api.PhaseSucceeded, want: []string{"a " + succeeded, "b " + succeeded},
		},
		{
			reason: "a condition that cannot be told is no yes", tasks: plan.Tasks{First: []plan.Task{with(task("a"), when("tasks.a.results.found > 1"))}},
			phase: api.PhaseFailed, want: []string{"a Failed: TaskValidationFailed"}, began: nil,
		},
		{
			reason: "a task that fails ends the run before anything moves: what runs ends, nothing else starts, and finally hears of it",
			tasks: plan.Tasks{
				First:   []plan.Task{task("a"), task("slow"), task("b", "a"), task("c", "slow")},
				Finally: []plan.Task{status("all", "$(tasks.status)"), status("one", "$(tasks.a.status)"), status("why", "$(tasks.b.reason)")},
			},
			made:  attempts{"a": breaks},
			takes: map[string]time.Duration{"slow": time.Minute, "one": 2 * time.Second, "why": 3 * time.Second},
			phase: api.PhaseFailed, want: []string{
				"a Failed: Failed", "slow " + succeeded, "b Skipped: PipelineRun was stopping", "c Skipped: PipelineRun was stopping",
				"all " + succeeded, "one " + succeeded, "why " + succeeded,
			},
			began: []string{"a 1", "slow 1", "all 1 state=Failed", "one 1 state=Failed", "why 1 state=None"},
		},
		{
			reason: "a failure that counts as nothing", tasks: plan.Tasks{First: []plan.Task{with(task("a"), ignoring), task("b", "a")}},
			made: attempts{"a": breaks}, phase: api.PhaseSucceeded, want: []string{"a Failed: FailureIgnored", "b " + succeeded},
			began: []string{"a 1", "b 1", "cluster a"},
		},
		{
			reason: "a failing task is tried again as often as it may be",
			tasks:  plan.Tasks{First: []plan.Task{with(task("a"), func(one *plan.Task) { one.Retries = 2 })}},
			made:   attempts{"a": breaks}, phase: api.PhaseFailed, want: []string{"a Failed: Failed"}, began: []string{"a 1", "a 2", "a 3"},
		},
		{
			reason: "and not once it has passed", tasks: plan.Tasks{First: []plan.Task{with(task("a"), func(one *plan.Task) { one.Retries = 5 })}},
			made: attempts{"a": func(r step.AttemptRequest) (step.AttemptResult, error) {
				if r.Number < 2 {
					return breaks(r)
				}
				return passes()(r)
			}},
			phase: api.PhaseSucceeded, want: []string{"a " + succeeded}, began: []string{"a 1", "a 2", "cluster a"},
		},
		{
			reason: "what could not be done has failed: it is no pass", tasks: plan.Tasks{First: []plan.Task{task("a")}},
			made: attempts{"a": func(step.AttemptRequest) (step.AttemptResult, error) {
				return step.AttemptResult{}, temporal.NewNonRetryableApplicationError("nobody answers", string(fault.Unreachable), nil)
			}},
			phase: api.PhaseFailed, want: []string{"a Failed: Failed"}, began: []string{"a 1"},
		},
		{
			reason: "an attempt that takes too long is ended", phase: api.PhaseFailed, want: []string{"a Failed: TaskRunTimeout"},
			tasks: plan.Tasks{First: []plan.Task{with(task("a"), func(one *plan.Task) { one.Timeout = pipelines.Duration(time.Minute) })}},
			takes: map[string]time.Duration{"a": time.Hour},
		},
		{
			reason: "tasks that take too long together are ended, the others skipped, and finally runs",
			tasks: plan.Tasks{
				First: []plan.Task{task("a"), task("b", "a")}, Finally: []plan.Task{task("z")},
				Timeouts: plan.TasksTimeouts{Tasks: pipelines.Duration(time.Minute)},
			},
			takes: map[string]time.Duration{"a": time.Hour}, phase: api.PhaseFailed, want: []string{
				"a Failed: TaskRunTimeout", "b Skipped: PipelineRun Tasks timeout has been reached", "z " + succeeded,
			},
		},
		{
			reason: "a timeout of the whole leaves finally nothing where tasks took all of it",
			tasks: plan.Tasks{
				First: []plan.Task{task("a")}, Finally: []plan.Task{task("z")},
				Timeouts: plan.TasksTimeouts{Pipeline: pipelines.Duration(time.Minute)},
			},
			takes: map[string]time.Duration{"a": time.Hour}, phase: api.PhaseFailed,
			want: []string{"a Failed: TaskRunTimeout", "z Skipped: PipelineRun timeout has been reached"},
		},
		{
			reason: "finally takes too long: the clusters have moved, and the run has failed all the same",
			tasks: plan.Tasks{
				Finally: []plan.Task{task("z")}, Timeouts: plan.TasksTimeouts{Finally: pipelines.Duration(time.Minute)},
			},
			takes: map[string]time.Duration{"z": time.Hour}, phase: api.PhaseFailed, want: []string{"z Failed: TaskRunTimeout"},
		},
		{
			reason: "a task with a matrix runs once for each combination, beside each other",
			tasks: plan.Tasks{First: []plan.Task{with(task("m"), func(one *plan.Task) {
				one.Matrix, one.Combinations = true, []pipelines.Combination{
					{Params: []pipelines.ParamValue{{Name: "n", Value: int64(1)}}}, {Params: []pipelines.ParamValue{{Name: "n", Value: int64(2)}}},
				}
			}), task("after", "m")}},
			phase: api.PhaseSucceeded, want: []string{"m[1] " + succeeded, "m[2] " + succeeded, "after " + succeeded},
		},
		{
			reason: "a matrix without combinations is skipped, with what comes after it",
			tasks: plan.Tasks{First: []plan.Task{
				with(task("m"), func(one *plan.Task) { one.Matrix, one.Combinations = true, nil }), task("after", "m"),
			}},
			phase: api.PhaseSucceeded, want: []string{"m Skipped: Matrix Parameters have an empty array", "after Skipped: Parent Tasks were skipped"},
		},
		{
			reason: "who aborts ends what runs, and finally runs all the same",
			tasks:  plan.Tasks{First: []plan.Task{task("a"), task("b", "a")}, Finally: []plan.Task{task("z")}},
			takes:  map[string]time.Duration{"a": time.Hour},
			set:    func(w *world) { w.command(time.Minute, api.UpdateAbort, api.Command{Who: "ops"}) },
			phase:  api.PhaseAborted,
			want:   []string{"a Aborted: TaskRunCancelled", "b Skipped: PipelineRun was gracefully cancelled", "z " + succeeded},
		},
		{
			reason: "who aborts while finally runs ends it too", tasks: plan.Tasks{Finally: []plan.Task{task("z")}},
			takes: map[string]time.Duration{"z": 24 * time.Hour},
			set:   func(w *world) { w.command(12*time.Hour, api.UpdateAbort, api.Command{Who: "ops"}) },
			phase: api.PhaseAborted, want: []string{"z Aborted: TaskRunCancelled"},
		},
		{
			reason: "a run that is paused starts no task until it is resumed",
			tasks:  plan.Tasks{First: []plan.Task{task("a"), task("b", "a")}}, takes: map[string]time.Duration{"a": time.Minute},
			set: func(w *world) {
				w.command(10*time.Second, api.UpdatePause, api.Command{Who: "ops"})
				w.at(time.Hour, func() {
					if began := w.began(); !slices.Equal(began, []string{"a 1"}) {
						w.log = append(w.log, "task too early")
					}
				})
				w.command(2*time.Hour, api.UpdateResume, api.Command{Who: "ops"})
			},
			phase: api.PhaseSucceeded, want: []string{"a " + succeeded, "b " + succeeded}, began: []string{"a 1", "b 1", "cluster a"},
		},
		{
			reason: "finally runs after a rollback, too", tasks: plan.Tasks{Finally: []plan.Task{task("z")}},
			set: func(w *world) {
				w.command(8*time.Second, api.UpdateRollback, api.Command{Who: "ops", Reason: "slow"})
			},
			phase: api.PhaseRolledBack, want: []string{"z " + succeeded},
		},
		{
			reason: "a rollback that is asked for while finally runs does not wait for it",
			tasks:  plan.Tasks{Finally: []plan.Task{task("z")}}, takes: map[string]time.Duration{"z": 24 * time.Hour},
			set: func(w *world) {
				w.command(12*time.Hour, api.UpdateRollback, api.Command{Who: "ops", Reason: "slow"})
				w.at(13*time.Hour, func() {
					if !slices.ContainsFunc(w.log, func(l string) bool { return strings.HasPrefix(l, "Release a RolledBack") }) {
						w.log = append(w.log, "task waits")
					}
				})
			},
			phase: api.PhaseRolledBack, want: []string{"z " + succeeded}, began: []string{"cluster a", "cluster a", "z 1"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.does(&c.tasks, c.made, c.takes)
			if c.set != nil {
				c.set(w)
			}
			got := w.run(t)
			if got.Phase != c.phase {
				t.Errorf("it ended as %s, want %s", got.Phase, c.phase)
			}
			if diff := cmp.Diff(c.want, ofTasks(got)); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			if c.began != nil {
				if diff := cmp.Diff(c.began, w.began()); diff != "" {
					t.Errorf("what began (-want +got):\n%s", diff)
				}
			}
			if got.Phase == api.PhaseFailed && got.Broke() && len(c.tasks.First) > 0 && slices.Contains(w.began(), "cluster a") {
				t.Error("a cluster moved although a task had failed before")
			}
		})
	}
}

func TestWhatARunSaysOfItsTasks(t *testing.T) {
	w := newWorld(t, "a")
	slow := task("slow")
	slow.Retries = 1
	w.does(&plan.Tasks{First: []plan.Task{slow}, Finally: []plan.Task{task("z")}, Results: []plan.RunResult{
		{Name: "count", Of: pipelines.TaskReference{Task: "z", Result: "n", Of: "results"}},
		{Name: "none", Of: pipelines.TaskReference{Task: "slow", Result: "n", Of: "results"}},
	}}, attempts{"z": passes(pipelines.ParamValue{Name: "n", Value: int64(3)}), "slow": func(r step.AttemptRequest) (step.AttemptResult, error) {
		if r.Number == 1 {
			return breaks(r)
		}
		return step.AttemptResult{
			Succeeded: true, Reason: api.ReasonSucceeded,
			Steps: []api.Check{{Name: "slow/check", Verdict: api.Passed, Seen: map[string]any{"pods": 3}}},
		}, nil
	}}, map[string]time.Duration{"slow": time.Hour})
	var during, after api.RunStatus
	w.at(90*time.Minute, func() { during = w.now(t) })
	w.at(2*time.Hour+time.Minute, func() { after = w.now(t) })
	got := w.run(t)

	if during.Phase != api.PhaseChecking || during.Waiting == nil || during.Waiting.Kind != api.WaitTasks || during.Waiting.Unmet[0] != "slow" {
		t.Errorf("while a task runs it says %s, %+v", during.Phase, during.Waiting)
	}
	one := during.Tasks[0]
	if one.Reason != api.ReasonRunning || len(one.Attempts) != 1 || one.Attempts[0].Reason != api.ReasonFailed {
		t.Errorf("its second attempt reads %+v", one)
	}
	if took := one.Attempts[0].Ended.Sub(one.Attempts[0].Started); took != time.Hour {
		t.Errorf("the first took %s", took)
	}
	if after.Waiting != nil && after.Waiting.Kind == api.WaitTasks {
		t.Errorf("once they have ended it waits for %+v", after.Waiting)
	}
	if one = got.Tasks[0]; one.Phase != api.PhaseSucceeded || len(one.Steps) != 1 || one.Steps[0].Seen != nil {
		t.Errorf("it ended as %+v; a run does not carry what each step saw", one)
	}
	if diff := cmp.Diff([]pipelines.ParamValue{{Name: "count", Value: int64(3)}}, got.Results); diff != "" || during.Results != nil {
		t.Errorf("while it runs it hands out %v, at its end (-want +got):\n%s", during.Results, diff)
	}
	if got.FinallyStarted.Before(got.Stages[0].Units[0].Ended) {
		t.Error("finally began before the last cluster had ended")
	}
}

func TestARunThatTakesAnotherBackHasNoTasks(t *testing.T) {
	w := newWorld(t, "a")
	w.does(&plan.Tasks{First: []plan.Task{task("a")}, Finally: []plan.Task{task("z")}}, nil, nil)
	got := w.play(t, api.RolloutInput{
		Run: "agent-2", Plan: "0123456789abcdef", By: "ops", Back: &api.BackInput{Run: "agent-1", Units: []string{"a"}},
	})
	if len(got.Tasks) > 0 || slices.ContainsFunc(w.began(), func(l string) bool { return !strings.HasPrefix(l, "cluster") }) {
		t.Errorf("%+v: %q", got.Tasks, w.began())
	}
}
