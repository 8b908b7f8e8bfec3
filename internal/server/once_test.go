package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// under asks for a run of a plan, or whatever else, under a key.
func (b *bench) under(h http.Handler, key, path, body string) *httptest.ResponseRecorder {
	r := b.request("POST", path, body, b.token("operator"))
	r.Header.Set(wire.KeyHeader, key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// newKeyed is a bench with an operator, a plan, and what asks for a run of it.
func newKeyed(t *testing.T) (b *bench, body string) {
	t.Helper()
	b = newBench(t)
	b.bind("operator", everything, pipelines.RoleOperator)
	return b, fmt.Sprintf(`{"plan":%q}`, b.plan())
}

// replica is another server on the same ledger.
func (b *bench) replica() http.Handler {
	l := b.open()
	return server.Handler(b.options(l))
}

func runOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var started wire.Started
	if err := json.Unmarshal(w.Body.Bytes(), &started); err != nil || started.Run == nil {
		t.Fatalf("no run has started: %d %s", w.Code, w.Body)
	}
	return started.Run.Name
}

// oneRun fails the test where the plan has not one run that was started once.
func (b *bench) oneRun(name string) {
	b.t.Helper()
	all, err := b.ledger.ListRuns(b.t.Context(), api.Component("agent"), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(r ledger.Run) bool { return r.Phase == string(api.PhaseFailed) && !r.Ended.IsZero() }) // it never began
	if len(all) != 1 || all[0].Name != name || b.temporal.started != 1 {
		b.t.Errorf("there are runs %+v, of which %d were started; want %s alone, once", all, b.temporal.started, name)
	}
}

func TestOnceUnderAKey(t *testing.T) {
	b, body := newKeyed(t)
	h := b.handler()
	first := b.under(h, "k", "/runs", body)
	again := b.under(h, "k", "/runs", body)
	elsewhere := b.under(b.replica(), "k", "/runs", body)
	if first.Body.String() != again.Body.String() || first.Body.String() != elsewhere.Body.String() {
		t.Errorf("one request has three answers:\n%s%s%s", first.Body, again.Body, elsewhere.Body)
	}
	b.oneRun(runOf(t, first))
	if w := b.under(h, "k", "/runs", strings.Replace(body, "{", `{"reason":"other",`, 1)); w.Code != http.StatusConflict {
		t.Errorf("something else under the same key: %d %s", w.Code, w.Body)
	}
	if w := b.under(h, "k", "/freezes", `{}`); w.Code != http.StatusConflict {
		t.Errorf("another operation under the same key: %d %s", w.Code, w.Body)
	}
	for range 2 {
		if w := b.under(h, "f", "/freezes", `{"reason":"stop","inFlight":"Finish"}`); w.Code != http.StatusOK {
			t.Errorf("a freeze: %d %s", w.Code, w.Body)
		}
	}
	if all, err := b.ledger.ListFreezes(t.Context(), 0); err != nil || len(all) != 1 {
		t.Errorf("there are freezes %v, %v; want one", all, err)
	}
}

// TestKilledBeforeItAnswered has a server be killed at several moments: who asks another one has the same run.
func TestKilledBeforeItAnswered(t *testing.T) {
	for name, begins := range map[string]func() error{
		"killed between the name and the start": func() error { panic("killed") },
		"Temporal away at the start":            func() error { return serviceerror.NewUnavailable("away") },
	} {
		t.Run(name, func(t *testing.T) {
			b, body := newKeyed(t)
			b.temporal.begins = func(string) error {
				b.temporal.begins = nil
				return begins()
			}
			if w := b.under(b.handler(), "k", "/runs", body); w.Code < 500 {
				t.Fatalf("it is answered: %d %s", w.Code, w.Body)
			}
			if b.temporal.started != 0 {
				t.Fatal("the test starts the run")
			}
			b.oneRun(runOf(t, b.under(b.replica(), "k", "/runs", body)))
		})
	}
	t.Run("the answer of the start lost", func(t *testing.T) {
		b, body := newKeyed(t)
		b.temporal.begins = func(run string) error {
			b.temporal.begins = nil
			b.temporal.mu.Lock()
			defer b.temporal.mu.Unlock()
			b.temporal.open[run], b.temporal.started = true, 1
			return serviceerror.NewUnavailable("nobody heard the answer")
		}
		h := b.handler()
		b.under(h, "k", "/runs", body)
		b.oneRun(runOf(t, b.under(h, "k", "/runs", body)))
	})
}

// TestTemporalGoneInTheMiddleOfAStart has Temporal go once a run has a name, and not even say whether it has begun. The name stays, holds
// nobody up, and is what is begun when its request is sent again.
func TestTemporalGoneInTheMiddleOfAStart(t *testing.T) {
	for name, other := range map[string]bool{"asked again": false, "asked again after somebody else's": true} {
		t.Run(name, func(t *testing.T) {
			b, body := newKeyed(t)
			set := func(away bool) {
				b.temporal.mu.Lock()
				defer b.temporal.mu.Unlock()
				b.temporal.away = away
			}
			b.temporal.begins = func(string) error {
				b.temporal.begins = nil
				set(true)
				return serviceerror.NewUnavailable("away")
			}
			h := b.handler()
			for range 2 {
				if w := b.under(h, "k", "/runs", body); w.Code != http.StatusServiceUnavailable {
					t.Fatalf("it is answered while Temporal is away: %d %s", w.Code, w.Body)
				}
			}
			if run, err := b.ledger.Run(t.Context(), "agent-1"); err != nil || run.Phase != string(api.PhasePending) || !run.Ended.IsZero() {
				t.Fatalf("the run is %+v, %v; want it to be pending, since nobody knows", run, err)
			}
			set(false)
			if w := b.ask(h, "GET", "/runs/agent-1", "", b.token("operator")); !strings.Contains(w.Body.String(), "does not know this run") {
				t.Errorf("nobody is told that it has not begun: %d %s", w.Code, w.Body)
			}
			if !other {
				b.oneRun(runOf(t, b.under(h, "k", "/runs", body)))
				return
			}
			if run := runOf(t, b.under(h, "another", "/runs", body)); run != "agent-2" {
				t.Errorf("somebody else has %s", run)
			}
			if w := b.under(h, "k", "/runs", body); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "agent-2") {
				t.Errorf("it begins beside another run of the same clusters: %d %s", w.Code, w.Body)
			}
			if b.temporal.started != 1 {
				t.Errorf("%d workflows were started", b.temporal.started)
			}
		})
	}
}

func TestReplicasAtTheSameMoment(t *testing.T) {
	b, body := newKeyed(t)
	var named atomic.Bool
	b.temporal.begins = func(string) error {
		if !named.CompareAndSwap(false, true) {
			return nil
		}
		for range 500 { // who has named the run is the last to start it
			b.temporal.mu.Lock()
			started := b.temporal.started
			b.temporal.mu.Unlock()
			if started > 0 {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		return nil
	}
	handlers := []http.Handler{b.handler(), b.replica(), b.replica(), b.replica()}
	requests := make([]*http.Request, len(handlers))
	for i := range requests {
		requests[i] = b.request("POST", "/runs", body, b.token("operator"))
		requests[i].Header.Set(wire.KeyHeader, "k")
	}
	answers := make([]*httptest.ResponseRecorder, len(handlers))
	var all sync.WaitGroup
	for i, h := range handlers {
		all.Go(func() {
			answers[i] = httptest.NewRecorder()
			h.ServeHTTP(answers[i], requests[i])
		})
	}
	all.Wait()
	for _, w := range answers {
		b.oneRun(runOf(t, w))
	}
}

func TestNotAnsweredAndNotToBeRepeated(t *testing.T) {
	b, _ := newKeyed(t)
	broken := &answersLost{Requests: b.ledger}
	h := b.handler(func(o *server.Options) { o.Requests = broken })
	if w := b.under(h, "k", "/freezes", `{"reason":"stop","inFlight":"Finish"}`); w.Code != http.StatusOK {
		t.Fatalf("it is done, and only its answer cannot be kept: %d %s", w.Code, w.Body)
	}
	w := b.under(b.handler(), "k", "/freezes", `{"reason":"stop","inFlight":"Finish"}`)
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "look whether it is there") {
		t.Errorf("a freeze of which nobody knows: %d %s", w.Code, w.Body)
	}
}

// answersLost cannot keep an answer.
type answersLost struct{ server.Requests }

// PutBlob implements ledger.Blobs.
func (answersLost) PutBlob(context.Context, []byte) (string, error) {
	return "", errors.New("the disk is full")
}
