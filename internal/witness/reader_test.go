package witness_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"sluice.dev/sluice/internal/witness"
)

// server is an API server that knows pods and one DaemonSet, and whose watches can be cut.
type server struct {
	mu      sync.Mutex
	version int
	pods    map[string]corev1.Pod
	watches map[chan metav1.WatchEvent]bool
}

func newServer(t *testing.T) (*server, *witness.Reader) {
	t.Helper()
	s := &server{pods: map[string]corev1.Pod{}, watches: map[chan metav1.WatchEvent]bool{}}
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	t.Cleanup(s.cut)
	reader, err := witness.New("c1", &rest.Config{Host: hs.URL})
	if err != nil {
		t.Fatal(err)
	}
	return s, reader
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.UserAgent() != "sluice-witness" {
		http.Error(w, "who are you?", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	case strings.HasSuffix(r.URL.Path, "/pods"):
		s.mu.Lock()
		list := corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)}}
		for _, p := range s.pods {
			list.Items = append(list.Items, p)
		}
		s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(list)
	case strings.HasSuffix(r.URL.Path, "/daemonsets"):
		_ = json.NewEncoder(w).Encode(appsv1.DaemonSetList{Items: []appsv1.DaemonSet{
			{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "agent", UID: "ds", Generation: 3, ResourceVersion: "12"}},
		}})
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{}})
	}
}

func (s *server) watch(w http.ResponseWriter, r *http.Request) {
	events := make(chan metav1.WatchEvent, 100)
	s.mu.Lock()
	s.watches[events] = true
	s.mu.Unlock()
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case event, open := <-events:
			if !open {
				return
			}
			_ = json.NewEncoder(w).Encode(event)
			w.(http.Flusher).Flush()
		}
	}
}

func (s *server) put(uid, image string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	_, there := s.pods[uid]
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: uid, UID: types.UID(uid), ResourceVersion: strconv.Itoa(s.version)},
		Spec:       corev1.PodSpec{NodeName: "n-" + uid, Containers: []corev1.Container{{Image: image}}},
		Status: corev1.PodStatus{
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}},
		},
	}
	s.pods[uid] = pod
	event := "ADDED"
	if there {
		event = "MODIFIED"
	}
	s.send(event, pod)
}

func (s *server) remove(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	pod := s.pods[uid]
	delete(s.pods, uid)
	s.send("DELETED", pod)
}

func (s *server) send(event string, pod corev1.Pod) {
	for w := range s.watches {
		raw, _ := json.Marshal(pod)
		e := metav1.WatchEvent{Type: event}
		e.Object.Raw = raw
		w <- e
	}
}

// cut ends all watches.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		close(w)
		delete(s.watches, w)
	}
}

func (s *server) watching() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watches) > 0
}

func TestSnapshot(t *testing.T) {
	s, reader := newServer(t)
	s.put("p1", "r/agent:1.0.0")
	got, err := reader.Snapshot(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Pods) != 1 || got.Pods[0].Tag() != "1.0.0" || got.Pods[0].Restarts != 2 || !got.Pods[0].Ready || got.Pods[0].Node != "n-p1" {
		t.Errorf("pods = %+v", got.Pods)
	}
	want := witness.Object{Kind: "DaemonSet", Namespace: "a", Name: "agent", UID: "ds", Generation: 3, Version: "12"}
	if len(got.Objects) != 1 || got.Objects[0] != want {
		t.Errorf("objects = %+v, want only %+v", got.Objects, want)
	}
}

func TestRecorder(t *testing.T) {
	s, reader := newServer(t)
	s.put("p1", "r/agent:1.0.0")
	rec, err := reader.Record(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a watch", s.watching)
	s.put("p2", "r/agent:2.0.0")
	until(t, "p2", func() bool { return rec.Events().MostWithTag("2.0.0") == 1 })

	s.cut() // what happens while nobody watches is seen afterwards
	s.remove("p1")
	s.put("p3", "r/agent:2.0.0")
	until(t, "p3", func() bool { return rec.Events().MostWithTag("2.0.0") == 2 })
	until(t, "a new watch", s.watching)

	all := rec.Stop()
	var gone []string
	for _, e := range all {
		if e.Gone {
			gone = append(gone, e.Pod.Name)
		}
	}
	if len(gone) != 1 || gone[0] != "p1" {
		t.Errorf("gone = %v, want p1", gone)
	}
	s.put("p4", "r/agent:2.0.0")
	if again := rec.Stop(); len(again) != len(all) {
		t.Errorf("a recorder that was stopped went on: %d events, had %d", len(again), len(all))
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited 10 s for %s", what)
}
