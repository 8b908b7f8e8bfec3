package serve

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"k8s.io/utils/clock"
)

// Alive has it known every so often that an activity is alive, until it is told to stop.
func Alive(ctx context.Context, c clock.WithTicker, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	beat := c.NewTicker(every)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C():
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() { cancel(); <-stopped }
}
