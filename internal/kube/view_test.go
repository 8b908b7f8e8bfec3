package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
)

func nameOnly(object *unstructured.Unstructured, _ *string) string { return object.GetName() }

func TestViewFollowsWrites(t *testing.T) {
	ctx, c := cluster(t)
	before := c.Requests()
	selection := kube.Selection{Resource: configMaps, Namespace: "default", Filter: kube.Filter{Fields: "metadata.name=followed"}}
	view := kube.Watch(c, selection, nameOnly)
	defer view.Close()
	second := kube.Watch(c, selection, nameOnly)
	if err := second.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	second.Close()
	second.Close()
	if len(view.All()) != 0 {
		t.Errorf("the view shows %v", view.All())
	}
	changed := view.Changed()
	stored := create(t, ctx, c, configMap("followed"))
	if err := view.WaitFor(ctx, types.NamespacedName{Namespace: "default", Name: "followed"}, stored.GetResourceVersion()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the change")
	}
	if name, ok := view.Get("default", "followed"); !ok || name != "followed" {
		t.Errorf("the view has %q, %v", name, ok)
	}
	changed = view.Changed()
	if err := c.Delete(ctx, configMapKind, "default", "followed", stored.GetUID()); err != nil {
		t.Fatal(err)
	}
	<-changed
	if len(view.All()) != 0 {
		t.Errorf("the view still shows %v", view.All())
	}
	if took := c.Requests() - before; took != 3 {
		t.Errorf("it took %d requests, want 3: one watch for both views, and two writes", took)
	}
	ended, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := view.WaitFor(ended, types.NamespacedName{Namespace: "default", Name: "never"}, "999999999"); err != context.DeadlineExceeded {
		t.Errorf("waiting for what never comes ended with %v", err)
	}
}

func TestWaitingForAWriteEndsWhereTheObjectWasDeletedRightAfter(t *testing.T) {
	ctx, c := cluster(t)
	view := kube.Watch(c, kube.Selection{Resource: configMaps, Namespace: "default"}, nameOnly)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	stored := create(t, ctx, c, configMap("fleeting"))
	if err := c.Delete(ctx, configMapKind, "default", "fleeting", stored.GetUID()); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"just deleted", "long deleted"} {
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := view.WaitFor(within, types.NamespacedName{Namespace: "default", Name: "fleeting"}, stored.GetResourceVersion()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, there := view.Get("default", "fleeting"); !there {
				break
			}
		}
	}
}

// TestDeadConnectionIsNoticed stops the API server's process without closing its connections, as a network that swallows
// packets does.
func TestDeadConnectionIsNoticed(t *testing.T) {
	ctx, c := cluster(t)
	view := kube.Watch(c, kube.Selection{Resource: configMaps, Namespace: "default"}, nameOnly)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	pid := apiServer(t)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	start := time.Now()
	for {
		changed := view.Changed()
		if _, err := view.Err(); err != nil {
			break
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatal("after a minute the dead connection is not noticed")
		}
	}
	noticed := time.Since(start)
	code(t, view.Wait(ctx), fault.Unreachable, "cluster a")
	if given := time.Since(start); given > 40*time.Second {
		t.Errorf("it was given up after %s (noticed after %s)", given, noticed)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		if err := view.Wait(ctx); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the view does not come back")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// apiServer returns the process of the stack's API server.
func apiServer(t *testing.T) int {
	t.Helper()
	var status struct {
		Clusters []struct {
			Parts []struct {
				Part string `json:"part"`
				PID  int    `json:"pid"`
			} `json:"parts"`
		} `json:"clusters"`
	}
	if err := json.Unmarshal([]byte(stack(t).Run(t, "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	for _, p := range status.Clusters[0].Parts {
		if p.Part == "apiserver" {
			return p.PID
		}
	}
	t.Fatalf("no API server in %+v", status)
	return 0
}

// fake is an API server of configmaps that cannot stream a state before it watches.
type fake struct {
	lists, watches atomic.Int64
	end            chan struct{}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"sendInitialEvents is forbidden"}`)
	case query.Get("watch") == "":
		n := f.lists.Add(1)
		fmt.Fprintf(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"%d"},"items":[%s]}`, 10*n, f.object("listed", 10*n))
	default:
		f.watches.Add(1)
		from, _ := strconv.ParseInt(query.Get("resourceVersion"), 10, 64)
		fmt.Fprintf(w, `{"type":"ADDED","object":%s}`, f.object("watched", from+1))
		w.(http.Flusher).Flush()
		select {
		case <-f.end:
			fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired"}}`)
		case <-r.Context().Done():
		}
	}
}

// served is a cluster whose API server is a function.
func served(t *testing.T, f http.HandlerFunc) *kube.Cluster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		f(w, r)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: "%s"}}], users: [{name: a, user: {}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`, server.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{path}})
	t.Cleanup(pool.Close)
	c, err := pool.Cluster(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fake) object(name string, version int64) string {
	return fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"%s","namespace":"default","uid":"%[1]s","resourceVersion":"%d"}}`, name, version)
}

func TestViewOfAnOlderAPIServer(t *testing.T) {
	f := &fake{end: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := served(t, f.ServeHTTP)
	view := kube.Watch(c, kube.Selection{Resource: configMaps, Namespace: "default"}, nameOnly)
	defer view.Close()
	if err := view.WaitFor(ctx, types.NamespacedName{Namespace: "default", Name: "watched"}, "11"); err != nil {
		t.Fatal(err)
	}
	if len(view.All()) != 2 {
		t.Errorf("the view shows %v, want what was listed and what was watched", view.All())
	}
	f.end <- struct{}{} // the one that stands
	if err := view.WaitFor(ctx, types.NamespacedName{Namespace: "default", Name: "listed"}, "20"); err != nil {
		t.Fatalf("after the watch expired it is not listed again: %v", err)
	}
}

func TestAListedViewIsInTouchOnceItsWatchStands(t *testing.T) {
	f := &fake{end: make(chan struct{})}
	var open atomic.Bool
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); query.Get("watch") != "" && query.Get("sendInitialEvents") == "" && !open.Load() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		f.ServeHTTP(w, r)
	})
	view := kube.Watch(c, kube.Selection{Resource: configMaps, Namespace: "default"}, nameOnly)
	defer view.Close()
	for end := time.Now().Add(10 * time.Second); f.lists.Load() < 3 && time.Now().Before(end); {
		changed := view.Changed()
		if _, err := view.Err(); err == nil {
			t.Fatal("it counts as current, and nothing would tell it of a change")
		}
		<-changed
	}
	open.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for view.Wait(ctx) != nil && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if len(view.All()) == 0 {
		t.Error("it does not come up")
	}
}
