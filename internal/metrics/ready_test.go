package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/metrics"
)

func asked(ctx context.Context, h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestWhetherAProcessIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks int
		var why error
		h := metrics.Page(func(ctx context.Context) error {
			looks++
			return errors.Join(why, ctx.Err())
		})
		for _, c := range []struct {
			reason string
			why    error
			after  time.Duration
			code   int
			says   string
			looks  int
		}{
			{"it is", nil, 0, 200, "ready\n", 1},
			{"who asks again at once hears the same", errors.New("the ledger does not answer"), 0, 200, "ready\n", 1},
			{"it is no longer", errors.New("the ledger does not answer"), time.Second, 503, "not ready: the ledger does not answer\n", 2},
			{"it is again", nil, time.Second, 200, "ready\n", 3},
		} {
			time.Sleep(c.after)
			why = c.why
			if code, says := asked(t.Context(), h, "/readyz"); code != c.code || says != c.says || looks != c.looks {
				t.Errorf("%s: %d %q after %d looks", c.reason, code, says, looks)
			}
			if code, says := asked(t.Context(), h, "/healthz"); code != 200 || says != "ok\n" {
				t.Errorf("%s: its health is %d %q", c.reason, code, says)
			}
		}
		if code, says := asked(t.Context(), metrics.Page(nil), "/readyz"); code != 200 || says != "ready\n" {
			t.Errorf("who always is, is not: %d %q", code, says)
		}
	})
}

func TestWhatDoesNotAnswerIsAskedOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		h := metrics.Page(func(ctx context.Context) error {
			looks++
			<-ctx.Done()
			return ctx.Err()
		})
		began := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if code, _ := asked(t.Context(), h, "/readyz"); code != http.StatusServiceUnavailable {
					t.Errorf("it is ready: %d", code)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 5*time.Second || looks != 1 {
			t.Errorf("a hundred who ask have %d looks in %s", looks, took)
		}
	})
}

func TestWhoeverHangsUpMakesItLookNoWorse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := metrics.Page(func(ctx context.Context) error {
			time.Sleep(time.Second)
			return ctx.Err()
		})
		hurried, hangUp := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer hangUp()
		go asked(hurried, h, "/readyz")
		time.Sleep(200 * time.Millisecond)
		if code, says := asked(t.Context(), h, "/readyz"); code != http.StatusOK {
			t.Errorf("whoever waits hears %d %q", code, says)
		}
	})
}
