// Package rounds has a worker do something again and again, for as long as it lives.
package rounds

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/utils/clock"
)

// Keep does something at once, and every so often after that, until ctx ends. It returns then, once what it does has.
func Keep(ctx context.Context, c clock.WithTicker, every time.Duration, do func(context.Context)) {
	ticker := c.NewTicker(every)
	defer ticker.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
	}
}

// Trying does something that may fail: that is logged as what could not be done, and tried again the next time.
func Trying(log *slog.Logger, cannot string, do func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			log.Warn(cannot+"; it is tried again", "error", err)
		}
	}
}
