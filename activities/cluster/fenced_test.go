package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
)

// served is a cluster whose API server is a function.
func served(t *testing.T, f http.HandlerFunc) (*kube.Pool, string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		f(w, r)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	point(t, path, server.URL)
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{path}})
	t.Cleanup(pool.Close)
	return pool, path
}

// point makes a kubeconfig name an API server.
func point(t *testing.T, path, url string) {
	t.Helper()
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: "%s"}}], users: [{name: a, user: {}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`, url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsWrittenUnderALeaseThatIsLost(t *testing.T) {
	const lease = `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"sluice-agent","namespace":"sluice-system","uid":"u","resourceVersion":"5",
		"annotations":{"sluice.dev/run":"run-2","sluice.dev/fence":"2"}},"spec":{"holderIdentity":"east"}}`
	writes := 0
	pool, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			writes++
			fmt.Fprint(w, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","namespace":"default"}}`)
		case r.URL.Query().Get("watch") != "":
			fmt.Fprintf(w, `{"type":"ADDED","object":%s}{"type":"BOOKMARK","object":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":"true"}}}}`, lease)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			fmt.Fprint(w, lease)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pool.Cluster(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("ConfigMap")
	o.SetNamespace("default")
	o.SetName("x")
	for _, test := range []struct {
		run   string
		fence int64
		want  fault.Code
	}{{"run-1", 1, fault.Conflict}, {"run-2", 2, ""}} {
		ctx, guard := kube.GuardLease(ctx, c, kube.LeaseSpec{Subject: api.Component("agent"), Installation: "east", Run: test.run, Fence: test.fence})
		defer guard.Close()
		f := kube.Fence(c, guard)
		writes = 0
		_, created := f.Create(ctx, o)
		_, patched := f.Patch(ctx, o.GroupVersionKind(), "default", "x", types.MergePatchType, []byte(`{}`))
		deleted := f.Delete(ctx, o.GroupVersionKind(), "default", "x", "u")
		evicted := f.Evict(ctx, "default", "x", "u")
		for verb, err := range map[string]error{"create": created, "patch": patched, "delete": deleted, "evict": evicted} {
			if fault.CodeOf(err) != test.want {
				t.Errorf("%s: to %s it says %v", test.run, verb, err)
			}
		}
		if wrote := writes > 0; wrote == (test.want != "") {
			t.Errorf("%s wrote %d times", test.run, writes)
		}
	}
}
