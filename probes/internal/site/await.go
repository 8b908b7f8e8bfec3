package site

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"sluice.dev/sluice/probes/internal/trial"
)

// lastLook is how long the look after the last moment may take.
const lastLook = 3 * time.Second

// follower is what a client of one kind in one namespace does.
type follower[T runtime.Object, L runtime.Object] interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (T, error)
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// Follow follows one object by a watch until it is as wanted, for at most so long. It returns it as it was seen last, and whether it is
// as wanted; there is none where it is not there. An error is one of asking, never of what is seen: an API server that went away
// while the object was waited for is not taken for an object that does not come.
func Follow[T runtime.Object, L runtime.Object](
	ctx context.Context, within time.Duration, objects follower[T, L], sample T, name string, wanted func(T) bool,
) (T, bool, error) {
	var none T
	follow, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	source := one(objects, name)
	event, err := watchtools.UntilWithSync(follow, source, sample, nil, func(e watch.Event) (bool, error) {
		o, ok := e.Object.(T)
		return ok && e.Type != watch.Deleted && wanted(o), nil
	})
	if err == nil && event != nil {
		return event.Object.(T), true, nil
	}
	if err := trial.Stopped(ctx); err != nil {
		return none, false, err
	}
	// It is asked for once more: only an answer says that it is not as wanted.
	o, there, err := lookOnce(ctx, objects, name)
	return o, err == nil && there && wanted(o), err
}

// Gone waits until an object is not there any more, for at most so long, and returns it where it still is.
func Gone[T runtime.Object, L runtime.Object](
	ctx context.Context, within time.Duration, objects follower[T, L], sample T, name string,
) (left T, gone bool, err error) {
	var none T
	follow, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	source := one(objects, name)
	absent := func(store cache.Store) (bool, error) { return len(store.ListKeys()) == 0, nil }
	_, _ = watchtools.UntilWithSync(follow, source, sample, absent, func(e watch.Event) (bool, error) {
		return e.Type == watch.Deleted, nil
	})
	if err := trial.Stopped(ctx); err != nil {
		return none, false, err
	}
	// Watches are served from memory; this is answered by etcd.
	left, there, err := lookOnce(ctx, objects, name)
	return left, err == nil && !there, err
}

// lookOnce asks for an object that may be gone.
func lookOnce[T runtime.Object, L runtime.Object](ctx context.Context, objects follower[T, L], name string) (o T, there bool, err error) {
	look, stop := context.WithTimeout(ctx, lastLook)
	defer stop()
	found, err := objects.Get(look, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return o, false, nil
	case err != nil:
		return o, false, err
	}
	return found, true, nil
}

// one lists and watches a single object.
func one[T runtime.Object, L runtime.Object](objects follower[T, L], name string) *cache.ListWatch {
	selector := fields.OneTermEqualSelector("metadata.name", name).String()
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return objects.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return objects.Watch(ctx, o)
		},
	}
}

// FollowPod follows a pod.
func (s *Site) FollowPod(ctx context.Context, within time.Duration, name string, wanted func(*corev1.Pod) bool) (*corev1.Pod, bool, error) {
	return Follow(ctx, within, s.Client.CoreV1().Pods(s.Namespace), &corev1.Pod{}, name, wanted)
}

// PodGone waits until a pod is gone.
func (s *Site) PodGone(ctx context.Context, within time.Duration, name string) (*corev1.Pod, bool, error) {
	return Gone(ctx, within, s.Client.CoreV1().Pods(s.Namespace), &corev1.Pod{}, name)
}
