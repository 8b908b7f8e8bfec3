package occasion

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ref is an object by its name, whatever becomes of it.
type ref struct{ kind, namespace, name string }

// String is Kind/namespace/name.
func (r ref) String() string { return r.kind + "/" + r.namespace + "/" + r.name }

func (r ref) key() types.NamespacedName {
	return types.NamespacedName{Namespace: r.namespace, Name: r.name}
}

// itself refers to the object that is seen.
func itself(kind string) func(client.Object) (ref, types.UID) {
	return func(o client.Object) (ref, types.UID) { return ref{kind, o.GetNamespace(), o.GetName()}, o.GetUID() }
}

// lookers is how many objects of a loop are looked at at a time. One object is looked at once at a time.
const lookers = 4

// retry is when an object is looked at again that could not be.
const retry = 5 * time.Second

// loop looks at objects that have changed: at what they are by then, however often they have.
type loop struct {
	// look looks at an object; it returns when it is to be looked at again, 0 for when it changes.
	look   func(ctx context.Context, of ref) (again time.Duration, err error)
	queue  workqueue.TypedDelayingInterface[ref]
	log    *slog.Logger
	synced []toolscache.InformerSynced

	mu    sync.Mutex
	first map[ref]types.UID // that were there before anybody watched
}

func newLoop(look func(context.Context, ref) (time.Duration, error), c clock.WithTicker, logger *slog.Logger) *loop {
	return &loop{
		look: look, log: logger, first: map[ref]types.UID{},
		queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[ref]{Clock: c}),
	}
}

// hear has a loop look at what an informer sees, or at what that refers to; at nothing where that is no ref.
func (l *loop) hear(i cache.Informer, of func(client.Object) (ref, types.UID)) error {
	see := func(seen any, first bool) {
		if gone, ok := seen.(toolscache.DeletedFinalStateUnknown); ok {
			seen = gone.Obj
		}
		o, ok := seen.(client.Object)
		if !ok {
			return
		}
		r, uid := of(o)
		if r == (ref{}) {
			return
		}
		if first {
			l.mu.Lock()
			l.first[r] = uid
			l.mu.Unlock()
		}
		l.queue.Add(r)
	}
	heard, err := i.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, now any) { see(now, false) },
		DeleteFunc: func(last any) { see(last, false) },
	})
	if err == nil {
		l.synced = append(l.synced, heard.HasSynced)
	}
	return err
}

// wasThere reports whether an object that is seen for the first time was there before anybody watched.
func (l *loop) wasThere(r ref, uid types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, there := l.first[r]
	return there && first == uid
}

// run looks until ctx ends. It begins when all is known that was there before.
func (l *loop) run(ctx context.Context) error {
	if !toolscache.WaitForCacheSync(ctx.Done(), l.synced...) {
		return nil
	}
	var all sync.WaitGroup
	for range lookers {
		all.Go(func() {
			for l.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	l.queue.ShutDown()
	all.Wait()
	return nil
}

func (l *loop) next(ctx context.Context) bool {
	of, end := l.queue.Get()
	if end {
		return false
	}
	defer l.queue.Done(of)
	again, err := l.look(ctx, of)
	if err != nil && ctx.Err() == nil {
		l.log.Warn("cannot see whether something has changed; it is tried again", "of", of.String(), "error", err)
		again = retry
	}
	if again > 0 {
		l.queue.AddAfter(of, again)
	}
	return true
}
