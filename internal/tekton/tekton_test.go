package tekton_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/tekton"
)

// TestSamples holds runs to samples that were written after Tekton's status layout, field for field.
func TestSamples(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("there are no samples: %v", err)
	}
	for _, path := range archives {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var run api.RunStatus
			for _, f := range archive.Files {
				switch kind, name, _ := strings.Cut(f.Name, " "); kind {
				case "run.yaml":
					if err := yaml.UnmarshalStrict(f.Data, &run); err != nil {
						t.Fatal(err)
					}
				case "PipelineRun":
					same(t, f, tekton.OfRun(&run))
				case "TaskRun":
					task, ok := tekton.OfTask(&run, name)
					if !ok {
						t.Errorf("there is no TaskRun %s", name)
						continue
					}
					same(t, f, task)
				default:
					t.Errorf("what is %s?", f.Name)
				}
			}
		})
	}
}

func same(t *testing.T, sample txtar.File, object any) {
	t.Helper()
	body, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := yaml.Unmarshal(sample.Data, &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-sample +got):\n%s", sample.Name, diff)
	}
}

func stage(phases ...api.Phase) []api.StageStatus {
	st := api.StageStatus{Name: "all"}
	for i, p := range phases {
		st.Units = append(st.Units, api.UnitStatus{Cluster: string(rune('a' + i)), Stage: "all", Phase: p})
	}
	return []api.StageStatus{st}
}

func tasks(all ...api.TaskStatus) api.TaskReport { return api.TaskReport{Tasks: all} }

func TestTheConditionOfARun(t *testing.T) {
	ops, itself := &api.Ending{By: "ops@example.com"}, &api.Ending{By: api.BySluice}
	last := api.TaskStatus{Name: "notify", Finally: true, Phase: api.PhasePending}
	broken := api.TaskStatus{Name: "build", Phase: api.PhaseFailed, Reason: api.ReasonFailed}
	finallyBegan := func(r api.TaskReport, out api.TimeoutOf) api.TaskReport {
		r.TimedOut, r.FinallyStarted = out, r.FinallyStarted.AddDate(2026, 0, 0)
		return r
	}
	for _, c := range []struct {
		reason  string
		run     api.RunStatus
		status  string
		because string
		message string
	}{
		{
			"it has not begun", api.RunStatus{Phase: api.PhasePending, Stages: stage(api.PhasePending)},
			"Unknown", "Started", "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0",
		},
		{
			"units move and wait", api.RunStatus{Phase: api.PhaseMoving, Stages: stage(api.PhaseSucceeded, api.PhaseSoaking, api.PhasePending)},
			"Unknown", "Running", "Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0",
		},
		{
			"what stands has not ended", api.RunStatus{Phase: api.PhaseHeld, Stages: stage(api.PhaseHeld)},
			"Unknown", "Running", "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0",
		},
		{
			"a task ends it", api.RunStatus{Phase: api.PhaseMoving, Stages: stage(api.PhasePending), TaskReport: tasks(broken)},
			"Unknown", "PipelineRunStopping", "Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 0",
		},
		{
			"it goes back by itself", api.RunStatus{Phase: api.PhaseRollingBack, Ending: itself, Stages: stage(api.PhaseRollingBack)},
			"Unknown", "PipelineRunStopping", "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0",
		},
		{
			"a person ends it, and nothing is to come", api.RunStatus{Phase: api.PhaseMoving, Ending: ops, Stages: stage(api.PhaseMoving)},
			"Unknown", "Cancelled", "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0",
		},
		{
			"a person ends it, and finally is to come",
			api.RunStatus{Phase: api.PhaseMoving, Ending: ops, Stages: stage(api.PhaseAborted), TaskReport: tasks(last)},
			"Unknown", "CancelledRunningFinally", "Tasks Completed: 1 (Failed: 0, Cancelled 1), Incomplete: 1, Skipped: 0",
		},
		{
			"its tasks took too long, and finally runs",
			api.RunStatus{Phase: api.PhaseMoving, TaskReport: finallyBegan(tasks(broken, last), api.TimeoutOfTasks)},
			"Unknown", "PipelineRunTimeoutRunningFinally", "Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 0",
		},
		{
			"all went well", api.RunStatus{Phase: api.PhaseSucceeded, Stages: stage(api.PhaseSucceeded)},
			"True", "Succeeded", "Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 0",
		},
		{
			"all went well but for one out of reach", api.RunStatus{Phase: api.PhaseSucceeded, Stages: stage(api.PhaseSucceeded, api.PhaseMissed)},
			"True", "Completed", "Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 1",
		},
		{
			"a unit failed, and another never began", api.RunStatus{Phase: api.PhaseFailed, Stages: stage(api.PhaseFailed, api.PhaseSkipped)},
			"False", "Failed", "Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 1",
		},
		{
			"it went back by itself", api.RunStatus{Phase: api.PhaseRolledBack, Ending: itself, Stages: stage(api.PhaseRolledBack)},
			"False", "Failed", "Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 0",
		},
		{
			"a person took it back", api.RunStatus{Phase: api.PhaseRolledBack, Ending: ops, Stages: func() []api.StageStatus {
				all := stage(api.PhaseRolledBack)
				all[0].Units[0].Ending = ops
				return all
			}()},
			"False", "Cancelled", "Tasks Completed: 1 (Failed: 0, Cancelled 1), Skipped: 0",
		},
		{
			"a person ended it", api.RunStatus{Phase: api.PhaseAborted, Ending: ops, Stages: stage(api.PhaseAborted, api.PhaseSkipped)},
			"False", "Cancelled", "Tasks Completed: 1 (Failed: 0, Cancelled 1), Skipped: 1",
		},
		{
			"what failed goes before who ended it",
			api.RunStatus{Phase: api.PhaseAborted, Ending: ops, Stages: stage(api.PhaseAborted, api.PhaseFailed)},
			"False", "Failed", "Tasks Completed: 2 (Failed: 1, Cancelled 1), Skipped: 0",
		},
		{
			"its tasks took too long",
			api.RunStatus{Phase: api.PhaseFailed, TaskReport: finallyBegan(tasks(broken), api.TimeoutOfTasks), Stages: stage(api.PhaseSkipped)},
			"False", "PipelineRunTimeout", "Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 1",
		},
		{
			"finally took too long: what it is about has long ended",
			api.RunStatus{Phase: api.PhaseFailed, TaskReport: finallyBegan(tasks(broken), api.TimeoutOfFinally), Stages: stage(api.PhaseSucceeded)},
			"False", "Failed", "Tasks Completed: 2 (Failed: 1, Cancelled 0), Skipped: 0",
		},
		{
			"the combinations of a matrix are one task, as bad as the worst",
			api.RunStatus{Phase: api.PhaseSucceeded, TaskReport: tasks(
				api.TaskStatus{Name: "m", Combination: 1, Phase: api.PhaseSucceeded},
				api.TaskStatus{Name: "m", Combination: 2, Phase: api.PhaseFailed, Reason: api.ReasonFailureIgnored},
			)},
			"True", "Succeeded", "Tasks Completed: 1 (Failed: 1 (Ignored: 1), Cancelled 0), Skipped: 0",
		},
	} {
		got := tekton.OfRun(&c.run).Status.Conditions[0]
		if got.Type != "Succeeded" || got.Status != c.status || got.Reason != c.because || got.Message != c.message {
			t.Errorf("%s: %+v,\nwant %s %s %s", c.reason, got, c.status, c.because, c.message)
		}
	}
}

func TestWhyATaskWasSkipped(t *testing.T) {
	ops := &api.Ending{By: "ops@example.com"}
	for _, c := range []struct {
		reason string
		run    api.RunStatus
		want   []tekton.SkippedTask
	}{
		{
			"the task says why", api.RunStatus{Phase: api.PhaseMoving, TaskReport: tasks(
				api.TaskStatus{Name: "a", Phase: api.PhaseSkipped, Reason: api.SkippedWithParents},
				api.TaskStatus{Name: "b", Combination: 1, Phase: api.PhaseSkipped, Reason: api.SkippedTasksTimeout},
				api.TaskStatus{Name: "b", Combination: 2, Phase: api.PhaseSkipped, Reason: api.SkippedTasksTimeout},
			)},
			[]tekton.SkippedTask{
				{Name: "a", Reason: "Parent Tasks were skipped"}, {Name: "b", Reason: "PipelineRun Tasks timeout has been reached"},
			},
		},
		{
			"a cluster that the run did not come to, since another failed",
			api.RunStatus{Phase: api.PhaseFailed, Stages: stage(api.PhaseFailed, api.PhaseSkipped)},
			[]tekton.SkippedTask{{Name: "b", Reason: "PipelineRun was stopping"}},
		},
		{
			"a cluster that the run did not come to, since a person ended it",
			api.RunStatus{Phase: api.PhaseAborted, Ending: ops, Stages: stage(api.PhasePending)},
			[]tekton.SkippedTask{{Name: "a", Reason: "PipelineRun was gracefully cancelled"}},
		},
		{"what may still come is not skipped", api.RunStatus{Phase: api.PhaseMoving, Stages: stage(api.PhasePending)}, nil},
	} {
		if diff := cmp.Diff(c.want, tekton.OfRun(&c.run).Status.SkippedTasks); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestNamesOfTaskRuns(t *testing.T) {
	long := strings.Repeat("r", 60)
	for _, c := range []struct {
		reason, run, task, want string
	}{
		{"both names are joined", "agent-7", "prod-1", "agent-7-prod-1"},
		{"63 characters still do", strings.Repeat("r", 56), "prod-1", strings.Repeat("r", 56) + "-prod-1"},
		{"past that the run is cut, and its hash tells it from others", long, "prod-1", strings.Repeat("r", 24) + "fc58ac6720764672e18f97efd7ef704e-prod-1"},
		{
			"a task whose name leaves no room is in the hash", "agent-7", strings.Repeat("t", 60),
			"agent-7" + "c9f9d096166f5ba48477b6aa33dc203f" + "-" + strings.Repeat("t", 23),
		},
	} {
		run := api.RunStatus{Name: c.run, Phase: api.PhaseMoving, TaskReport: tasks(api.TaskStatus{Name: c.task, Phase: api.PhaseSucceeded})}
		got := tekton.OfRun(&run).Status.ChildReferences[0].Name
		if got != c.want || len(got) > 63 {
			t.Errorf("%s: %s, want %s", c.reason, got, c.want)
		}
		if _, ok := tekton.OfTask(&run, got); !ok {
			t.Errorf("%s: %s is not found by its name", c.reason, got)
		}
	}
}

func TestNamesThatMeet(t *testing.T) {
	run := api.RunStatus{Name: "r", Phase: api.PhaseMoving, Stages: stage(api.PhaseMoving), TaskReport: tasks(
		api.TaskStatus{Name: "a", Phase: api.PhaseSucceeded}, api.TaskStatus{Name: "m", Combination: 2, Phase: api.PhaseSucceeded},
		api.TaskStatus{Name: "n", Phase: api.PhasePending},
	)}
	refs := tekton.OfRun(&run).Status.ChildReferences
	if refs[0].Name != "r-a" || refs[1].Name != "r-m-1" || refs[2].Name == "r-a" || !strings.HasPrefix(refs[2].Name, "r-a-") {
		t.Errorf("%+v", refs)
	}
	if len(refs) != 3 {
		t.Errorf("what has not begun is no TaskRun yet: %+v", refs)
	}
	if got, _ := tekton.OfTask(&run, refs[2].Name); got.Metadata.Labels["tekton.dev/memberOf"] != "stages" {
		t.Errorf("%s is not the cluster: %+v", refs[2].Name, got)
	}
	if _, ok := tekton.OfTask(&run, "r-n"); ok {
		t.Error("what has not begun has a TaskRun")
	}
}

func TestTheConditionOfACluster(t *testing.T) {
	ops := &api.Ending{By: "ops@example.com", Reason: "too slow"}
	bad := &api.Check{Name: "pods", Verdict: api.Failed, Message: "2 restarts"}
	for _, c := range []struct {
		reason  string
		unit    api.UnitStatus
		status  string
		because string
		message string
	}{
		{"it moves", api.UnitStatus{Phase: api.PhaseMoving}, "Unknown", "Running", "Not all Steps in the Task have finished executing"},
		{
			"it is held", api.UnitStatus{Phase: api.PhaseHeld, Waiting: &api.Waiting{Kind: api.WaitCheck, Name: "pods"}},
			"Unknown", "Running", "Held: waits for check pods",
		},
		{"it is there", api.UnitStatus{Phase: api.PhaseSucceeded}, "True", "Succeeded", "All Steps have completed executing"},
		{
			"a check stopped it", api.UnitStatus{Phase: api.PhaseFailed, Failure: bad, FailedAt: "g/a/all/1"},
			"False", "Failed", "Failed: pods at g/a/all/1: Failed: 2 restarts",
		},
		{
			"a check took it back", api.UnitStatus{Phase: api.PhaseRolledBack, Failure: bad, FailedAt: "g/a/all/1"},
			"False", "Failed", "RolledBack: pods at g/a/all/1: Failed: 2 restarts",
		},
		{
			"a person took it back", api.UnitStatus{Phase: api.PhaseRolledBack, Ending: ops},
			"False", "TaskRunCancelled", "RolledBack by ops@example.com: too slow",
		},
		{"a person ended it", api.UnitStatus{Phase: api.PhaseAborted, Ending: ops}, "False", "TaskRunCancelled", "Aborted by ops@example.com: too slow"},
	} {
		c.unit.Cluster = "a"
		run := api.RunStatus{Name: "r", Phase: api.PhaseMoving, Stages: []api.StageStatus{{Units: []api.UnitStatus{c.unit}}}}
		task, ok := tekton.OfTask(&run, "r-a")
		if !ok {
			t.Fatalf("%s: there is no TaskRun", c.reason)
		}
		got := task.Status.Conditions[0]
		if got.Status != c.status || got.Reason != c.because || got.Message != c.message {
			t.Errorf("%s: %+v,\nwant %s %s %s", c.reason, got, c.status, c.because, c.message)
		}
	}
}

func TestTheConditionOfATask(t *testing.T) {
	began := api.RunStatus{}.Started.AddDate(2026, 0, 0)
	for _, c := range []struct {
		reason          string
		task            api.TaskStatus
		status, because string
	}{
		{"it has been started", api.TaskStatus{Phase: api.PhaseMoving, Reason: api.ReasonStarted, Started: began}, "Unknown", "Started"},
		{"it runs", api.TaskStatus{Phase: api.PhaseMoving, Reason: api.ReasonRunning, Started: began}, "Unknown", "Running"},
		{"it is tried again", api.TaskStatus{Phase: api.PhaseMoving, Reason: api.ReasonToBeRetried, Started: began}, "Unknown", "ToBeRetried"},
		{"it passed", api.TaskStatus{Phase: api.PhaseSucceeded}, "True", "Succeeded"},
		{"it failed", api.TaskStatus{Phase: api.PhaseFailed, Reason: api.ReasonFailed}, "False", "Failed"},
		{"its failure is nothing", api.TaskStatus{Phase: api.PhaseFailed, Reason: api.ReasonFailureIgnored}, "False", "FailureIgnored"},
		{"it took too long", api.TaskStatus{Phase: api.PhaseFailed, Reason: api.ReasonTaskRunTimeout}, "False", "TaskRunTimeout"},
		{
			"it handed out too much", api.TaskStatus{Phase: api.PhaseFailed, Reason: api.ReasonResultTooLarge},
			"False", "TaskRunResultLargerThanAllowedLimit",
		},
		{"it was ended", api.TaskStatus{Phase: api.PhaseAborted}, "False", "TaskRunCancelled"},
	} {
		c.task.Name = "t"
		run := api.RunStatus{Name: "r", Phase: api.PhaseMoving, TaskReport: tasks(c.task)}
		task, ok := tekton.OfTask(&run, "r-t")
		if got := task.Status.Conditions; !ok || got[0].Status != c.status || got[0].Reason != c.because {
			t.Errorf("%s: %+v, want %s %s", c.reason, got, c.status, c.because)
		}
	}
}
