package runs

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// ends is a Temporal client that knows one workflow, which closes in a certain way.
type ends struct {
	client.WorkflowRun
	err error
}

func (e ends) GetWorkflow(context.Context, string, string) client.WorkflowRun { return e }
func (e ends) Get(context.Context, any) error                                 { return e.err }

func TestClosedTellsAnEndFromAServerThatCannotBeAsked(t *testing.T) {
	for _, c := range []struct {
		reason string
		err    error
		fails  bool
	}{
		{"it has ended well", nil, false},
		{"it has ended badly", &temporal.WorkflowExecutionError{}, false},
		{"nobody knows it any more", serviceerror.NewNotFound("no such workflow"), false},
		{"the server does not answer", serviceerror.NewUnavailable("down"), true},
		{"anything else", errors.New("boom"), true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			_, err := (&Activities{Client: ends{err: c.err}, Clock: clock.RealClock{}}).Closed(t.Context(), "prod/a/agent")
			if (err != nil) != c.fails {
				t.Errorf("%v", err)
			}
		})
	}
}

// orders answers a command for a run that has ended.
type orders struct {
	told []string
	err  error
}

func (o *orders) Command(_ context.Context, run, name string, c api.Command) (api.Answer, error) {
	o.told = append(o.told, name+" "+run+" by "+c.Who)
	return api.Answer{Message: "run agent-2 takes back run of agent-1"}, o.err
}

func TestALateRollbackIsTriedUntilItIsDoneOrRefused(t *testing.T) {
	for _, c := range []struct {
		err   error
		note  string
		fails fault.Code
	}{
		{nil, "run agent-2 takes back run of agent-1", ""},
		{fault.New(fault.Refused, "it is itself a rollback"), "refused: it is itself a rollback", ""},
		{fault.New(fault.Unreachable, "the server is away"), "", fault.Internal}, // Unreachable would not be tried again
		{fault.New(fault.NotFound, "no such plan"), "", fault.NotFound},
	} {
		o := &orders{err: c.err}
		a := &Activities{Client: ends{}, Orders: o, Clock: clock.RealClock{}}
		note, err := a.TakeBack(t.Context(), step.TakeBackRequest{Run: "agent-1", Command: api.Command{Who: "ann"}})
		if fault.CodeOf(err) != c.fails || err == nil && note != c.note || !slices.Equal(o.told, []string{"rollback agent-1 by ann"}) {
			t.Errorf("%v: it says %q, %v, having told %q", c.err, note, err, o.told)
		}
	}
}

// open is a workflow that closes when it is told to.
type open struct {
	client.WorkflowRun
	closed chan error
}

func (o open) GetWorkflow(context.Context, string, string) client.WorkflowRun { return o }
func (o open) Get(context.Context, any) error                                 { return <-o.closed }

func TestWhoWaitsForAnEndIsAlive(t *testing.T) {
	ticks := testclock.NewFakeClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	waits := open{closed: make(chan error)}
	a := &Activities{Client: waits, Clock: ticks}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a.Closed)
	beats := make(chan struct{}, 100)
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats <- struct{}{} })
	ended := make(chan error, 1)
	go func() {
		_, err := env.ExecuteActivity(a.Closed, "prod/a/agent")
		ended <- err
	}()
	for !ticks.HasWaiters() {
		time.Sleep(time.Millisecond)
	}
	ticks.Step(beatEvery)
	select {
	case <-beats:
	case err := <-ended:
		t.Fatalf("it has ended: %v", err)
	}
	waits.closed <- nil
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
