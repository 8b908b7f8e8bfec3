package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/metrics"
)

var update = flag.Bool("update", false, "write the table of docs/monitoring.md anew")

// TestMonitoringPage keeps the table of docs/monitoring.md what a worker and a server show.
func TestMonitoringPage(t *testing.T) {
	const file, begin, end = "../../docs/monitoring.md", "-update -->\n", "<!-- end of the table -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	was, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatal("the page has no place for the table")
	}
	table := "| metric | labels | | of | |\n|---|---|---|---|---|\n"
	for _, f := range metrics.Families() {
		table += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", f.Name, strings.Join(f.Labels, ", "), f.Kind(), f.Of(), f.Help)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, was); diff != "" {
		t.Errorf("docs/monitoring.md is behind (go test ./internal/metrics -run MonitoringPage -update writes it): -want +got\n%s", diff)
	}
}

// TestEveryAlertIsOnThePage keeps the page's table of alerts what alerts.yaml has.
func TestEveryAlertIsOnThePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	for _, a := range alerts {
		if !strings.Contains(string(text), "\n| `"+a[1]+"` | ") {
			t.Errorf("docs/monitoring.md does not say when %s fires", a[1])
		}
	}
	if n := strings.Count(string(text), "\n| `Sluice"); n != len(alerts) || n == 0 {
		t.Errorf("docs/monitoring.md has %d alerts, and alerts.yaml %d", n, len(alerts))
	}
}

func TestEveryFamilyIsOnThePage(t *testing.T) {
	m := metrics.New()
	m.Request("a", 200)
	m.KeptBack("a", time.Second)
	m.Verdict("gate", api.Passed)
	m.Watch(whole(t))
	text := page(t, m)
	known := map[string]bool{}
	for _, f := range metrics.Families() {
		if f.Of() == "server" || f.Of() == "agent" {
			continue
		}
		known[f.Name] = true
		if !strings.Contains(text, "# HELP "+f.Name+" "+f.Help+"\n# TYPE "+f.Name+" "+f.Kind()+"\n") {
			t.Errorf("a worker does not show %s as it is declared", f.Name)
		}
	}
	for _, line := range series(text) {
		if name := strings.FieldsFunc(line, func(r rune) bool { return r == '{' || r == ' ' })[0]; strings.HasPrefix(name, "sluice_") && !known[name] {
			t.Errorf("nobody has declared %s", name)
		}
	}
}
