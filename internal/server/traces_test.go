package server_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/internal/traces/collectortest"
	"sluice.dev/sluice/internal/wire"
)

// TestWhatIsAskedIsTraced asks a server, and looks at what it sends and hands on.
func TestWhatIsAskedIsTraced(t *testing.T) {
	const trace, job = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	collector := collectortest.Start(t)
	b, body := newKeyed(t)
	sent, err := traces.Open(t.Context(), traces.Options{
		Service: "sluice-server", Getenv: os.Getenv, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sent.Close)
	h := b.handler(func(o *server.Options) { o.Traces = sent })
	token := b.token("operator")
	for _, c := range []struct {
		reason, method, path, body, token string
		want                              int
	}{
		{"a job has a run started", http.MethodPost, "/runs", body, token, http.StatusOK},
		{"who is known is told", http.MethodGet, "/whoami?secret=hunter2", "", token, http.StatusUnprocessableEntity},
		{"no worker takes the command", http.MethodPost, "/runs/agent-1/commands/pause", `{"reason": "hunter2"}`, token, http.StatusServiceUnavailable},
		{"who is not known leaves nothing", http.MethodGet, "/whoami", "", "hunter2", http.StatusUnauthorized},
		{"nor does who asks for nothing", http.MethodGet, "/hunter2", "", token, http.StatusNotFound},
	} {
		r := b.request(c.method, c.path, c.body, c.token)
		r.Header.Set("Traceparent", "00-"+trace+"-"+job+"-01")
		r.Header.Set(wire.KeyHeader, "hunter2 "+c.method+c.path)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s: %d, not %d: %s", c.reason, w.Code, c.want, w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	sent.Close()
	var got []string
	for _, s := range collector.Spans() {
		line := s.Name + " " + s.With["http.response.status_code"] + " " + s.With["sluice.run"]
		if s.Failed {
			line += " failed"
		}
		got = append(got, line)
		if s.Trace != trace || s.Parent != job {
			t.Errorf("%s is not under what asked for it: %+v", s.Name, s)
		}
	}
	want := []string{"start-run 200 ", "whoami 422 ", "tell-run 503 agent-1 failed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if start := collector.Spans()[0]; b.temporal.under.SpanID().String() != start.ID {
		t.Errorf("the run is started under %s, and not under the request", b.temporal.under.SpanID())
	}
	for _, secret := range []string{"hunter2", token, "Bearer"} {
		if bytes.Contains(collector.Raw(), []byte(secret)) {
			t.Errorf("%.20s was sent", secret)
		}
	}
}
