package prometheustest

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Scraping starts a Prometheus of a test's own, which scrapes /metrics of an address once a second, as a job of that name. It ends with
// the test. It skips and fails as Get does.
func Scraping(t testing.TB, job, address string) *Server {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil && os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skip("needs prometheus")
	}
	if err != nil {
		t.Fatal(errMissing)
	}
	s := &Server{dir: t.TempDir(), ended: make(chan struct{}), targets: httptest.NewServer(nil)}
	config := filepath.Join(s.dir, "prometheus.yml")
	text := fmt.Sprintf("scrape_configs:\n- job_name: %s\n  scrape_interval: 1s\n  static_configs: [{targets: [%q]}]\n", job, address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.run(program, config); err != nil {
		t.Fatalf("cannot start prometheus: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}
