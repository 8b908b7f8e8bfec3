package sources_test

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/activities/sources"
	"sluice.dev/sluice/internal/api"
)

// endless never comes to an end with a request, whoever tells it to.
type endless struct {
	sources.Follower
	over chan struct{}
}

func (e endless) ShowRequest(context.Context, api.SourceShow) (api.SourceRequest, error) {
	<-e.over
	return api.SourceRequest{}, nil
}

func TestARequestThatDoesNotEndIsLeft(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	clock := clocktesting.NewFakeClock(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	a := &sources.Activities{Follower: endless{over: over}, Clock: clock}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a.Show)
	done := make(chan struct{})
	var said api.SourceRequest
	go func() {
		defer close(done)
		answer, err := env.ExecuteActivity(a.Show, api.SourceShow{Request: api.SourceRequest{Number: 7, Head: "x", Error: "before"}})
		if err == nil {
			err = answer.Get(&said)
		}
		if err != nil {
			t.Error(err)
		}
	}()
	for range 2000 {
		select {
		case <-done:
			if want := (api.SourceRequest{Number: 7, Head: "x", Says: "it was left: to plan it takes longer than 10m0s"}); said != want {
				t.Errorf("it says %+v", said)
			}
			return
		case <-time.After(5 * time.Millisecond):
			clock.Step(time.Minute)
		}
	}
	t.Error("it is waited for still")
}
