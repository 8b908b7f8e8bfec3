package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/server"
)

// anybody knows whoever has a token, as a person of that name.
type anybody struct{}

func (anybody) Who(r *http.Request) (access.Subject, error) {
	_, token, ok := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return access.Subject{}, fault.New(fault.Unauthorized, "there is no token")
	}
	return access.NewSubject(access.Person, "corp", token, nil)
}

// TestWhatIsAskedIsCounted asks a server, and looks at what it counts.
func TestWhatIsAskedIsCounted(t *testing.T) {
	m := metrics.NewServer()
	nobody, err := access.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := server.Handler(server.Options{
		Guard: anybody{}, Grants: func() *access.Grants { return nobody }, Clock: clock.RealClock{},
		Logger: slog.New(slog.DiscardHandler), Metrics: m,
	})
	for _, c := range []struct {
		reason, path, token string
		want                int
	}{
		{"who is known is told who he is", "/api/v1/whoami", "ann", 200},
		{"who is not known is refused", "/api/v1/whoami", "", 401},
		{"no binding gives the right", "/api/v1/workers", "ann", 403},
		{"huma itself refuses what is no right", "/api/v1/can-i/fly", "ann", 422},
		{"there is no such thing", "/api/v1/nothing/of/that/name", "ann", 404},
		{"whether it is there is no request of anybody", "/healthz", "", 200},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, not %d: %s", c.reason, w.Code, c.want, w.Body)
		}
	}
	w := httptest.NewRecorder()
	metrics.Page(nil, m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	for line, reason := range map[string]string{
		`sluice_server_requests_total{class="2xx",operation="whoami"} 1`:       "who is known was answered",
		`sluice_server_requests_total{class="4xx",operation="list-workers"} 1`: "the right was denied",
		`sluice_server_requests_total{class="4xx",operation="can-i"} 1`:        "what huma refuses counts for its operation",
		`sluice_server_requests_total{class="4xx",operation="other"} 2`:        "no path makes a series, nor does who is not known",
		`sluice_server_request_duration_seconds_count{operation="whoami"} 1`:   "an answer took a while",
		`sluice_server_refused_total 1`:                                        "one was not known",
		`sluice_server_denied_total{right="view"} 1`:                           "one had not the right to view",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s, and it does not show %s in\n%s", reason, line, text)
		}
	}
	if strings.Contains(text, "nothing") || strings.Contains(text, "healthz") {
		t.Error("what somebody asks for has become a label")
	}
}
