package occasion

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/probing"
)

// Pace of telling: the first change of a kind and name after a short while, in which others of it are put together with it; further ones
// not so soon.
const (
	gather = 200 * time.Millisecond
	apart  = time.Second
)

// Bounds of telling.
const (
	tellers    = 16               // how many are told of at a time
	tellWithin = 30 * time.Second // for which one is
	mostSlots  = 10_000           // that wait
)

// slot is what is told of once at a time.
type slot struct {
	kind probing.EventKind
	name string
}

// bell tells of changes. Those of one kind and name are put together, and one that takes long to be told of holds up itself alone.
type bell struct {
	happened func(context.Context, probing.Event)
	clock    clock.WithTicker
	logger   *slog.Logger
	queue    workqueue.TypedDelayingInterface[slot]

	mu      sync.Mutex
	waiting map[slot]*probing.Event
	told    map[slot]time.Time // not longer ago than apart, or not swept yet
	lost    int
}

func newBell(happened func(context.Context, probing.Event), c clock.WithTicker, logger *slog.Logger) *bell {
	return &bell{
		happened: happened, clock: c, logger: logger, waiting: map[slot]*probing.Event{}, told: map[slot]time.Time{},
		queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[slot]{Clock: c}),
	}
}

// ring has a change told soon. It waits for nobody. What is about nodes has a key for each of them.
func (b *bell) ring(e probing.Event) {
	of := slot{e.Kind, e.Name}
	if e.Kind == probing.NodeNew || e.Kind == probing.NodeRebooted {
		of.name = "" // many at once are one
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if there := b.waiting[of]; there != nil {
		gathered(there, e)
		return
	}
	if len(b.waiting) >= mostSlots {
		if b.lost++; b.lost == 1 || b.lost%1000 == 0 {
			b.logger.Error("more changes wait to be told of than there may be: one is not told", "waiting", mostSlots, "lost", b.lost,
				"kind", e.Kind, "name", e.Name)
		}
		return
	}
	b.waiting[of] = &e
	soon := gather
	if last, ok := b.told[of]; ok {
		soon = max(soon, last.Add(apart).Sub(b.clock.Now()))
	}
	b.queue.AddAfter(of, soon)
}

// gathered puts a change to one of the same kind and name that waits: the nodes of both, the newer revision, the time of the first.
func gathered(into *probing.Event, e probing.Event) {
	first := into.At
	if e.At.Before(first) {
		first = e.At
	}
	if len(into.Nodes) == 0 {
		*into = e
	}
	into.Revision, into.At = e.Revision, first
	for i, node := range e.Nodes {
		replaced := false
		for j, have := range into.Nodes {
			if have == node {
				into.NodeKeys[j], replaced = e.NodeKeys[i], true
			}
		}
		if !replaced {
			into.Nodes, into.NodeKeys = append(into.Nodes, node), append(into.NodeKeys, e.NodeKeys[i])
		}
	}
}

// run tells until ctx ends.
func (b *bell) run(ctx context.Context) error {
	var all sync.WaitGroup
	for range tellers {
		all.Go(func() {
			for b.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	b.queue.ShutDown()
	all.Wait()
	return nil
}

func (b *bell) next(ctx context.Context) bool {
	of, end := b.queue.Get()
	if end {
		return false
	}
	defer b.queue.Done(of)
	if e := b.take(of); e != nil && ctx.Err() == nil {
		within, stop := context.WithTimeout(ctx, tellWithin)
		defer stop()
		b.happened(within, *e)
	}
	return true
}

// take is what is to be told of a kind and name, nil where that was told already.
func (b *bell) take(of slot) *probing.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.waiting[of]
	if e == nil {
		return nil
	}
	delete(b.waiting, of)
	now := b.clock.Now()
	if len(b.told) > mostSlots {
		for old, at := range b.told {
			if now.Sub(at) > apart {
				delete(b.told, old)
			}
		}
	}
	b.told[of] = now
	if n := len(e.Nodes); n > 0 {
		e.Key = probing.Together(e.NodeKeys)
		if n > 1 {
			e.Text = fmt.Sprintf("%s; and so for %d more", e.Text, n-1)
			if of.name == "" {
				e.Name = ""
			}
		}
	}
	return e
}
