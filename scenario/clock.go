package scenario

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// stepping is the clock of one who measures alone: a timer ends at once, and the time is then what it was to wait for. So a measurement of
// hours takes none, and it is known beforehand when it ends.
type stepping struct {
	clock.Clock
	now  time.Time
	most time.Time
	end  context.CancelFunc // once the time is over most
}

// Now is the time that was reached.
func (s *stepping) Now() time.Time { return s.now }

// Since is how long ago a time is.
func (s *stepping) Since(t time.Time) time.Duration { return s.now.Sub(t) }

// NewTimer goes on to the end of a timer.
func (s *stepping) NewTimer(d time.Duration) clock.Timer {
	if s.now = s.now.Add(d); s.now.After(s.most) {
		s.end()
	}
	ended := make(chan time.Time, 1)
	ended <- s.now
	return over{ended}
}

// over is a timer that has ended.
type over struct{ ended chan time.Time }

func (o over) C() <-chan time.Time      { return o.ended }
func (o over) Stop() bool               { return false }
func (o over) Reset(time.Duration) bool { return false }
