package checks_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/worker"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

func attempt(combination, number int, declared ...pipelines.TaskResult) step.AttemptRequest {
	about := request(pipelines.Repeat{})
	return step.AttemptRequest{
		Ref: about.Ref, Point: pipelines.BeforeRun, Task: about.Checks[0], Declared: declared, Combination: combination, Number: number,
	}
}

// TestEachAttemptIsMadeAnew: what a source made for one attempt, or for another combination, is not taken for the answer to this one.
func TestEachAttemptIsMadeAnew(t *testing.T) {
	combined := attempt(1, 1)
	combined.Matrix = true
	for _, c := range []struct {
		reason string
		req    step.AttemptRequest
		within string
		named  string // with its retries
	}{
		{"the first", attempt(0, 1), "/task/0/1/beforeRun/c/s/0", "agent-1-c 0"},
		{"another try", attempt(0, 2), "/task/0/2/beforeRun/c/s/0", "agent-1-c 1"},
		{"another combination", combined, "/task/1/1/beforeRun/c/s/0", "agent-1-c-1 0"},
	} {
		var key, named string
		env := asked(t, func(q check.Question) check.Finding {
			key, named = q.Key, fmt.Sprintf("%s %d", q.TaskRun, q.Retry)
			return check.Finding{Verdict: api.Passed}
		})
		if _, err := env.ExecuteActivity(step.Attempt.Name(), c.req); err != nil {
			t.Fatal(err)
		}
		if named != c.named {
			t.Errorf("%s: its TaskRun is %s", c.reason, named)
		}
		if !strings.HasPrefix(key, "agent-1/") || !strings.HasSuffix(key, c.within) {
			t.Errorf("%s: the key is %q", c.reason, key)
		}
	}
}

func TestAnAttemptHandsOnWhatItsStepsYield(t *testing.T) {
	for _, c := range []struct {
		reason  string
		verdict api.Verdict
		want    []pipelines.ParamValue
	}{
		{"what is declared, in its type", api.Passed, []pipelines.ParamValue{{Name: "n", Value: int64(3)}}},
		{"nothing of one that failed", api.Failed, nil},
	} {
		env := asked(t, func(check.Question) check.Finding {
			return check.Finding{Verdict: c.verdict, Results: map[string]any{"n": int64(3), "other": "x"}}
		})
		answer, err := env.ExecuteActivity(step.Attempt.Name(), attempt(0, 1, pipelines.TaskResult{Name: "n", Type: "int"}))
		if err != nil {
			t.Fatal(err)
		}
		var made step.AttemptResult
		if err := answer.Get(&made); err != nil {
			t.Fatal(err)
		}
		if made.Succeeded != (c.verdict == api.Passed) || len(made.Steps) != 1 || made.Steps[0].Verdict != c.verdict {
			t.Errorf("%s: it made %+v", c.reason, made)
		}
		if diff := cmp.Diff(c.want, made.Results); diff != "" {
			t.Errorf("%s: results (-want +got):\n%s", c.reason, diff)
		}
	}
}

// TestAnotherWorkerGoesOnWithAnAttempt: a step that was decided before the worker died is not measured again.
func TestAnotherWorkerGoesOnWithAnAttempt(t *testing.T) {
	env := asked(t, func(check.Question) check.Finding {
		t.Error("it is measured again")
		return check.Finding{Verdict: api.Failed}
	})
	env.SetHeartbeatDetails(check.Tallies{"c/s": {Began: time.Now(), Due: time.Now(), Tried: 1, Measured: 1, Passed: 1, Verdict: api.Passed}})
	answer, err := env.ExecuteActivity(step.Attempt.Name(), attempt(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	var made step.AttemptResult
	if err := answer.Get(&made); err != nil || !made.Succeeded {
		t.Errorf("it made %+v, %v", made, err)
	}
}

// TestAWorkerThatGoesMakesNoVerdict stops the worker while a source looks; what the source still says is not heard.
func TestAWorkerThatGoesMakesNoVerdict(t *testing.T) {
	for name, req := range map[string]any{
		step.Attempt.Name(): attempt(0, 1), step.Ask.Name(): request(pipelines.Repeat{}), step.Watch.Name(): request(pipelines.Repeat{}),
	} {
		ctx, stop := context.WithCancel(t.Context())
		env := askedOf(t, func(ctx context.Context, _ check.Question) check.Finding {
			stop()
			<-ctx.Done()
			return check.Finding{Verdict: api.Failed, Message: "cut short"}
		})
		env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
		if answer, err := env.ExecuteActivity(name, req); err == nil {
			var made any
			t.Errorf("%s says %+v, %v", name, made, answer.Get(&made))
		}
	}
}
