package occasion

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/probing"
)

// rung is a bell with a clock that a test moves, and what it has told.
type rung struct {
	*bell
	clock *testingclock.FakeClock

	mu   sync.Mutex
	told []probing.Event
}

func ringing(t *testing.T) *rung {
	t.Helper()
	r := &rung{clock: testingclock.NewFakeClock(time.Unix(1_000_000, 0))}
	r.bell = newBell(func(_ context.Context, e probing.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, e)
	}, r.clock, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// after lets time pass, and waits until so many events have been told.
func (r *rung) after(t *testing.T, d time.Duration, n int) []probing.Event {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !r.clock.HasWaiters() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // in which the queue sets its timer
	r.clock.Step(d)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		told := slices.Clone(r.told)
		r.mu.Unlock()
		if len(told) >= n {
			time.Sleep(50 * time.Millisecond)
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.Clone(r.told)
		}
	}
	t.Fatalf("%d events were told, not %d", len(r.told), n)
	return nil
}

func ofNode(node string) probing.Event {
	return probing.Event{Kind: probing.NodeNew, Name: node, Text: "node " + node + " is new", Nodes: []string{node}, NodeKeys: []string{"new/" + node}}
}

func TestChangesOfANameArePutTogether(t *testing.T) {
	r := ringing(t)
	early := time.Unix(999_999, 0)
	r.ring(probing.Event{Kind: probing.Deployed, Name: "a", Key: "1", Revision: "1", At: early})
	r.ring(probing.Event{Kind: probing.Deployed, Name: "a", Key: "2", Revision: "2", At: early.Add(time.Second)})
	told := r.after(t, gather, 1)
	if len(told) != 1 || told[0].Key != "2" || told[0].Revision != "2" || !told[0].At.Equal(early) {
		t.Errorf("the last revision is told, with the time of the first: %+v", told)
	}
	r.ring(probing.Event{Kind: probing.Deployed, Name: "a", Key: "3"})
	if told = r.after(t, gather, 1); len(told) != 1 {
		t.Errorf("it is told again at once: %+v", told)
	}
	if told = r.after(t, apart, 2); len(told) != 2 || told[1].Key != "3" {
		t.Errorf("it is told a second later: %+v", told)
	}
}

func TestNodesArePutTogether(t *testing.T) {
	r := ringing(t)
	for _, node := range []string{"b", "a", "b"} {
		r.ring(ofNode(node))
	}
	told := r.after(t, gather, 1)
	if len(told) != 1 || !slices.Equal(told[0].Nodes, []string{"b", "a"}) || told[0].Name != "" {
		t.Fatalf("told %+v", told)
	}
	if got, want := told[0].Key, probing.Together([]string{"new/a", "new/b"}); got != want {
		t.Errorf("its key is %q, not %q", got, want)
	}
	if got := told[0].KeyOf("a"); got != "new/a" {
		t.Errorf("that of a node is %q", got)
	}
	if got, want := told[0].Text, "node b is new; and so for 1 more"; got != want {
		t.Errorf("it reads %q, not %q", got, want)
	}
}

// A storm takes no more room than there are names, and no more events than there are names in a second; beyond a bound it is dropped.
func TestAStormIsBounded(t *testing.T) {
	r := ringing(t)
	const named, times = 500, 100
	for range times {
		for i := range named {
			r.ring(probing.Event{Kind: probing.Deployed, Name: fmt.Sprint(i), Key: "k"})
		}
	}
	if told := r.after(t, gather, named); len(told) != named {
		t.Errorf("%d changes of %d names are %d events", named*times, named, len(told))
	}
	for i := range mostSlots + 7 {
		r.ring(probing.Event{Kind: probing.Deployed, Name: fmt.Sprint("other", i)})
	}
	r.bell.mu.Lock()
	defer r.bell.mu.Unlock()
	if len(r.waiting) != mostSlots || r.lost != 7 {
		t.Errorf("%d wait, %d were lost", len(r.waiting), r.lost)
	}
}
