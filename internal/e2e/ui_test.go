package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/status"
)

// browser finds a Chromium; without one the test is skipped by name, or fails where everything is required.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("SLUICE_REQUIRE") == "all" {
		t.Fatal("there is no Chromium, and everything is required")
	}
	t.Skip("needs chromium")
	return ""
}

// page returns the text of a page of the Temporal UI once it shows what is wanted.
func page(t *testing.T, chromium, url string, want ...string) string {
	t.Helper()
	var text string
	deadline := time.Now().Add(90 * time.Second)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		out, _ := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
			"--virtual-time-budget=15000", "--dump-dom", url).Output()
		cancel()
		text = string(out)
		missing := ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return text
		}
		t.Logf("%s does not show %q yet", url, missing)
	}
	t.Fatalf("%s never showed all of %q; %d bytes", url, want, len(text))
	return ""
}

func TestTheTemporalUITellsTheStory(t *testing.T) {
	chromium := browser(t)
	s := newSite(t, "shown")
	s.work()
	s.install()
	run := s.start("3.0.0", "careful")
	if end := s.ended(run, 2*time.Minute); end.Phase != status.PhaseRolledBack {
		t.Fatalf("version 3 ended %s", end.Phase)
	}
	data, err := os.ReadFile(s.stack.Dir + "/stack.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Temporal struct{ UI string } }
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	base := d.Temporal.UI + "/namespaces/default/workflows/" + run
	page(t, chromium, base, "canary/a to shown 3.0.0", "Rollout")
	page(t, chromium, base+"/search-attributes", "SluicePhase", "RolledBack", "SluicePlanHash", "SluiceComponent", "shown")
	page(t, chromium, base+"/user-metadata", "RolledBack", "canary/a")
}
