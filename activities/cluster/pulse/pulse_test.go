package pulse

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/step"
)

var errUnknown = serviceerror.NewNotFound("activity task is gone")

func TestAShortActivityIsKnownToBeAliveAndNotInterrupted(t *testing.T) {
	var beats atomic.Int32
	h := Heart{Within: time.Minute, Beat: func(context.Context, step.Progress) error {
		beats.Add(1)
		return temporal.NewCanceledError()
	}}
	said, err := inActivity(t, func(ctx context.Context) (string, error) {
		return steadily(ctx, clock.RealClock{}, h, func(ctx context.Context, in string) (string, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("it has no deadline")
			}
			return "done " + in, Pause(ctx, clock.RealClock{}, 2*short+short/2)
		}, "work")
	})
	if err != nil || said != "done work" {
		t.Errorf("%q, %v", said, err)
	}
	if n := beats.Load(); n != 2 {
		t.Errorf("it was heard %d times", n)
	}
}

func TestAnAttemptThatIsLostStopsAtOnce(t *testing.T) {
	cases := map[string]struct {
		cause error
		stops bool
	}{
		"somebody asked it to end":          {temporal.NewCanceledError(), false},
		"somebody paused it":                {fmt.Errorf("heartbeat: %w", activity.ErrActivityPaused), false},
		"somebody reset it":                 {activity.ErrActivityReset, false},
		"the server does not know it":       {errUnknown, true},
		"a heartbeat was not answered":      {serviceerror.NewDeadlineExceeded("no answer"), true},
		"its worker has stopped":            {worker.ErrWorkerShutdown, true},
		"its namespace is served elsewhere": {serviceerror.NewNamespaceNotActive("default", "here", "there"), true},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, _ = inActivity(t, func(ctx context.Context) (string, error) {
				ctx, cancel := context.WithCancelCause(ctx)
				cancel(test.cause)
				_, err := steadily(ctx, clock.RealClock{}, Heart{Within: time.Minute}, func(ctx context.Context, _ string) (string, error) {
					return "", Pause(ctx, clock.RealClock{}, 200*time.Millisecond)
				}, "")
				if stopped := errors.Is(err, test.cause); stopped != test.stops || !stopped && err != nil {
					t.Errorf("it ended with %v", err)
				}
				return "", nil
			})
		})
	}
}

func inActivity(t *testing.T, f func(context.Context) (string, error)) (string, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: "it"})
	got, err := env.ExecuteActivity("it")
	if err != nil {
		return "", err
	}
	var said string
	return said, got.Get(&said)
}

func TestWhenAPulseEndsItsActivity(t *testing.T) {
	stalled := func(until time.Duration) func(context.Context, time.Duration) error {
		return func(ctx context.Context, age time.Duration) error {
			if age < 2*time.Second || age > until {
				return nil
			}
			_ = Pause(ctx, clock.RealClock{}, time.Second)
			return serviceerror.NewUnavailable("stalled")
		}
	}
	after := func(age time.Duration, err error) func(context.Context, time.Duration) error {
		return func(_ context.Context, now time.Duration) error {
			if now < age {
				return nil
			}
			return err
		}
	}
	cases := map[string]struct {
		reason string
		server func(ctx context.Context, age time.Duration) error
		from   time.Duration // when it ends; 0 for never
		to     time.Duration
		cause  error
	}{
		"a healthy server":           {"nothing happened", after(time.Hour, nil), 0, 0, nil},
		"a stall of a few seconds":   {"the attempt still counts", stalled(6 * time.Second), 0, 0, nil},
		"a server that does not say": {"another attempt begins after 10 s", stalled(time.Hour), 8 * time.Second, 10 * time.Second, nil},
		"a cancel":                   {"pods are moving", after(3*time.Second, temporal.NewCanceledError()), 3 * time.Second, 4 * time.Second, nil},
		"an attempt that is gone":    {"another one may have begun", after(3*time.Second, errUnknown), 3 * time.Second, 4 * time.Second, errUnknown},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancelCause(t.Context())
				start := time.Now()
				p := &Pulse{clock: clock.RealClock{}, end: end, heart: Heart{Within: 8 * time.Second, Beat: func(ctx context.Context, _ step.Progress) error {
					return test.server(ctx, time.Since(start))
				}}}
				p.run(ctx, 0, Moving)
				defer p.Stop()
				err := Pause(ctx, clock.RealClock{}, 30*time.Second)
				age := time.Since(start)
				if ended := err != nil; ended != (test.from > 0) {
					t.Fatalf("it ended with %v, %s", context.Cause(ctx), test.reason)
				}
				if test.from > 0 && (age < test.from || age > test.to) {
					t.Errorf("it ended after %s: %s", age, test.reason)
				}
				if test.cause != nil && !errors.Is(context.Cause(ctx), test.cause) {
					t.Errorf("it ended with %v", context.Cause(ctx))
				}
			})
		})
	}
}

func TestHowOftenAPulseIsSent(t *testing.T) {
	cases := map[string]struct {
		every, timeout time.Duration
		want           int // in a minute
		reason         string
	}{
		"it moves pods":                  {Moving, 10 * time.Second, 61, "a cancel is heard within a second"},
		"it looks on":                    {Looking, time.Minute, 13, "hundreds of units soak in one run"},
		"it looks on for a timeout of 6": {Looking, 6 * time.Second, 38, "two heartbeats may be lost"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				p := &Pulse{clock: clock.RealClock{}, end: func(error) {}, heart: Heart{Within: test.timeout * 8 / 10, Beat: func(context.Context, step.Progress) error {
					sent++
					return nil
				}}}
				p.run(t.Context(), 0, test.every)
				time.Sleep(time.Minute + time.Millisecond)
				p.Stop()
				if sent != test.want {
					t.Errorf("%d a minute, want %d: %s", sent, test.want, test.reason)
				}
			})
		})
	}
}
