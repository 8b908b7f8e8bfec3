package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
)

// Each watch is asked to last for watchAge; retryMost is the longest pause between two attempts to get one.
const (
	watchAge  = time.Hour
	retryMost = 5 * time.Second
)

// A watch over which nothing comes for so long is made anew: at first the state is streamed, later an API server sends a
// bookmark every minute, of which one after the state was seen to fall out, as those do that find a full buffer. An API server
// that sends none is asked again every few minutes.
const (
	silentAtFirst = 30 * time.Second
	silentLater   = 5 * time.Minute
)

var (
	errStarting = errors.New("the watch has not started yet")
	errEnded    = errors.New("the watch ended and is being made anew")
	errSilent   = errors.New("nothing came over the watch for too long")
)

type feedKey struct {
	selection Selection
	kept      reflect.Type
}

type entry struct {
	uid     types.UID
	version string
	kept    any
}

// feed is one watch and what it has brought. Every time the watch has to be made anew it streams the whole state again: a
// watch that goes on where the last one broke off cannot tell when it has caught up, and what is behind must not look
// current.
type feed struct {
	cluster *Cluster
	key     feedKey
	decode  func(object *unstructured.Unstructured, before any) any
	stop    context.CancelFunc

	// users and idle are guarded by the cluster's lock.
	users int
	idle  clock.Timer

	mu      sync.Mutex
	entries map[types.NamespacedName]entry
	newest  string // resourceVersion up to which everything has come
	changed chan struct{}
	err     error
	since   time.Time

	listed bool // the API server cannot stream the state: list, then watch
}

func newFeed(c *Cluster, key feedKey, decode func(*unstructured.Unstructured, any) any) *feed {
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{
		cluster: c, key: key, decode: decode, stop: stop,
		entries: map[types.NamespacedName]entry{},
		changed: make(chan struct{}),
		err:     errStarting,
		since:   c.clock.Now().Add(requestTimeout - outOfTouch), // the first answer may take as long as any request
	}
	f.idle = c.clock.AfterFunc(time.Hour, f.expire)
	f.idle.Stop()
	go f.run(ctx)
	return f
}

func (f *feed) leave() {
	f.cluster.mu.Lock()
	defer f.cluster.mu.Unlock()
	f.users--
	if f.users == 0 {
		f.idle.Reset(f.cluster.keep)
	}
}

func (f *feed) expire() {
	f.cluster.mu.Lock()
	defer f.cluster.mu.Unlock()
	if f.users > 0 {
		return
	}
	f.stop()
	if f.cluster.feeds[f.key] == f {
		delete(f.cluster.feeds, f.key)
	}
}

func (f *feed) run(ctx context.Context) {
	pause := 200 * time.Millisecond
	for ctx.Err() == nil {
		start := f.clock().Now()
		err := f.stream(ctx)
		if ctx.Err() != nil {
			f.broken(fault.New(fault.Internal, "the view is closed"))
			return
		}
		var status apierrors.APIStatus
		if !f.listed && errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)) {
			f.listed = true
			continue
		}
		if err == nil {
			err = errEnded
		}
		f.broken(err)
		if f.clock().Since(start) > time.Minute {
			pause = 200 * time.Millisecond
			continue
		}
		select {
		case <-ctx.Done():
		case <-f.clock().After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, retryMost)
	}
}

// stream makes a watch and reads it until it ends.
func (f *feed) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fresh, version := map[types.NamespacedName]entry{}, ""
	request := f.request().
		Param("watch", "1").
		Param("allowWatchBookmarks", "true").
		Param("timeoutSeconds", strconv.Itoa(int((watchAge + rand.N(watchAge/4)).Seconds())))
	if f.listed {
		var err error
		if version, err = f.list(ctx, fresh); err != nil {
			return err
		}
		request = request.Param("resourceVersion", version)
	} else {
		request = request.Param("sendInitialEvents", "true").Param("resourceVersionMatch", "NotOlderThan")
	}
	late := f.clock().AfterFunc(requestTimeout, cancel)
	body, err := request.MaxRetries(0).Stream(ctx)
	if !late.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return err
	}
	defer body.Close()
	if f.listed {
		f.replace(fresh, version)
		fresh = nil
	}
	return f.read(body, fresh, cancel)
}

// read takes events in. Fresh collects the initial ones until the API server says that they are complete; nil where the
// state was listed. Cut ends the body where nothing comes over it.
func (f *feed) read(body io.Reader, fresh map[types.NamespacedName]entry, cut func()) error {
	silent := f.clock().AfterFunc(quiet(fresh), cut)
	defer silent.Stop()
	decoder := json.NewDecoder(body)
	for {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := decoder.Decode(&event); err != nil {
			if !silent.Stop() {
				return errSilent
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if event.Type == "ERROR" {
			status := metav1.Status{}
			if err := json.Unmarshal(event.Object, &status); err != nil {
				return err
			}
			if status.Code == http.StatusGone {
				return nil
			}
			return apierrors.FromObject(&status)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(event.Object); err != nil {
			return fmt.Errorf("cannot read a watch event: %w", err)
		}
		switch {
		case event.Type != "BOOKMARK":
			f.take(event.Type == "DELETED", object, fresh)
		case fresh == nil:
			f.pass(object.GetResourceVersion())
		case object.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true":
			f.replace(fresh, object.GetResourceVersion())
			fresh = nil
		}
		silent.Reset(quiet(fresh))
	}
}

func quiet(fresh map[types.NamespacedName]entry) time.Duration {
	if fresh != nil {
		return silentAtFirst
	}
	return silentLater
}

// pass says that everything up to a version has come.
func (f *feed) pass(version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = version
	f.announce()
}

func (f *feed) take(gone bool, object *unstructured.Unstructured, fresh map[types.NamespacedName]entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
	into := f.entries
	if fresh != nil {
		into = fresh
	}
	if gone {
		delete(into, name)
	} else {
		into[name] = f.entry(name, object)
	}
	if fresh == nil {
		f.newest = object.GetResourceVersion()
		f.announce()
	}
}

// entry decodes an object. The caller holds the lock.
func (f *feed) entry(name types.NamespacedName, object *unstructured.Unstructured) entry {
	unstructured.RemoveNestedField(object.Object, "metadata", "managedFields")
	var before any
	if previous, ok := f.entries[name]; ok && previous.uid == object.GetUID() {
		before = previous.kept
	}
	return entry{uid: object.GetUID(), version: object.GetResourceVersion(), kept: f.decode(object, before)}
}

func (f *feed) request() *rest.Request {
	selection := f.key.selection
	return selection.on(f.cluster.client.Get().AbsPath(resourcePath(selection.Resource, selection.Namespace, "")))
}

func (f *feed) list(ctx context.Context, into map[types.NamespacedName]entry) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	raw, err := read(f.request().MaxRetries(0).Do(ctx))
	if err != nil {
		return "", err
	}
	list := &unstructured.UnstructuredList{}
	if err := list.UnmarshalJSON(raw); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range list.Items {
		object := &list.Items[i]
		name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
		into[name] = f.entry(name, object)
	}
	return list.GetResourceVersion(), nil
}

func (f *feed) replace(entries map[types.NamespacedName]entry, version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries, f.newest = entries, version
	f.err, f.since = nil, time.Time{}
	f.announce()
}

func (f *feed) broken(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || errors.Is(f.err, errStarting) {
		f.since = f.clock().Now()
	}
	f.err = err
	f.announce()
}

// announce wakes everybody who waits for a change. The caller holds the lock.
func (f *feed) announce() {
	close(f.changed)
	f.changed = make(chan struct{})
}
