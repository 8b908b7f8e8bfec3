package notify

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait = 5 * time.Second
	lastWait  = 10 * time.Minute
)

// backoff is how long to wait after so many attempts, spread so that what failed together does not come back together.
func backoff(attempts int) time.Duration {
	wait := lastWait
	if attempts < 8 {
		wait = min(wait, firstWait<<max(attempts-1, 0))
	}
	return wait*3/4 + rand.N(wait/2)
}
