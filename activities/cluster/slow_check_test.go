package cluster

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// slowness is more than a look waits for.
const slowness = 400 * time.Millisecond

// slowly is a world whose one check is a function.
func slowly(t *testing.T, ask func(ctx context.Context, w *world, f rule.Facts) api.Verdict) (*world, func() (api.Facts, error)) {
	t.Helper()
	w, d, object := underWay(t, "DaemonSet")
	w.acts.Checks = check.NewOf(func(ctx context.Context, _ pipelines.ResolvedCheck, _ pipelines.Point, facts rule.Facts) check.Finding {
		return check.Finding{Verdict: ask(ctx, w, facts)}
	})
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
		time.Sleep(slowness)
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
		time.Sleep(slowness)
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
