package prometheustest

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Filled starts a Prometheus of a test's own that has a past: series in the format of OpenMetrics, with times. It scrapes nothing, and
// ends with the test. It skips and fails as Get does.
func Filled(t testing.TB, series string) *Server {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err == nil {
		_, err = exec.LookPath("promtool")
	}
	if err != nil && os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skip("needs prometheus")
	}
	if err != nil {
		t.Fatal(errMissing)
	}
	s := &Server{dir: t.TempDir(), ended: make(chan struct{}), targets: httptest.NewServer(nil)}
	config, past := filepath.Join(s.dir, "prometheus.yml"), filepath.Join(s.dir, "past.txt")
	for file, text := range map[string]string{config: "global: {}\n", past: series} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fill := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "openmetrics", past, filepath.Join(s.dir, "data"))
	if out, err := fill.CombinedOutput(); err != nil {
		t.Fatalf("cannot fill prometheus: %v: %s", err, out)
	}
	if err := s.run(program, config); err != nil {
		t.Fatalf("cannot start prometheus: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}
