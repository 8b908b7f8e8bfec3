package kubetest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// watch is a client that hears of changes.
type watch struct {
	at     place
	filter url.Values
	events chan map[string]any
}

// watch streams what is there, that this was all, and every change from then on.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, at place) {
	// A test that writes faster than a watch is read is no test of ours: it would block, and time out.
	this := &watch{at: at, filter: r.URL.Query(), events: make(chan map[string]any, 10_000)}
	s.mu.Lock()
	for _, path := range s.paths() {
		if o := s.objects[path]; at.holds(path) && matches(o, this.filter) {
			this.events <- event("ADDED", o)
		}
	}
	all := &unstructured.Unstructured{Object: map[string]any{"apiVersion": at.kind().GroupVersion().String(), "kind": at.kind().Kind}}
	all.SetResourceVersion(strconv.FormatInt(s.version, 10))
	all.SetAnnotations(map[string]string{"k8s.io/initial-events-end": "true"})
	this.events <- event("BOOKMARK", all)
	s.watches[this] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watches, this)
		s.mu.Unlock()
	}()
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-this.events:
			answer(w, e)
			w.(http.Flusher).Flush()
		}
	}
}

// tell tells the watches of a change. The caller holds the lock.
func (s *Server) tell(kind, path string, before, after *unstructured.Unstructured) {
	for w := range s.watches {
		if s.still || !w.at.holds(path) {
			continue
		}
		was := before != nil && matches(before, w.filter)
		is := kind != "DELETED" && matches(after, w.filter)
		switch {
		case is && was:
			w.events <- event("MODIFIED", after)
		case is:
			w.events <- event("ADDED", after)
		case was:
			w.events <- event("DELETED", after)
		}
	}
}

func event(kind string, o *unstructured.Unstructured) map[string]any {
	return map[string]any{"type": kind, "object": o.DeepCopy().Object}
}

// matches applies a label selector, and of fields the name and an event's type.
func matches(o *unstructured.Unstructured, filter url.Values) bool {
	selector, err := labels.Parse(filter.Get("labelSelector"))
	if err != nil || !selector.Matches(labels.Set(o.GetLabels())) {
		return false
	}
	for _, field := range strings.Split(filter.Get("fieldSelector"), ",") {
		name, value, _ := strings.Cut(field, "=")
		have := map[string]string{"": "", "metadata.name": o.GetName(), "type": ""}
		have["type"], _, _ = unstructured.NestedString(o.Object, "type")
		if have[name] != value {
			return false
		}
	}
	return true
}
