package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func taskOf(name string, after ...string) plan.Task {
	return plan.Task{Name: name, After: after, Combinations: []pipelines.Combination{{}}}
}

func reading(name, of string) plan.Task {
	t := taskOf(name, of)
	t.Reads = []string{of}
	t.Combinations[0].From = []pipelines.ParamFrom{{Name: "n", Type: pipelines.TypeInt, Value: "$(tasks." + of + ".results.found)"}}
	return t
}

func taskAt(name string, p api.Phase, reason string) api.TaskStatus {
	return api.TaskStatus{Name: name, Phase: p, Reason: reason}
}

func TestWhichTasksStart(t *testing.T) {
	found := api.TaskStatus{Name: "a", Phase: api.PhaseSucceeded, Results: []pipelines.ParamValue{{Name: "found", Value: int64(1)}}}
	ab := []plan.Task{taskOf("a"), taskOf("b", "a")}
	for _, c := range []struct {
		reason string
		now    plan.TasksNow
		want   string
	}{
		{"what waits for nothing starts", plan.TasksNow{List: ab, Status: plan.TasksBegin(ab, false)}, "start a"},
		{
			"once it has begun the next waits for it",
			plan.TasksNow{List: ab, Status: plan.TasksBegin(ab, false), Started: map[string]bool{"a": true}}, "",
		},
		{"once it has ended the next starts", plan.TasksNow{List: ab, Status: []api.TaskStatus{found, taskAt("b", api.PhasePending, "")}}, "start b"},
		{"all have ended", plan.TasksNow{List: ab, Status: []api.TaskStatus{found, taskAt("b", api.PhaseFailed, api.ReasonFailed)}}, "done"},
		{"nothing starts in a run that is paused", plan.TasksNow{List: ab, Status: plan.TasksBegin(ab, false), Paused: true}, ""},
		{
			"what is halted is skipped, all of it", plan.TasksNow{List: ab, Status: plan.TasksBegin(ab, false), Halt: api.SkippedAsStopping},
			"skip a: PipelineRun was stopping; skip b: PipelineRun was stopping",
		},
		{
			"but for what runs", plan.TasksNow{
				List: ab, Status: plan.TasksBegin(ab, false), Halt: api.SkippedAsCancelled, Started: map[string]bool{"a": true},
			},
			"skip b: PipelineRun was gracefully cancelled",
		},
		{
			"a condition keeps back its own task alone",
			plan.TasksNow{List: ab, Status: []api.TaskStatus{taskAt("a", api.PhaseSkipped, api.SkippedByWhen), taskAt("b", api.PhasePending, "")}},
			"start b",
		},
		{
			"any other skip takes along what comes after",
			plan.TasksNow{List: ab, Status: []api.TaskStatus{
				taskAt("a", api.PhaseSkipped, api.SkippedForEmptyMatrix), taskAt("b", api.PhasePending, ""),
			}},
			"skip b: Parent Tasks were skipped",
		},
		{
			"a result is there", plan.TasksNow{
				List: []plan.Task{taskOf("a"), reading("b", "a")}, Status: []api.TaskStatus{found, taskAt("b", api.PhasePending, "")},
			},
			"start b",
		},
		{
			"a result is missing", plan.TasksNow{
				List: []plan.Task{taskOf("a"), reading("b", "a")}, Status: []api.TaskStatus{
					taskAt("a", api.PhaseSucceeded, ""), taskAt("b", api.PhasePending, ""),
				},
			},
			"skip b: Results were missing",
		},
		{
			"a task whose failure counts as nothing has yielded nothing", plan.TasksNow{
				List: []plan.Task{taskOf("a"), reading("b", "a")}, Status: []api.TaskStatus{
					taskAt("a", api.PhaseFailed, api.ReasonFailureIgnored), taskAt("b", api.PhasePending, ""),
				},
			},
			"skip b: Results were missing",
		},
		{
			"one of finally reads a task of the list before", plan.TasksNow{
				List: []plan.Task{{Name: "z", Reads: []string{"a"}, Combinations: reading("z", "a").Combinations}},
				Status: []api.TaskStatus{
					taskAt("a", api.PhaseSkipped, api.SkippedByWhen), {Name: "z", Finally: true, Phase: api.PhasePending},
				},
			},
			"skip z: Results were missing",
		},
		{
			"a matrix without combinations", plan.TasksNow{
				List: []plan.Task{{Name: "m", Matrix: true}}, Status: []api.TaskStatus{taskAt("m", api.PhasePending, "")},
			},
			"skip m: Matrix Parameters have an empty array",
		},
	} {
		next := c.now.Next()
		var got []string
		for _, i := range next.Start {
			got = append(got, "start "+c.now.List[i].Name)
		}
		for _, s := range next.Skip {
			got = append(got, "skip "+c.now.List[s.Index].Name+": "+s.Reason)
		}
		if next.Done {
			got = append(got, "done")
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: %q, want %q", c.reason, text, c.want)
		}
	}
}

// TestTasksComeToAnEnd plays lists of any shape, whatever becomes of each: every task ends, none starts before what it waits for
// has ended, and none is looked at twice.
func TestTasksComeToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "tasks")
		var list []plan.Task
		for i := range n {
			one := taskOf(fmt.Sprint("t", i))
			for j := range i {
				if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
					one.After = append(one.After, fmt.Sprint("t", j))
					if rapid.Bool().Draw(t, "reads") {
						one.Reads = append(one.Reads, fmt.Sprint("t", j))
					}
				}
			}
			list = append(list, one)
		}
		now := plan.TasksNow{List: list, Status: plan.TasksBegin(list, false), Started: map[string]bool{}}
		end := func(i int, p api.Phase, reason string) {
			if now.Status[i].Phase.Final() {
				t.Fatalf("%s ends twice", list[i].Name)
			}
			now.Status[i].Phase, now.Status[i].Reason = p, reason
		}
		for range 3 * n {
			next := now.Next()
			if next.Done {
				return
			}
			if len(next.Skip)+len(next.Start) == 0 {
				t.Fatalf("nothing gets on: %+v", now.Status)
			}
			for _, s := range next.Skip {
				end(s.Index, api.PhaseSkipped, s.Reason)
			}
			if len(next.Skip) > 0 {
				continue
			}
			for _, i := range next.Start {
				for _, name := range list[i].After {
					at := slices.IndexFunc(list, func(o plan.Task) bool { return o.Name == name })
					if !now.Status[at].Phase.Final() {
						t.Fatalf("%s starts before %s has ended", list[i].Name, name)
					}
				}
				switch rapid.IntRange(0, 2).Draw(t, "ends") {
				case 0:
					end(i, api.PhaseSucceeded, "")
				case 1:
					end(i, api.PhaseSkipped, api.SkippedByWhen)
				default:
					end(i, api.PhaseFailed, api.ReasonFailureIgnored)
				}
			}
		}
		t.Fatal("they did not come to an end")
	})
}

func TestWhatFinallyReads(t *testing.T) {
	ok, bad := taskAt("a", api.PhaseSucceeded, api.ReasonSucceeded), taskAt("b", api.PhaseFailed, api.ReasonTaskRunTimeout)
	skipped, ignored := taskAt("c", api.PhaseSkipped, api.SkippedByWhen), taskAt("d", api.PhaseFailed, api.ReasonFailureIgnored)
	for _, c := range []struct {
		reason, ref string
		status      []api.TaskStatus
		want        string
	}{
		{"a task that passed", "$(tasks.a.status)", []api.TaskStatus{ok}, "Succeeded"},
		{"one that failed", "$(tasks.b.status)", []api.TaskStatus{bad}, "Failed"},
		{"why it failed", "$(tasks.b.reason)", []api.TaskStatus{bad}, "TaskRunTimeout"},
		{"one that was skipped", "$(tasks.c.status)", []api.TaskStatus{skipped}, "None"},
		{"and has no reason", "$(tasks.c.reason)", []api.TaskStatus{skipped}, "None"},
		{"one whose failure counts as nothing", "$(tasks.d.status)", []api.TaskStatus{ignored}, "Succeeded"},
		{"says so", "$(tasks.d.reason)", []api.TaskStatus{ignored}, "FailureIgnored"},
		{"all passed", "$(tasks.status)", []api.TaskStatus{ok, ignored}, "Succeeded"},
		{"one was skipped", "$(tasks.status)", []api.TaskStatus{ok, skipped}, "Completed"},
		{"one failed", "$(tasks.status)", []api.TaskStatus{ok, skipped, bad}, "Failed"},
		{"none has begun", "$(tasks.status)", []api.TaskStatus{skipped}, "None"},
		{"there are none", "$(tasks.status)", nil, "None"},
	} {
		ref, is := pipelines.ReferenceOf(c.ref)
		got, known := plan.TasksNow{Status: c.status}.Value(ref)
		if !is || !known || got != c.want {
			t.Errorf("%s: %s is %v, want %s", c.reason, c.ref, got, c.want)
		}
	}
	if _, known := (plan.TasksNow{}).Value(pipelines.TaskReference{Task: "x", Of: "status"}); known {
		t.Error("a task that is not there has a status")
	}
}

func TestWhatIsReadOfTheRun(t *testing.T) {
	now := plan.TasksNow{Run: "agent-2", Pipeline: "careful"}
	for text, want := range map[string]string{"$(context.pipelineRun.name)": "agent-2", "$(context.pipeline.name)": "careful"} {
		ref, ok := pipelines.ReferenceOf(text)
		if got, there := now.Value(ref); !ok || !there || got != want || ref.String() != text {
			t.Errorf("%s is %v, and %s", text, got, ref)
		}
	}
}

func TestWhatARunHandsOut(t *testing.T) {
	of := func(task, result, part string) pipelines.TaskReference {
		return pipelines.TaskReference{Task: task, Result: result, Of: "results", Part: part}
	}
	tasks := &plan.Tasks{Results: []plan.RunResult{
		{Name: "hosts", Of: of("a", "hosts", "[*]")}, {Name: "first", Of: of("a", "hosts", "[0]")}, {Name: "third", Of: of("a", "hosts", "[2]")},
		{Name: "none", Of: of("b", "n", "")}, {Name: "last", Of: of("z", "n", "")}, {Name: "large", Of: of("z", "text", "")}, {Name: "more", Of: of("z", "n", "")},
	}}
	results, leftOut := tasks.Yielded([]api.TaskStatus{
		{Name: "a", Phase: api.PhaseSucceeded, Results: []pipelines.ParamValue{{Name: "hosts", Value: []string{"x", "y"}}}},
		{Name: "b", Phase: api.PhaseFailed, Results: []pipelines.ParamValue{{Name: "n", Value: int64(1)}}},
		{Name: "z", Finally: true, Phase: api.PhaseSucceeded, Results: []pipelines.ParamValue{
			{Name: "n", Value: int64(2)}, {Name: "text", Value: strings.Repeat("x", 4070)},
		}},
	})
	want := []pipelines.ParamValue{
		{Name: "hosts", Value: []string{"x", "y"}}, {Name: "first", Value: "x"}, {Name: "last", Value: int64(2)}, {Name: "more", Value: int64(2)},
	}
	if diff := cmp.Diff(want, results); diff != "" || !slices.Equal(leftOut, []string{"large"}) {
		t.Errorf("left out: %v (-want +got):\n%s", leftOut, diff)
	}
}

func TestTimeoutsOfTasks(t *testing.T) {
	minutes := func(n int) pipelines.Duration { return pipelines.Duration(n) * pipelines.Duration(time.Minute) }
	for _, c := range []struct {
		reason  string
		given   plan.TasksTimeouts
		took    time.Duration
		tasks   string
		finally string
	}{
		{"nothing is bounded unless somebody says so", plan.TasksTimeouts{}, time.Hour, "0s pipeline", "0s"},
		{"each by itself", plan.TasksTimeouts{Tasks: minutes(5), Finally: minutes(3)}, time.Minute, "5m0s tasks", "3m0s finally"},
		{"the whole bounds the tasks, and finally has what they leave", plan.TasksTimeouts{Pipeline: minutes(10)}, 4 * time.Minute,
			"10m0s pipeline", "6m0s pipeline"},
		{"or nothing", plan.TasksTimeouts{Pipeline: minutes(10)}, 11 * time.Minute, "10m0s pipeline", "-1ns pipeline"},
	} {
		limit, of := c.given.OfTasks()
		if got := strings.TrimSpace(fmt.Sprint(limit, " ", of)); got != c.tasks {
			t.Errorf("%s: tasks have %s, want %s", c.reason, got, c.tasks)
		}
		limit, of = c.given.OfFinally(c.took)
		if got := strings.TrimSpace(fmt.Sprint(limit, " ", of)); got != c.finally {
			t.Errorf("%s: finally has %s, want %s", c.reason, got, c.finally)
		}
	}
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	took := plan.TasksTook([]api.TaskStatus{
		{Started: at.Add(time.Minute), Ended: at.Add(3 * time.Minute)}, {Started: at, Ended: at.Add(time.Minute)},
		{Phase: api.PhaseSkipped, Ended: at.Add(time.Hour)}, {Finally: true, Started: at, Ended: at.Add(2 * time.Hour)},
	})
	if diff := cmp.Diff(3*time.Minute, took); diff != "" {
		t.Errorf("from the first start to the last end (-want +got):\n%s", diff)
	}
}
