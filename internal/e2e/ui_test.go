package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
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

// markup is what of a page is not text.
var markup = regexp.MustCompile(`(?s)<style.*?</style>|<script.*?</script>|<[^>]*>`)

// page returns the text of a page of the Temporal UI once it shows what is wanted.
func page(t *testing.T, chromium, url string, want ...string) string {
	t.Helper()
	var text string
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		out, _ := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
			"--virtual-time-budget=15000", "--dump-dom", url).Output()
		cancel()
		text = strings.Join(strings.Fields(markup.ReplaceAllString(string(out), " ")), " ")
		if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, w) }) {
			return text
		}
	}
	t.Fatalf("%s never showed all of %q; it shows %s", url, want, text[max(0, len(text)-3000):])
	return ""
}

func TestTheTemporalUITellsTheStory(t *testing.T) {
	turns.Take(t)
	chromium := browser(t)
	s := newSite(t, "shown")
	s.work()
	s.install()
	run := s.start("3.0.0", "careful")
	if end := s.ended(run, 2*time.Minute); end.Phase != api.PhaseRolledBack {
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
	c, err := engine.Dial(t.Context(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	described, err := c.Client.DescribeWorkflowExecution(t.Context(), run, "")
	if err != nil {
		t.Fatal(err)
	}
	list := d.Temporal.UI + "/namespaces/" + s.dial.Namespace + "/workflows"
	base := list + "/" + run + "/" + described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	for _, c := range []struct {
		shows string
		url   string
		want  []string
	}{
		{"the run and its unit are found by component", list + "?query=SluiceComponent%3D%22shown%22", []string{run, "canary/a/shown"}},
		{"where the run is, as search attributes", base + "/search-attributes", []string{"SluicePhase", "RolledBack", "SluicePlanHash", "SluiceComponent"}},
		{"how the run and its unit ended", base + "/timeline", []string{`"phase" : "RolledBack"`, "RolledBack by sluice: restarts failed at canary/a/canary/1"}},
	} {
		t.Run(c.shows, func(t *testing.T) { page(t, chromium, c.url, c.want...) })
	}
}
