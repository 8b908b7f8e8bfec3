package acceptance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/probe"
)

// reports takes what cases say, as a server of the contract does.
type reports struct {
	server *httptest.Server
	mu     sync.Mutex
	of     map[string][]probe.Report
}

func listen() *reports {
	r := &reports{of: map[string][]probe.Report{}}
	r.server = httptest.NewServer(http.HandlerFunc(r.take))
	return r
}

func (r *reports) url() string { return r.server.URL + "/check" }

func (r *reports) take(w http.ResponseWriter, q *http.Request) {
	var report probe.Report
	body, err := io.ReadAll(q.Body)
	if err == nil {
		err = json.Unmarshal(body, &report)
	}
	if err != nil || report.More == nil {
		http.Error(w, "no report", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	run := q.Header.Get("kh-run-uuid")
	r.of[run] = append(r.of[run], report)
}

func (r *reports) all(run string) []probe.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.of[run])
}

// wait waits for the one report of a run.
func (r *reports) wait(t *testing.T, run string, within time.Duration, otherwise func() string) *probe.More {
	t.Helper()
	eventually(t, within, func() string {
		if len(r.all(run)) == 0 {
			return "run " + run + " has not reported: " + otherwise()
		}
		return ""
	})
	return r.all(run)[0].More
}

// steps are the parts of a report as TARGET/NAME, each once.
func steps(m *probe.More) []string {
	var all []string
	for _, p := range m.Parts {
		if name := strings.TrimPrefix(p.Target+"/"+p.Name, "/"); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
