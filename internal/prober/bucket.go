package prober

import (
	"time"
)

// How many reports of residents a second are looked at, of a case and of a cluster. The others are answered, and counted.
const (
	caseRate, caseBurst       = 10, 20
	clusterRate, clusterBurst = 500, 1000
)

// bucket is a token bucket. Its user holds a lock.
type bucket struct {
	rate, burst, left float64
	last              time.Time
}

func newBucket(rate, burst float64) *bucket { return &bucket{rate: rate, burst: burst, left: burst} }

// take takes a token where there is one.
func (b *bucket) take(now time.Time) bool {
	if !b.last.IsZero() {
		b.left = min(b.burst, b.left+max(0, now.Sub(b.last).Seconds())*b.rate)
	}
	b.last = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
