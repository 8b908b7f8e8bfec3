package pace

import (
	"hash/fnv"
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

// LastLook is for how long a soak looks on that a person has ended.
const LastLook = time.Second

// WholeSeconds rounds up to what timers count.
func WholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// BackOff is how long to pause before the next try, after so many in a row that did not work.
func BackOff(misses int) time.Duration {
	return min(time.Second<<min(misses-1, 16), Tuned().MaxBackOff)
}

// Spread is how long after the others a cluster begins to go back, in whole seconds. It is drawn from the names: a run that is
// replayed draws the same.
func Spread(run, cluster string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(run + "/" + cluster))
	return time.Duration(h.Sum32()%uint32(Tuned().BackSpread/time.Second)) * time.Second
}
