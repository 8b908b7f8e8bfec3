package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// bench is a jury with a check that takes its time, and does not pass once so many pods are updated.
type bench struct {
	*jury
	mu    sync.Mutex
	heard []int64 // what was judged
	ended int
}

func newBench(takes time.Duration, failsAt int64) *bench {
	b := &bench{}
	b.jury = &jury{
		end: func() { b.ended++ }, adjourn: func() {},
		judge: func(f rule.Facts) ([]api.Check, error) {
			b.mu.Lock()
			b.heard = append(b.heard, f.Batch.Updated)
			b.mu.Unlock()
			time.Sleep(takes)
			v := api.Passed
			if f.Batch.Updated == failsAt {
				v = api.Failed
			}
			return []api.Check{{Name: "slow", Verdict: v}}, nil
		},
	}
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
					if err := b.hear(t.Context(), updated(n)); errors.Is(err, errCheck) {
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
				last, bad := b.rest()
				if fmt.Sprint(b.heard) != c.judged || last.facts.Batch.Updated != c.last || bad != (c.failsAt > 0) || (b.ended == 1) != bad {
					t.Errorf("%s: judged were %v, the last is about %d, bad: %v, ended: %d", c.reason, b.heard, last.facts.Batch.Updated, bad, b.ended)
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
		if err := b.hear(ctx, updated(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it says %v", err)
		}
		b.rest()
	})
}

// slowly is a world whose one check, of a kind of its own, is a function.
func slowly(t *testing.T, ask func(ctx context.Context, w *world, f rule.Facts) api.Verdict) (*world, func() (api.Facts, error)) {
	t.Helper()
	w, d, object := underWay(t, "DaemonSet")
	w.acts.Checks = check.New(check.SourceFunc(func(ctx context.Context, q check.Question) (check.Finding, bool) {
		return check.Finding{Verdict: ask(ctx, w, q.Facts)}, true
	}))
	state := must(w, w.acts.Prepare, w.about(d, object, goal.State{}))
	req := w.batch(d, object, state, 1, pipelines.Percent(100))
	req.Checks = []pipelines.ResolvedCheck{{Name: "slow", At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing}}
	return w, func() (api.Facts, error) { return attempt(w, firstTry, w.acts.Advance, req) }
}

// fresh is how many pods of a world run the version that is brought.
func (w *world) fresh() (n int) {
	for _, pod := range w.server.All("Pod") {
		if strings.Contains(fmt.Sprint(pod.Object["spec"]), ":2.0.0") {
			n++
		}
	}
	return n
}

func TestPodsGoOnWhileACheckTakesItsTime(t *testing.T) {
	_, advance := slowly(t, func(ctx context.Context, w *world, _ rule.Facts) api.Verdict {
		for end := time.Now().Add(20 * time.Second); w.fresh() < 4; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) || ctx.Err() != nil {
				return api.Failed // pods wait for it
			}
		}
		return api.Passed
	})
	seen, err := advance()
	if b := seen.Facts.Batch; err != nil || b.UpdatedReady != 4 || len(seen.Checks) != 1 || seen.Checks[0].Verdict != api.Passed {
		t.Errorf("it ends with %+v and %+v, %v", b, seen.Checks, err)
	}
}

func TestNoBatchEndsBeforeItsLastFactsAreJudged(t *testing.T) {
	_, advance := slowly(t, func(_ context.Context, _ *world, f rule.Facts) api.Verdict {
		time.Sleep(2 * patience)
		if f.Batch.UpdatedReady == f.Batch.Target {
			return api.Failed // which only the last look shows
		}
		return api.Passed
	})
	seen, err := advance()
	if err != nil || len(seen.Checks) != 1 || seen.Checks[0].Verdict != api.Failed || seen.Facts.Batch.UpdatedReady != 4 {
		t.Errorf("it ends with %+v and %+v, %v", seen.Facts.Batch, seen.Checks, err)
	}
}

func TestASlowCheckThatDoesNotPassEndsTheCall(t *testing.T) {
	w, advance := slowly(t, func(_ context.Context, _ *world, f rule.Facts) api.Verdict {
		if f.Batch.Updated == 0 {
			return api.Passed
		}
		time.Sleep(2 * patience)
		return api.Failed
	})
	evicted := 0
	w.server.Before = func(asked kubetest.Write) int {
		if asked.Verb != "evict" {
			return 0
		}
		if evicted++; evicted > 1 {
			return http.StatusTooManyRequests // the batch does not end by itself
		}
		return 0
	}
	seen, err := advance()
	if err != nil || len(seen.Checks) != 1 || seen.Checks[0].Verdict != api.Failed || seen.Stalled || w.fresh() == 4 {
		t.Errorf("it ends with %+v, %v", seen, err)
	}
}
