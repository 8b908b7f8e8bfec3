package check

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines/rule"
)

// bench is a jury with a check that takes its time, and does not pass once so many pods are updated.
type bench struct {
	*Jury
	mu    sync.Mutex
	heard []int64 // what was judged
	ended int
}

func newBench(takes time.Duration, failsAt int64) *bench {
	b := &bench{}
	judge := func(f rule.Facts) ([]api.Check, error) {
		b.mu.Lock()
		b.heard = append(b.heard, f.Batch.Updated)
		b.mu.Unlock()
		time.Sleep(takes)
		v := api.Passed
		if f.Batch.Updated == failsAt {
			v = api.Failed
		}
		return []api.Check{{Name: "slow", Verdict: v}}, nil
	}
	b.Jury = NewJury(clock.RealClock{}, judge, func() { b.ended++ })
	return b
}

func updated(n int64) rule.Facts { return rule.Facts{Batch: rule.Batch{Updated: n}} }

func TestAJury(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		takes   time.Duration
		failsAt int64         // 0: it passes
		every   time.Duration // how often somebody looks, four times
		most    time.Duration // for which the four looks may take longer than that
		judged  string
		stopsAt int // look that says so; 0: none does
		last    int64
	}{
		"quick": {
			reason: "every look waits for its verdict", takes: time.Millisecond, every: time.Second,
			most: 4 * time.Millisecond, judged: "[1 2 3 4]", last: 4,
		},
		"quick, and it fails": {
			reason: "nothing is done after the look that shows it", takes: time.Millisecond, failsAt: 2, every: time.Second,
			most: 2 * time.Millisecond, judged: "[1 2]", stopsAt: 2, last: 2,
		},
		"slow": {
			reason: "the first look waits a moment, the others for nothing; the latest facts are judged", takes: time.Minute, every: time.Second,
			most: patience, judged: "[1 4]", last: 4,
		},
		"slow, and the last facts fail": {
			reason: "the batch does not end before they are judged", takes: time.Minute, failsAt: 4, every: time.Second,
			most: patience, judged: "[1 4]", last: 4,
		},
		"slow, and it fails on the way": {
			reason: "the call ends, and the verdict is about what it saw", takes: 2500 * time.Millisecond, failsAt: 1, every: time.Second,
			most: patience, judged: "[1]", stopsAt: 4, last: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(c.takes, c.failsAt)
				begun, stopped := time.Now(), 0
				looks := time.Duration(0)
				for n := int64(1); n <= 4 && stopped == 0; n++ {
					if err := b.Hear(t.Context(), updated(n)); errors.Is(err, ErrNotPassed) {
						stopped = int(n)
					} else if err != nil {
						t.Fatal(err)
					}
					looks = time.Since(begun) - time.Duration(n-1)*c.every
					if n < 4 && stopped == 0 {
						time.Sleep(c.every)
					}
				}
				if looks > c.most || stopped != c.stopsAt {
					t.Errorf("%s: the looks took %s, at most %s; look %d stopped it, not %d", c.reason, looks, c.most, stopped, c.stopsAt)
				}
				last, bad := b.Rest()
				if fmt.Sprint(b.heard) != c.judged || last.Facts.Batch.Updated != c.last || bad != (c.failsAt > 0) || (b.ended == 1) != bad {
					t.Errorf("%s: judged were %v, the last is about %d, bad: %v, ended: %d", c.reason, b.heard, last.Facts.Batch.Updated, bad, b.ended)
				}
			})
		})
	}
}

func TestALookThatIsCutShortWaitsForNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(time.Minute, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := b.Hear(ctx, updated(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it says %v", err)
		}
		b.Rest()
	})
}
