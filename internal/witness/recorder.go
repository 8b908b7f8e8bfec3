package witness

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// retryAfter is how long a recorder waits before it takes up a watch that broke.
const retryAfter = 500 * time.Millisecond

// Recorder writes down every change of the pods of one namespace while it runs.
type Recorder struct {
	reader    *Reader
	namespace string
	stop      context.CancelFunc
	done      chan struct{}

	mu     sync.Mutex
	pods   map[string]Pod // what is there now, by UID
	events Recording
}

// Event is a pod as it was seen at a time. Gone is true for its last.
type Event struct {
	At   time.Time `json:"at"`
	Pod  Pod       `json:"pod"`
	Gone bool      `json:"gone"`
}

// Record starts to watch, and returns once the pods that are there now are written down. The recorder goes on until
// Stop is called or ctx ends. Where the API server is away for a while, what happened meanwhile is written down when it
// is back, as one change for each pod.
func (r *Reader) Record(ctx context.Context, namespace string) (*Recorder, error) {
	rec := &Recorder{reader: r, namespace: namespace, done: make(chan struct{}), pods: map[string]Pod{}}
	ctx, rec.stop = context.WithCancel(ctx)
	from, err := rec.list(ctx)
	if err != nil {
		rec.stop()
		return nil, err
	}
	go rec.run(ctx, from)
	return rec, nil
}

// Stop ends the recording and returns all of it, in the order in which it was seen. It can be called again.
func (r *Recorder) Stop() Recording {
	r.stop()
	<-r.done
	return r.Events()
}

// Events returns what was recorded so far.
func (r *Recorder) Events() Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(Recording(nil), r.events...)
}

func (r *Recorder) run(ctx context.Context, from string) {
	defer close(r.done)
	for {
		r.follow(ctx, from)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(retryAfter):
			}
			var err error
			if from, err = r.list(ctx); err == nil {
				break
			}
		}
	}
}

// list writes down how what is there differs from what was, and returns the version to watch from.
func (r *Recorder) list(ctx context.Context) (string, error) {
	var list corev1.PodList
	if err := r.reader.list(ctx, r.reader.core, "pods", r.namespace, &list); err != nil {
		return "", err
	}
	there := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		there[string(list.Items[i].UID)] = true
		r.add(podOf(&list.Items[i]), false)
	}
	for uid, pod := range r.present() {
		if !there[uid] {
			r.add(pod, true)
		}
	}
	return list.ResourceVersion, nil
}

// follow writes down what a watch tells until it breaks.
func (r *Recorder) follow(ctx context.Context, from string) {
	w, err := r.reader.watchPods(ctx, r.namespace, from)
	if err != nil {
		return
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return
		}
		r.add(podOf(pod), event.Type == watch.Deleted)
	}
}

func (r *Recorder) add(pod Pod, gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, known := r.pods[pod.UID]; known && !gone && last.Version == pod.Version {
		return
	}
	r.pods[pod.UID] = pod
	if gone {
		delete(r.pods, pod.UID)
	}
	r.events = append(r.events, Event{At: time.Now().UTC(), Pod: pod, Gone: gone})
}

func (r *Recorder) present() map[string]Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.pods)
}
