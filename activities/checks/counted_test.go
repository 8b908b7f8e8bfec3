package checks_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// asked is an environment with the activities of checks, every step of which is answered by a function.
func asked(t *testing.T, answer func(check.Question) check.Finding) *testsuite.TestActivityEnvironment {
	t.Helper()
	return askedOf(t, func(_ context.Context, q check.Question) check.Finding { return answer(q) })
}

// askedOf is the same, with a source that may wait for its end.
func askedOf(t *testing.T, source check.SourceFunc) *testsuite.TestActivityEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	a := &checks.Activities{Clock: clock.RealClock{}, Measurer: check.NewMeasurer(clock.RealClock{}, check.NewRules(), check.Sources{"gate": source})}
	a.Register(env)
	return env
}

func request(repeat pipelines.Repeat) step.ChecksRequest {
	return step.ChecksRequest{Ref: step.Ref{Run: "agent-1"}, Point: pipelines.BeforeStage, Checks: []pipelines.ResolvedCheck{{
		Name: "c", At: []pipelines.Point{pipelines.BeforeStage}, Enforcement: pipelines.Enforcing, Steps: []pipelines.ResolvedStep{
			{Name: "c/s", StepKinds: pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "true"}}, Repeat: repeat},
		},
	}}}
}

func verdicts(t *testing.T, answer converter.EncodedValue, err error) []api.Check {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var found []api.Check
	if err := answer.Get(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestChecksAtNoClusterAreMeasured(t *testing.T) {
	env := asked(t, func(q check.Question) check.Finding {
		if q.Place != nil || !strings.HasPrefix(q.Key, "agent-1/") || !strings.HasSuffix(q.Key, "/beforeStage/c/s/0") {
			t.Errorf("it is asked at %+v, with the key %q", q.Place, q.Key)
		}
		return check.Finding{Verdict: api.Failed, Message: "no"}
	})
	answer, err := env.ExecuteActivity(step.Ask.Name(), request(pipelines.Repeat{}))
	if found := verdicts(t, answer, err); len(found) != 1 || found[0].Verdict != api.Failed || found[0].At != pipelines.BeforeStage {
		t.Errorf("it found %+v", found)
	}
}

// TestAnotherWorkerGoesOnCounting: what the attempt before this one had counted is in its heartbeats.
func TestAnotherWorkerGoesOnCounting(t *testing.T) {
	for _, c := range []struct {
		reason string
		before any
		want   api.Verdict
		tries  int
	}{
		{"one failure was counted, and one is borne", check.Tallies{"c/s": {Began: time.Now(), Due: time.Now(), Tried: 1, Measured: 1, Failed: 1}}, api.Failed, 1},
		{"nothing was", check.Tallies(nil), api.Passed, 3},
		{"a version that said other things counts for nothing", []string{"?"}, api.Passed, 3},
	} {
		t.Run(c.reason, func(t *testing.T) {
			tries := 0
			env := asked(t, func(check.Question) check.Finding {
				if tries++; tries == 1 {
					return check.Finding{Verdict: api.Failed}
				}
				return check.Finding{Verdict: api.Passed}
			})
			env.SetHeartbeatDetails(c.before)
			answer, err := env.ExecuteActivity(step.Ask.Name(), request(pipelines.Repeat{
				Count: 3, FailureLimit: new(1), Interval: new(pipelines.Duration(time.Millisecond)),
			}))
			if found := verdicts(t, answer, err); found[0].Verdict != c.want || tries != c.tries {
				t.Errorf("it found %+v after %d tries", found, tries)
			}
		})
	}
}

// TestSamplesOutliveTheirWorker: of a hundred, those that another worker had made are not made again.
func TestSamplesOutliveTheirWorker(t *testing.T) {
	tries := 0
	env := asked(t, func(check.Question) check.Finding { tries++; return check.Finding{Verdict: api.Passed} })
	env.SetHeartbeatDetails(check.Tallies{"c/s": {Began: time.Now(), Due: time.Now(), Tried: 120, Measured: 98, Passed: 98, PassedInRow: 98}})
	req := request(pipelines.Repeat{Interval: new(pipelines.Duration(time.Millisecond)), ConsecutiveSuccessLimit: 5})
	req.Checks = pipelines.Sampled(req.Checks, 100)
	answer, err := env.ExecuteActivity(step.Watch.Name(), req)
	if found := verdicts(t, answer, err); found[0].Verdict != api.Passed || tries != 2 {
		t.Errorf("it found %+v after %d tries", found, tries)
	}
}

// TestWhatIsCountedIsInTheHeartbeats: the environment of tests sends one heartbeat in a minute, as a rule before anything was counted,
// and the last one where an activity ends without an answer. So its worker goes, once the heart has beaten for the second time.
func TestWhatIsCountedIsInTheHeartbeats(t *testing.T) {
	ctx, goes := context.WithCancel(t.Context())
	defer goes()
	tries := 0
	env := asked(t, func(check.Question) check.Finding {
		if tries++; tries == 2 {
			goes()
		}
		return check.Finding{Verdict: api.Passed, Message: "fine"}
	})
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	var mu sync.Mutex
	var beats []check.Tallies
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var said check.Tallies
		if err := details.Get(&said); err != nil {
			t.Error(err)
		}
		mu.Lock()
		beats = append(beats, said)
		mu.Unlock()
	})
	_, err := env.ExecuteActivity(step.Watch.Name(), request(pipelines.Repeat{Count: 3, Interval: new(pipelines.Duration(6 * time.Second))}))
	if err == nil {
		t.Error("a worker that goes has an answer")
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(beats, func(said check.Tallies) bool { return said["c/s"].Measured == 1 && said["c/s"].Message == "fine" }) {
		t.Errorf("the heartbeats said %+v", beats)
	}
}
