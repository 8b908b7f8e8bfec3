package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// keeper is a ledger that has some bindings, or is away.
type keeper struct {
	mu    sync.Mutex
	kept  []ledger.Kept
	away  bool
	reads int
}

func (k *keeper) read(context.Context, string) ([]ledger.Kept, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	if k.away {
		return nil, fault.New(fault.Unreachable, "the ledger is away")
	}
	return k.kept, nil
}

func (k *keeper) set(away bool, kept ...ledger.Kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept, k.away = kept, away
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reads
}

func keptBinding(t *testing.T, name, document string) ledger.Kept {
	t.Helper()
	if !json.Valid([]byte(document)) {
		t.Fatalf("%s is no JSON", document)
	}
	return ledger.Kept{Kind: pipelines.KindBinding, Name: name, Document: json.RawMessage(document), By: "corp::ann", At: noon, Revision: 1}
}

// TestBindingsOfNow has bindings come and go while a server runs.
func TestBindingsOfNow(t *testing.T) {
	b := newBench(t)
	k := &keeper{}
	of := &server.Bindings{Kept: k.read, Clock: b.clock, Logger: slog.New(slog.NewTextHandler(b.log, nil))}
	if n, err := of.Read(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d bindings, %v", n, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { of.Follow(ctx) })
	t.Cleanup(func() { stop(); following.Wait() })
	h := b.handler(func(o *server.Options) { o.Grants = func() *access.Grants { return of.Grants() } })
	later := func() {
		t.Helper()
		for !b.clock.HasWaiters() {
			time.Sleep(time.Millisecond)
		}
		for range 2 { // the second reading begins when the first one has been stored
			was := k.count()
			b.clock.Step(5 * time.Second)
			for deadline := time.Now().Add(5 * time.Second); k.count() == was; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nobody reads the bindings after 5 s")
				}
			}
		}
	}
	const rest = `","roles":["viewer"],"scope":{"all":true}}}`
	ann := keptBinding(t, "ann", `{"metadata":{"name":"ann"},"spec":{"subjects":"subject == 'corp::ann'`+rest)
	one := keptBinding(t, "one", `{"metadata":{"name":"one"},"spec":{"subjects":"nonsense +`+rest)
	two := keptBinding(t, "two", `{"metadata":{"name":"two"},"spec":7}`)
	for _, c := range []struct {
		reason string
		away   bool
		kept   []ledger.Kept
		may    bool
	}{
		{"nothing is bound", false, nil, false},
		{"one that is applied gives a right", false, []ledger.Kept{ann}, true},
		{"while the ledger is away those read last stand", true, nil, true},
		{"one that is deleted gives none", false, nil, false},
		{"broken ones keep nobody else from what he has", false, []ledger.Kept{one, ann, two}, true},
		{"and stay broken", false, []ledger.Kept{one, ann, two}, true},
	} {
		k.set(c.away, c.kept...)
		later()
		if w := b.ask(h, "GET", "/drills", "", b.token("ann")); (w.Code == http.StatusOK) != c.may {
			t.Errorf("%s: %d %s", c.reason, w.Code, w.Body)
		}
	}
	if n := strings.Count(b.log.String(), `msg="a binding binds nobody"`); n != 2 {
		t.Errorf("two broken documents are in the log %d times:\n%s", n, b.log)
	}
}
