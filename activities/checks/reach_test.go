package checks_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// TestAClusterOutOfReachIsNoErrorOfACheck: it is waited for, and what was counted before counts on. Whoever cannot be asked while the
// cluster answers is an error.
func TestAClusterOutOfReachIsNoErrorOfACheck(t *testing.T) {
	repeat := pipelines.Repeat{Count: 3, Interval: new(pipelines.Duration(time.Millisecond)), ConsecutiveErrorLimit: new(1)}
	for _, c := range []struct {
		reason string
		does   string // the activity
		away   bool   // the cluster is, from the third measurement on, for half a second
		want   api.Verdict
		code   fault.Code // of the activity's error
		least  int        // measurements that were tried
	}{
		{"in the background it goes on once the cluster is back", step.Watch.Name(), true, api.Passed, "", 4},
		{"an attempt at a task too", step.Attempt.Name(), true, api.Passed, "", 4},
		{"a unit that asks hears of it, and waits itself", step.Ask.Name(), true, "", fault.Unreachable, 3},
		{"something else is out of reach", step.Watch.Name(), false, api.Error, "", 4},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			server := kubetest.New(t)
			var tries, goes atomic.Int64
			source := check.SourceFunc(func(ctx context.Context, q check.Question) check.Finding {
				if tries.Add(1) == 3 && c.away && goes.Add(1) == 1 {
					server.Away(true)
					time.AfterFunc(500*time.Millisecond, func() { server.Away(false) })
				}
				if tries.Load() >= 3 && !c.away {
					return check.Finding{Verdict: api.Error, Message: "no such host"}
				}
				if _, err := q.Place.API.List(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Node"}, "", kube.Filter{}); err != nil {
					return check.Finding{Verdict: api.Error, Message: err.Error()}
				}
				return check.Finding{Verdict: api.Passed, Message: "fine"}
			})
			a := &checks.Activities{
				Clusters: server.Pool(), Clock: clock.RealClock{},
				Measurer: check.NewMeasurer(clock.RealClock{}, check.NewRules(), check.Sources{"gate": source}),
			}
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.SetTestTimeout(time.Minute)
			a.Register(env)
			req := request(repeat)
			req.Cluster, req.Context = "a", "a"
			found, err := verdictOf(env, c.does, req)
			var app *temporal.ApplicationError
			if errors.As(err, &app) != (c.code != "") || app != nil && app.Type() != string(c.code) {
				t.Fatalf("%v, want %q", err, c.code)
			}
			if n := int(tries.Load()); found.Verdict != c.want || n != c.least {
				t.Errorf("it found %+v after %d tries, want %s after %d", found, n, c.want, c.least)
			}
		})
	}
}

// verdictOf is what came of a check in an activity.
func verdictOf(env *testsuite.TestActivityEnvironment, does string, req step.ChecksRequest) (found api.Check, err error) {
	var answer converter.EncodedValue
	if does != step.Attempt.Name() {
		if answer, err = env.ExecuteActivity(does, req); err != nil {
			return found, err
		}
		var all []api.Check
		err = answer.Get(&all)
		return all[0], err
	}
	if answer, err = env.ExecuteActivity(does, step.AttemptRequest{Ref: req.Ref, Point: req.Point, Task: req.Checks[0]}); err != nil {
		return found, err
	}
	var made step.AttemptResult
	err = answer.Get(&made)
	found.Verdict, found.Message = api.Failed, made.Message
	if made.Succeeded {
		found.Verdict = api.Passed
	}
	return found, err
}
