// Package kubetest is an API server in memory, for tests that need one and none of what only a real one knows: it validates
// nothing and defaults nothing. It stores objects under resource versions, streams watches, and lets a test step in before
// every write. Controllers of its own play the stock ones as far as the drivers go by them.
package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/kube"
)

// Write is a request that would change something.
type Write struct {
	Verb   string // create, update, patch, delete, evict
	Object string // Kind/name
	Body   string
}

// String is verb and object.
func (w Write) String() string { return w.Verb + " " + w.Object }

// Server is an API server. Before is called before every write, without any lock, and may write itself, through its own
// client or the server's methods; where it returns a status other than 0 the write is answered with that and does nothing.
type Server struct {
	Before func(Write) (status int)
	// BeforeLog is called before the log of a container is read; a status other than 0 is the answer.
	BeforeLog func(Log) (status int)
	// Service answers what is sent to a Service, named as in the path: https:NAME:PORT. Without it no Service has endpoints.
	Service func(name, path string, body []byte) (status int, answer string)
	// Kubelet says, where it is set, what becomes of a pod that a client has made: its status, nil for none.
	Kubelet func(pod *unstructured.Unstructured) (status map[string]any)
	// Prober says the same of a ProbeRun.
	Prober func(run *unstructured.Unstructured) (status map[string]any)
	// Lingers says, where it is set, which objects stay when they are deleted, for somebody else to end them: pods of a node that is away.
	// A grace period of 0 takes them away all the same.
	Lingers func(o *unstructured.Unstructured) bool
	Clock   clock.WithDelayedExecution // when objects are made, and what clients go by; the real one unless set before they are made

	t       *testing.T
	still   bool   // watches hear of nothing
	away    bool   // nothing is answered
	forbids string // a resource that nobody may read
	url     string
	mu      sync.Mutex
	version int64
	objects map[string]*unstructured.Unstructured // by path
	watches map[*watch]bool
	writes  []Write
	logs    map[Log]string
}

// New starts an API server that ends with the test.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{Clock: clock.RealClock{}, t: t, version: 1, objects: map[string]*unstructured.Unstructured{}, watches: map[*watch]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.url = server.URL
	return s
}

// Pool returns clients of the server, as a process of its own has them, under the context "a".
func (s *Server) Pool() *kube.Pool {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: "%s"}}], `+
		`users: [{name: a, user: {}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`, s.url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{path}, Clock: s.Clock})
	s.t.Cleanup(pool.Close)
	return pool
}

// Config is how the server is reached by a client of somebody else's.
func (s *Server) Config() *rest.Config { return &rest.Config{Host: s.url} }

// Cluster returns a client of the server, as a process of its own has it.
func (s *Server) Cluster() *kube.Cluster {
	s.t.Helper()
	c, err := s.Pool().Cluster(s.t.Context(), "a")
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Still keeps changes from watches, as a watch that is behind does; they never hear of those.
func (s *Server) Still(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still = on
}

// Writes returns what has been written since the last call, of the clients alone.
func (s *Server) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.writes
	s.writes = nil
	return done
}

// Put stores objects as they are, new ones or in the place of others. The controllers see it.
func (s *Server) Put(objects ...*unstructured.Unstructured) {
	for _, o := range objects {
		s.mu.Lock()
		s.store(s.pathOf(o), o.DeepCopy())
		s.mu.Unlock()
		s.control(o)
	}
}

// Delete takes objects away, as somebody else would.
func (s *Server) Delete(objects ...*unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.remove(s.pathOf(o))
	}
}

// Object returns what is stored under the name of an object, nil where there is nothing.
func (s *Server) Object(like *unstructured.Unstructured) *unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[s.pathOf(like)]; o != nil {
		return o.DeepCopy()
	}
	return nil
}

// All returns the stored objects of a kind, by name.
func (s *Server) All(kind string) []*unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*unstructured.Unstructured
	for _, o := range s.objects {
		if o.GetKind() == kind {
			all = append(all, o.DeepCopy())
		}
	}
	slices.SortFunc(all, func(a, b *unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}

// Away has the server answer nothing, as one that is overloaded, until it is back.
func (s *Server) Away(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = on
}

// Forbid keeps a resource from being read, as RBAC does.
func (s *Server) Forbid(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbids = resource
}

func (s *Server) forbidden(resource string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forbids == resource
}

func (s *Server) isAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

// ServeHTTP answers as an API server does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if s.isAway() {
		refuse(w, http.StatusServiceUnavailable, "the server is currently unable to handle the request")
		return
	}
	if discover(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	at, ok := parse(r.URL.Path)
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "the server could not find the requested resource")
	case r.Method == http.MethodGet && s.forbidden(at.resource):
		refuse(w, http.StatusForbidden, at.resource+" is forbidden")
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		s.watch(w, r, at)
	case r.Method == http.MethodGet && at.sub == "log":
		s.serveLog(w, at, r.URL.Query())
	case r.Method == http.MethodGet:
		s.get(w, r, at)
	case at.resource == "services" && at.sub == "proxy":
		s.serveService(w, r, at, body)
	default:
		s.write(w, r, at, body)
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.name != "" {
		if o := s.objects[at.path()]; o != nil {
			answer(w, o)
			return
		}
		refuse(w, http.StatusNotFound, at.what()+" not found")
		return
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{
		"apiVersion": at.kind().GroupVersion().String(), "kind": at.kind().Kind + "List",
	}}
	list.SetResourceVersion(strconv.FormatInt(s.version, 10))
	for _, path := range s.paths() {
		if o := s.objects[path]; at.holds(path) && matches(o, r.URL.Query()) {
			list.Items = append(list.Items, *o)
		}
	}
	answer(w, list)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, at place, body []byte) {
	asked := Write{Verb: verbs[r.Method], Object: at.kind().Kind + "/" + at.name, Body: string(body)}
	if at.sub == "eviction" {
		asked.Verb = "evict"
	}
	sent := map[string]any{}
	if err := json.Unmarshal(body, &sent); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if asked.Verb == "create" {
		at.name, _, _ = unstructured.NestedString(sent, "metadata", "name")
		asked.Object += at.name
	}
	if s.Before != nil {
		if status := s.Before(asked); status != 0 {
			refuse(w, status, "refused by the test")
			return
		}
	}
	s.mu.Lock()
	after, status, message := s.apply(asked.Verb, at, r.Header.Get("Content-Type"), body, sent)
	if status == 0 {
		s.writes = append(s.writes, asked)
	}
	s.mu.Unlock()
	if status != 0 {
		refuse(w, status, message)
		return
	}
	answer(w, after)
	s.control(after)
}

// apply changes what is stored. The caller holds the lock.
func (s *Server) apply(
	verb string, at place,
	contentType string, body []byte, sent map[string]any,
) (*unstructured.Unstructured, int, string) {
	path := at.path()
	live := s.objects[path]
	if verb == "create" {
		if live != nil {
			return nil, http.StatusConflict, at.what() + " already exists"
		}
		o := &unstructured.Unstructured{Object: sent}
		if at.namespace != "" && at.kind().Kind != "Namespace" && s.objects[namespacePath(at.namespace)] == nil {
			return nil, http.StatusNotFound, "namespaces \"" + at.namespace + "\" not found"
		}
		return s.store(path, o), 0, ""
	}
	if live == nil {
		return nil, http.StatusNotFound, at.what() + " not found"
	}
	options := sent
	if verb == "evict" {
		options, _, _ = unstructured.NestedMap(sent, "deleteOptions")
	}
	if uid, _, _ := unstructured.NestedString(options, "preconditions", "uid"); uid != "" && uid != string(live.GetUID()) {
		return nil, http.StatusConflict, "the UID in the precondition is not the stored one's"
	}
	if version, _, _ := unstructured.NestedString(sent, "metadata", "resourceVersion"); version != "" && version != live.GetResourceVersion() {
		return nil, http.StatusConflict, "the object has been modified"
	}
	switch verb {
	case "delete", "evict":
		if s.Lingers != nil && options["gracePeriodSeconds"] != 0.0 && s.Lingers(live.DeepCopy()) {
			going := live.DeepCopy()
			going.SetDeletionTimestamp(new(metav1.NewTime(s.Clock.Now())))
			return s.store(path, going), 0, ""
		}
		return s.remove(path), 0, ""
	case "update":
		return s.store(path, &unstructured.Unstructured{Object: sent}), 0, ""
	}
	patched, err := patch(live, contentType, body, sent)
	if err != nil {
		return nil, http.StatusUnprocessableEntity, err.Error()
	}
	if reflect.DeepEqual(patched, live.Object) {
		return live.DeepCopy(), 0, ""
	}
	return s.store(path, &unstructured.Unstructured{Object: patched}), 0, ""
}

func patch(live *unstructured.Unstructured, contentType string, body []byte, sent map[string]any) (map[string]any, error) {
	if contentType != string(types.StrategicMergePatchType) {
		return merged(live.DeepCopy().Object, sent), nil
	}
	typed, err := scheme.Scheme.New(live.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	have, err := json.Marshal(live.Object)
	if err != nil {
		return nil, err
	}
	text, err := strategicpatch.StrategicMergePatch(have, body, typed)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	err = out.UnmarshalJSON(text)
	return out.Object, err
}

// merged is a JSON merge patch (RFC 7386).
func merged(into, patch map[string]any) map[string]any {
	for key, value := range patch {
		part, ok := value.(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case ok:
			under, _ := into[key].(map[string]any)
			if under == nil {
				under = map[string]any{}
			}
			into[key] = merged(under, part)
		default:
			into[key] = value
		}
	}
	return into
}

// store stores an object under the next version, and tells the watches. The caller holds the lock.
func (s *Server) store(path string, o *unstructured.Unstructured) *unstructured.Unstructured {
	s.version++
	text, _ := json.Marshal(o.Object)
	o = &unstructured.Unstructured{}
	_ = o.UnmarshalJSON(text) // numbers are as they are read
	before := s.objects[path]
	kind := "MODIFIED"
	if before == nil {
		kind = "ADDED"
		if o.GetUID() == "" {
			o.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version)))
		}
		o.SetGeneration(1)
		o.SetCreationTimestamp(metav1.NewTime(s.Clock.Now()))
	} else {
		o.SetUID(before.GetUID())
		o.SetGeneration(before.GetGeneration())
		if !reflect.DeepEqual(before.Object["spec"], o.Object["spec"]) {
			o.SetGeneration(before.GetGeneration() + 1)
		}
	}
	o.SetResourceVersion(strconv.FormatInt(s.version, 10))
	s.objects[path] = o
	s.tell(kind, path, before, o)
	return o.DeepCopy()
}

// remove takes an object away. The caller holds the lock.
func (s *Server) remove(path string) *unstructured.Unstructured {
	gone := s.objects[path]
	delete(s.objects, path)
	s.version++
	last := gone.DeepCopy()
	last.SetResourceVersion(strconv.FormatInt(s.version, 10))
	s.tell("DELETED", path, gone, last)
	return last
}

func (s *Server) paths() []string {
	all := make([]string, 0, len(s.objects))
	for path := range s.objects {
		all = append(all, path)
	}
	slices.Sort(all)
	return all
}
