package metrics_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/probing"
)

// shown is what a handler shows Prometheus.
func shown(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v: %s", w.Code, err, text)
	}
	return string(text)
}

func TestWhatAServerShows(t *testing.T) {
	s := metrics.NewServer()
	s.Certificate(func() time.Time { return time.Unix(1_800_000_000, 0) })
	s.Agents(func() map[string]int { return map[string]int{"There": 2, "Silent": 0} })
	s.Probes(time.Now, func(context.Context) ([]ledger.ProbeCount, error) {
		return []ledger.ProbeCount{{Case: "etcd", State: probing.Passing, Count: 1}}, nil
	}).Heard(probing.Said{Outcomes: []probing.Outcome{{Case: "etcd", Result: probing.Result{Verdict: api.Failed, Code: "NoLeader"}}}})
	s.Request("list-runs", 200)
	s.Request("list-runs", 503)
	s.Request("", 404)
	s.Took("list-runs", 30*time.Millisecond)
	s.Refused()
	s.Denied("operate")
	s.Hook(metrics.HookTaken)
	s.Nudged(false)
	s.Watches()
	s.Watches()()
	text := shown(t, metrics.Page(nil, s))
	for line, reason := range map[string]string{
		`sluice_server_requests_total{class="2xx",operation="list-runs"} 1`:                 "one was answered",
		`sluice_server_requests_total{class="5xx",operation="list-runs"} 1`:                 "one was not",
		`sluice_server_requests_total{class="4xx",operation="list-runs"} 0`:                 "what was not yet begins at 0, or its first increase is lost",
		`sluice_server_requests_total{class="4xx",operation="other"} 1`:                     "what has no name has one for all",
		`sluice_server_request_duration_seconds_bucket{operation="list-runs",le="0.025"} 0`: "it took longer",
		`sluice_server_request_duration_seconds_bucket{operation="list-runs",le="0.05"} 1`:  "it did not take longer",
		`sluice_server_refused_total 1`:                                                     "one was not known",
		`sluice_server_denied_total{right="operate"} 1`:                                     "one had not the right",
		`sluice_server_hooks_total{outcome="taken"} 1`:                                      "one was taken",
		`sluice_server_hooks_total{outcome="refused"} 0`:                                    "what was not yet begins at 0",
		`sluice_server_nudges_total{outcome="failed"} 1`:                                    "one could not be told",
		`sluice_server_watchers 1`:                                                          "one of two has left",
		`sluice_server_agents{state="There"} 2`:                                             "two are there",
		`sluice_server_agents{state="Silent"} 0`:                                            "what is not there is 0, or nothing could be told of it",
		`sluice_server_certificate_expires_timestamp_seconds 1.8e+09`:                       "it ends then",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s, and it does not show %s", reason, line)
		}
	}
	for _, f := range metrics.Families() {
		is := strings.Contains(text, "# HELP "+f.Name+" "+f.Help+"\n# TYPE "+f.Name+" "+f.Kind()+"\n")
		if is != (f.Of() == "server") {
			t.Errorf("%s is of the %s: a server shows it as it is declared: %v", f.Name, f.Of(), is)
		}
	}
}
