package cluster

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

func TestAShortActivityIsKnownToBeAliveAndNotInterrupted(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	background, cancel := context.WithCancel(t.Context())
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: background})
	var beats atomic.Int32
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
	env.RegisterActivityWithOptions(steady(func(ctx context.Context, in string) (string, error) {
		cancel()
		if _, ok := ctx.Deadline(); !ok {
			t.Error("it has no deadline")
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(2*pulseWaiting + pulseWaiting/2):
			return "done " + in, nil
		}
	}), activity.RegisterOptions{Name: "slow"})
	got, err := env.ExecuteActivity("slow", "work")
	if err != nil {
		t.Fatal(err)
	}
	var said string
	if err := got.Get(&said); err != nil || said != "done work" {
		t.Errorf("%q, %v", said, err)
	}
	if n := beats.Load(); n < 1 {
		t.Errorf("it was heard %d times", n)
	}
}
