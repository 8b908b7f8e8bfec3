package workflows_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func TestAPausedSoakEndsLaterAndSaysSo(t *testing.T) {
	w := newWorld(t, "a")
	w.rules.Batches = []pipelines.Amount{pipelines.Percent(100)}
	w.rules.Soak.Batch = pipelines.Duration(time.Hour)
	began := w.env.Now()
	w.command(10*time.Minute, api.UpdatePause, api.Command{})
	w.command(40*time.Minute, api.UpdateResume, api.Command{})
	var until time.Time
	w.env.RegisterDelayedCallback(func() {
		var u api.UnitStatus
		v, err := w.env.QueryWorkflowByID("prod/a/agent", api.QueryStatus)
		if err == nil {
			err = v.Get(&u)
		}
		if err != nil || u.Waiting == nil || u.Waiting.Kind != "soak" {
			t.Fatalf("it waits for %+v, %v", u.Waiting, err)
		}
		until = u.Waiting.Until
	}, 50*time.Minute)
	w.run(t)
	ended := w.records[0].Batches[0].Ended
	if took := ended.Sub(began); took < 90*time.Minute || took > 91*time.Minute {
		t.Errorf("the soak of an hour with a pause of half an hour ended after %s", took)
	}
	if off := ended.Sub(until); off < -2*time.Second || off > 2*time.Second {
		t.Errorf("it said that it ends at %s, and ended at %s", until, ended)
	}
}

func TestAUnitThatFailsWithinTheBudgetSaysSo(t *testing.T) {
	for policy, want := range map[pipelines.OnFailure]string{
		pipelines.Pause:    "stage production bears it: 1 unit failed so far, maxFailures is 1",
		pipelines.Continue: "the pipeline says onFailure: Continue; 1 unit of stage production failed so far",
	} {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.plan.OnFailure = policy
			if policy == pipelines.Pause {
				w.plan.Stages[0].MaxFailures = 1
			}
			w.facts = func(cluster string, f *rule.Facts) {
				if cluster == "a" {
					f.Workload.Restarts = 1
				}
			}
			end := w.run(t)
			if by := end.Stages[0].Units[0].Ending; by == nil || by.By != api.BySluice || by.Reason != want {
				t.Errorf("it ended by %+v, want %q", by, want)
			}
		})
	}
}

func TestAFailedCheckKeepsThePodsThatItIsAbout(t *testing.T) {
	w := newWorld(t, "a")
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	w.stuck = &api.Stuck{Pods: []api.Pod{{Name: "agent-x", Reason: "CrashLoopBackOff", Restarts: 3}}}
	w.command(time.Hour, api.UpdateAbort, api.Command{})
	w.run(t)
	if b := w.records[0].Batches[0]; b.Stuck == nil || b.Stuck.Pods[0].Name != "agent-x" {
		t.Errorf("the batch at which it was stopped is kept without its pods: %+v", b)
	}
}
