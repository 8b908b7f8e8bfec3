package kube

import (
	"context"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
)

// outOfTouch is for how long a view may be out of touch with the API server before waiting for it is given up. Together with
// the time in which a dead connection is found, an API server that is gone is noticed within about 10 seconds.
const outOfTouch = 4 * time.Second

// Selection is the set of objects that a view shows.
type Selection struct {
	Resource  schema.GroupVersionResource
	Namespace string // "" for all namespaces, and for what has none
	Filter
}

// Decode turns an object into what a view keeps of it. Before is what was kept of the same object (same UID) until now, or
// nil. It must not keep the object's parts that it does not need, and must not wait.
type Decode[T any] func(object *unstructured.Unstructured, before *T) T

// View is a cache of objects that a watch keeps current. Views of the same selection and type share one watch, which goes
// on for two minutes after the last of them was closed. A view never shows less than what was there when its watch was last
// (re)established, and says so when it is out of touch: Err. Its methods are safe for concurrent use; what they return is
// shared and must not be changed.
type View[T any] struct {
	feed  *feed
	close sync.Once
}

// Watch opens a view. It makes one request, in the background, where no other view shows the same.
func Watch[T any](r Reader, selection Selection, decode Decode[T]) *View[T] {
	c := r.watched()
	key := feedKey{selection: selection, kept: reflect.TypeFor[T]()}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.feeds[key]
	if !ok {
		f = newFeed(c, key, func(object *unstructured.Unstructured, before any) any {
			if before == nil {
				return decode(object, nil)
			}
			previous := before.(T)
			return decode(object, &previous)
		})
		c.feeds[key] = f
	}
	f.users++
	f.idle.Stop()
	return &View[T]{feed: f}
}

// Close says that the view is not used any more.
func (v *View[T]) Close() {
	v.close.Do(func() { v.feed.leave() })
}

// Wait waits until the view is in touch with the API server: it has everything that was there when it was last
// (re)established. It gives up as soon as the view has been out of touch for 4 seconds.
func (v *View[T]) Wait(ctx context.Context) error {
	return v.until(ctx, func() bool { return true })
}

// WaitFor waits until the object is there with this resourceVersion or a later one, or has been deleted since: after a write
// of our own, reads must not be from before it. It gives up as Wait does.
func (v *View[T]) WaitFor(ctx context.Context, name types.NamespacedName, resourceVersion string) error {
	return v.until(ctx, func() bool {
		v.feed.mu.Lock()
		defer v.feed.mu.Unlock()
		seen := v.feed.newest
		if e, ok := v.feed.entries[name]; ok {
			seen = e.version
		}
		order, err := resourceversion.CompareResourceVersion(seen, resourceVersion)
		return err == nil && order >= 0
	})
}

// All returns everything in the view, in no order.
func (v *View[T]) All() []T {
	v.feed.mu.Lock()
	defer v.feed.mu.Unlock()
	all := make([]T, 0, len(v.feed.entries))
	for _, e := range v.feed.entries {
		all = append(all, e.kept.(T))
	}
	return all
}

// Get returns one object of the view.
func (v *View[T]) Get(namespace, name string) (T, bool) {
	v.feed.mu.Lock()
	defer v.feed.mu.Unlock()
	e, ok := v.feed.entries[types.NamespacedName{Namespace: namespace, Name: name}]
	if !ok {
		var none T
		return none, false
	}
	return e.kept.(T), true
}

// Changed returns a channel that is closed at the view's next change, a change of Err included. Ask for it before reading.
func (v *View[T]) Changed() <-chan struct{} {
	v.feed.mu.Lock()
	defer v.feed.mu.Unlock()
	return v.feed.changed
}

// Err returns since when the view is out of touch and why, or a nil error where it is in touch. What an out-of-touch view shows
// may be old.
func (v *View[T]) Err() (time.Time, error) {
	v.feed.mu.Lock()
	defer v.feed.mu.Unlock()
	return v.feed.since, v.feed.err
}

func (v *View[T]) until(ctx context.Context, met func() bool) error {
	for {
		changed := v.Changed()
		since, err := v.Err()
		if err == nil && met() {
			return nil
		}
		var grace <-chan time.Time
		if err != nil {
			left := outOfTouch - v.feed.clock().Since(since)
			if left <= 0 {
				return v.feed.fault(err)
			}
			grace = v.feed.clock().After(left)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-grace:
		}
	}
}

func (f *feed) clock() clock.WithDelayedExecution { return f.cluster.clock }

func (f *feed) fault(err error) error {
	if code := fault.CodeOf(err); code != fault.Internal {
		return err
	}
	return f.cluster.fault(err, "watch", label(f.key.selection.Resource.Resource, f.key.selection.Namespace, ""))
}
