// Package probetest takes the reports of checks in tests.
package probetest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/probe"
)

// Server is where programs report to during a test.
type Server struct {
	URL string

	mu      sync.Mutex
	reports []probe.Report
	answers []int // to the next reports; none: 200
}

// New starts a server and sets the environment, so that what the test runs reports to it. The run has a minute.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL + "/check"
	t.Setenv(probe.EnvURL, s.URL)
	t.Setenv(probe.EnvRun, "2f1d0c5e-0000-4000-8000-000000000001")
	t.Setenv(probe.EnvDeadline, strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
	t.Setenv(probe.EnvTermination, filepath.Join(t.TempDir(), "none"))
	return s
}

// Run runs a check, and is what it reported. The test fails where it did not report once.
func Run(t testing.TB, check probe.Check) probe.Report {
	t.Helper()
	s := New(t)
	if _, err := probe.Execute(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	all := s.Reports()
	if len(all) != 1 {
		t.Fatalf("it reported %d times", len(all))
	}
	return all[0]
}

// Reports are those that came and were taken.
func (s *Server) Reports() []probe.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]probe.Report(nil), s.reports...)
}

// Answer has the next requests answered so, one after the other. What is not answered with 200 is not taken.
func (s *Server) Answer(codes ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, codes...)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) > 0 {
		code := s.answers[0]
		s.answers = s.answers[1:]
		if code != http.StatusOK {
			http.Error(w, "as the test wants it", code)
			return
		}
	}
	body, err := io.ReadAll(r.Body)
	var report probe.Report
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("kh-run-uuid") == "":
		http.Error(w, "no report", http.StatusBadRequest)
	case err != nil || json.Unmarshal(body, &report) != nil:
		http.Error(w, "no JSON", http.StatusBadRequest)
	case report.OK == (len(report.Errors) > 0):
		http.Error(w, "a report is ok, or has errors", http.StatusBadRequest)
	default:
		s.reports = append(s.reports, report)
	}
}
