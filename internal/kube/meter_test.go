package kube_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/kube"
)

// meter keeps what it hears.
type meter struct {
	mu       sync.Mutex
	statuses map[string]int
	waited   time.Duration
}

func (m *meter) Request(cluster string, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.statuses[fmt.Sprint(cluster, " ", status)]++
}

func (m *meter) KeptBack(_ string, waited time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waited += waited
}

func TestAMeterHearsOfEveryRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: "` + server.URL + `"}}, {name: b, cluster: {server: "http://127.0.0.1:1"}}],
contexts: [{name: a, context: {cluster: a}}, {name: b, context: {cluster: b}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &meter{statuses: map[string]int{}}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{file}, QPS: 20, Burst: 1, Meter: m})
	defer pool.Close()
	for _, name := range []string{"a", "a", "a", "b"} {
		c, err := pool.Cluster(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Reachable(t.Context()); err == nil {
			t.Errorf("%s is reachable", name)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.statuses["a 403"] != 3 || m.statuses["b 0"] != 1 || len(m.statuses) != 2 {
		t.Errorf("it hears %v", m.statuses)
	}
	if m.waited < 50*time.Millisecond { // two of the three waited for 50 ms each, less what the requests took
		t.Errorf("requests were kept back for %s", m.waited)
	}
}
