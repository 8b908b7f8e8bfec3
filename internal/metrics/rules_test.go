package metrics_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/metrics"
)

const rules = "../../deploy/prometheus"

// promtool runs it beside the rules.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skip("needs promtool")
	}
	if err != nil {
		t.Fatal("promtool is not installed, and everything is required")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = rules
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}

func TestAlertsAreRules(t *testing.T) { promtool(t, "check", "rules", "alerts.yaml") }

func TestAlertsFireWhenTheyShould(t *testing.T) { promtool(t, "test", "rules", "alerts.test.yaml") }

// TestEveryAlertIsTested has each alert fire once in the file of tests, and stay silent once.
func TestEveryAlertIsTested(t *testing.T) {
	var alerts struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name string            `json:"alertname"`
				Want []json.RawMessage `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	for name, into := range map[string]any{"alerts.yaml": &alerts, "alerts.test.yaml": &tests} {
		text, err := os.ReadFile(rules + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, c := range tests.Tests {
		for _, a := range c.Alerts {
			if len(a.Want) > 0 {
				fires[a.Name] = true
			} else {
				silent[a.Name] = true
			}
		}
	}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			if !fires[r.Alert] || !silent[r.Alert] {
				t.Errorf("%s: tested as firing %v, as silent %v", r.Alert, fires[r.Alert], silent[r.Alert])
			}
		}
	}
}

// TestWhatAllWorkersSayIsNotAddedUp looks at how the alerts and the dashboard take the metrics that every worker says alike.
func TestWhatAllWorkersSayIsNotAddedUp(t *testing.T) {
	of := map[string]*metrics.Family{}
	for _, f := range metrics.Families() {
		of[f.Name] = f
		if f.Kind() == "histogram" {
			of[f.Name+"_bucket"] = f
		}
	}
	name := regexp.MustCompile(`sluice_[a-z_]+`)
	taken := regexp.MustCompile(`max( by \([a-z_, ]+\))? ?\((increase\()?(sluice_[a-z_]+)`)
	for _, file := range []string{rules + "/alerts.yaml", "../../deploy/grafana/sluice.json", "../../deploy/grafana/sluice-probes.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if !strings.Contains(line, "expr") {
				continue
			}
			most := map[string]int{}
			for _, m := range taken.FindAllStringSubmatch(line, -1) {
				most[m[3]]++
			}
			uses := map[string]int{}
			for _, n := range name.FindAllString(line, -1) {
				uses[n]++
			}
			for n, times := range uses {
				switch f, known := of[n]; {
				case !known:
					t.Errorf("%s asks for %s, which no worker says: %s", file, n, line)
				case f.Alike() != (most[n] == times):
					t.Errorf("%s takes %s, which is of the %s, in the wrong way: %s", file, n, f.Of(), line)
				}
			}
		}
	}
}
