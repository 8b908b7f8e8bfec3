package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type slow struct{ takes time.Duration }

func (s slow) Stop() { time.Sleep(s.takes) }

func TestFailureMode_R02_AWorkerThatCannotGoOnEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("the namespace is gone")
		c := newCrew()
		time.AfterFunc(time.Minute, func() { c.failed("central")(gone) })
		time.AfterFunc(time.Minute+time.Second, func() { c.failed("site")(gone) })
		if err := c.wait(t.Context()); !errors.Is(err, gone) || !strings.Contains(err.Error(), "task queue central") {
			t.Errorf("it ended with %v", err)
		}
		time.Sleep(time.Minute) // the second must not wait for anybody

		told := newCrew()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := told.wait(ctx); err != nil {
			t.Errorf("it was told to end, and ended with %v", err)
		}
	})
}

func TestWorkersStopTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		c.workers = []interface{ Stop() }{slow{9 * time.Second}, slow{time.Second}, slow{9 * time.Second}}
		start := time.Now()
		drained := c.stop()
		if took := time.Since(start); took != 9*time.Second || !drained {
			t.Errorf("it took %s, and drained: %v", took, drained)
		}
		c.workers = append(c.workers, slow{drainWithin})
		if c.stop() {
			t.Error("what did not end in time is taken to have ended")
		}
	})
}
