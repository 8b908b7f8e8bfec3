package server_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// watcher hears what a watch is sent: "event id" of each.
type watcher struct{ heard chan string }

// watch begins to watch the run of a bench; it ends with the test.
func (b *bench) watch(t *testing.T, url, last string) *watcher {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", url+wire.Prefix+"/runs/agent-1/watch", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token("viewer"))
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", response, err)
	}
	w := &watcher{heard: make(chan string, 100)}
	go func() {
		defer close(w.heard)
		defer response.Body.Close()
		kind := ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if name, found := strings.CutPrefix(lines.Text(), "event: "); found {
				kind = name
			}
			if id, found := strings.CutPrefix(lines.Text(), "id: "); found || strings.HasPrefix(lines.Text(), "data") && kind == "end" {
				w.heard <- kind + " " + id
			}
		}
	}()
	t.Cleanup(stop)
	return w
}

// next is what is heard next; "" where the watch ended.
func (w *watcher) next(t *testing.T) string {
	t.Helper()
	select {
	case said := <-w.heard:
		return said
	case <-time.After(5 * time.Second):
		t.Fatal("nothing is heard")
		return ""
	}
}

// look has the servers look at their runs.
func (b *bench) look() {
	for range 5 {
		b.clock.Step(time.Second)
		time.Sleep(10 * time.Millisecond)
	}
}

func (f *temporal) set(phase api.Phase, failed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phase, f.failed = phase, failed
}

func TestWatch(t *testing.T) {
	b := newBench(t)
	b.callers()
	b.seed()
	var grants atomic.Pointer[access.Grants]
	compiled, err := access.Compile(b.bindings)
	if err != nil {
		t.Fatal(err)
	}
	grants.Store(compiled)
	web := httptest.NewServer(b.handler(func(o *server.Options) { o.Grants = grants.Load }))
	t.Cleanup(web.Close)
	one, two := b.watch(t, web.URL, ""), b.watch(t, web.URL, "")
	first := one.next(t)
	if said := two.next(t); said != first || !strings.HasPrefix(first, "view ") {
		t.Fatalf("two who watch hear %q and %q", first, said)
	}
	late := b.watch(t, web.URL, strings.TrimPrefix(first, "view "))
	b.temporal.mu.Lock()
	before := b.temporal.looks
	b.temporal.mu.Unlock()
	b.look()
	b.temporal.mu.Lock()
	if looks := b.temporal.looks - before; looks > 5 || looks < 1 {
		t.Errorf("three who watch for 5 s have a run looked at %d times", looks)
	}
	b.temporal.mu.Unlock()
	b.temporal.set(api.PhaseHeld, 1)
	b.look()
	second := one.next(t)
	if other, again := two.next(t), late.next(t); other != second || again != second || second == first {
		t.Errorf("after a change they hear %q, %q and %q; before it was %q", second, other, again, first)
	}
	compiled, err = access.Compile([]*pipelines.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	grants.Store(compiled)
	b.temporal.set(api.PhaseMoving, 2)
	b.look()
	if said := two.next(t); said != "" {
		t.Errorf("who may see it no longer hears %q", said)
	}
}

func TestAWatchEnds(t *testing.T) {
	b := newBench(t)
	b.callers()
	b.seed()
	web := httptest.NewServer(b.handler())
	t.Cleanup(web.Close)
	w := b.watch(t, web.URL, "")
	w.next(t)
	b.temporal.set(api.PhaseSucceeded, 0)
	b.look()
	if last, end, over := w.next(t), w.next(t), w.next(t); !strings.HasPrefix(last, "view ") || !strings.HasPrefix(end, "end ") || over != "" {
		t.Errorf("a run that ends is told as %q, %q, %q", last, end, over)
	}
}

// TestASlowLookKeepsNobodyElse has a Temporal that does not answer about one run.
func TestASlowLookKeepsNobodyElse(t *testing.T) {
	b := newBench(t)
	b.callers()
	b.seed()
	if _, err := b.ledger.NewRun(t.Context(), ledger.Run{
		Plan: b.plan(), Subject: api.Component("agent"), Version: "1.0.0", Phase: string(api.PhaseMoving), Started: noon, By: "corp::someone",
	}); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	b.temporal.open["agent-2"] = true
	b.temporal.hangs = func(ctx context.Context, run string) {
		if run == "agent-2" {
			close(asked)
			<-ctx.Done()
		}
	}
	web := httptest.NewServer(b.handler(func(o *server.Options) {
		o.Engine = engine.New(b.ledger, func(context.Context) (*engine.Server, error) {
			return &engine.Server{Temporal: b.temporal, Address: "fake:7233", Namespace: "default"}, nil
		}, engine.Options{Clock: b.clock, Proven: true, Patience: engine.Patience{Query: time.Minute}})
	}))
	t.Cleanup(web.Close)
	ctx, stop := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", web.URL+wire.Prefix+"/runs/agent-2/watch", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token("viewer"))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := http.DefaultClient.Do(r); err == nil {
			response.Body.Close()
		}
	}()
	<-asked
	b.watch(t, web.URL, "").next(t)
	stop()
	<-gone
}
