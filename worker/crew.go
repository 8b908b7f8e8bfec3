package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// crew is the workers of one process, one for each queue. They stop together.
type crew struct {
	fatal   chan error
	workers []interface{ Stop() }
}

func newCrew() *crew { return &crew{fatal: make(chan error, 1)} }

// failed returns what the worker of a queue calls when it cannot go on.
func (c *crew) failed(queue string) func(error) {
	return func(err error) {
		select {
		case c.fatal <- fmt.Errorf("cannot go on serving task queue %s: %w", queue, err):
		default: // another one was first
		}
	}
}

// starter starts workers of a client, which are of the crew then.
func (c *crew) starter(temporal client.Client, logger *slog.Logger) starter {
	return func(queue string, slots int, of work, register func(worker.Worker)) error {
		w := worker.New(temporal, queue, worker.Options{
			DisableWorkflowWorker:              of == activitiesAlone,
			MaxConcurrentActivityExecutionSize: slots,
			MaxHeartbeatThrottleInterval:       heartbeatWithin,
			WorkerStopTimeout:                  drainWithin,
			DeadlockDetectionTimeout:           deadlockDetector,
			OnFatalError:                       c.failed(queue),
		})
		register(w)
		if err := w.Start(); err != nil {
			return fmt.Errorf("cannot serve task queue %s: %w", queue, err)
		}
		c.workers = append(c.workers, w)
		logger.Info("serving", "queue", queue)
		return nil
	}
}

// wait returns when ctx ends, or with the error of the first worker that cannot go on.
func (c *crew) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.fatal:
		return err
	}
}

// stop ends the workers, and reports whether all that they did has ended too. One that does not in time may still write until the process
// ends.
func (c *crew) stop() (drained bool) {
	began := time.Now()
	var stopping sync.WaitGroup
	for _, w := range c.workers {
		stopping.Go(w.Stop)
	}
	stopping.Wait()
	return time.Since(began) < drainWithin
}

// background runs f beside the workers, and returns what ends it.
func background(ctx context.Context, f func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { f(ctx) })
	return func() { cancel(); done.Wait() }
}
