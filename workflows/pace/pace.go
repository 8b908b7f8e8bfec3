package pace

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// LookAgain is until when a soak lasts after something was out of sight.
func LookAgain(ctx workflow.Context, until time.Time, quiet time.Duration) time.Time {
	if again := workflow.Now(ctx).Add(min(quiet, time.Minute)); again.After(until) {
		return again
	}
	return until
}

// WholeSeconds rounds up to what timers count.
func WholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// BackOff is how long to pause before the next try, after so many in a row that did not work.
func BackOff(misses int) time.Duration {
	return min(time.Second<<min(misses-1, 16), Tuned().MaxBackOff)
}
