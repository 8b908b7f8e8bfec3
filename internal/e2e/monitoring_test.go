package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/prometheus/prometheustest"
	"sluice.dev/sluice/pipelines"
)

// empty are the queries, or what they compare, that a run without luck or misfortune of its own gives no series, and why.
var empty = map[string]string{
	`absent(up{job="sluice"} == 1)`: "a worker answers",
	`max by (phase) (sluice_runs{phase=~"Failed|RolledBack"}) - max by (phase) (sluice_runs{phase=~"Failed|RolledBack"} offset 15m)`: "nothing was scraped a quarter of an hour ago",
	`sum by (workflow_type) (rate(temporal_workflow_task_execution_failed_total[5m]))`:                                               "no workflow task fails",
	`sum by (operation, status_code) (rate(temporal_request_failure_total[5m]))`:                                                     "no request to Temporal has to fail",
	`histogram_quantile(0.99, sum by (le, task_queue) (rate(temporal_activity_schedule_to_start_latency_seconds_bucket[5m])))`:       "a worker is handed activities of its own workflows at once, and need not ask for them",
}

// TestPrometheusHearsOfARun has a real Prometheus scrape a worker while a run gets nowhere, and asks it every query of the alerts and of the
// dashboard.
func TestPrometheusHearsOfARun(t *testing.T) {
	turns.Take(t)
	address := free(t)
	prometheus := prometheustest.Scraping(t, "sluice", address)
	s := newSite(t, "monitored")
	s.metrics = address
	s.edit("components.yaml", "3.0.0-crash-after-ready", "3.0.0-pull-error")
	s.declare("impatient", `
  defaults:
    progressDeadline: 5s
    batches: [1, 100%]
    checks:
    - {name: restarts, at: [during], gate: {cel: workload.restarts == 0}}
  stages:
  - {name: first, clusterGroups: {matchLabels: {environment: canary}}}
  onFailure: Rollback
`)
	s.work()
	s.install()
	alerts, panels := alertQueries(t), panelQueries(t)
	if len(alerts) < 10 || len(panels) < 20 {
		t.Fatalf("there are %d alerts and %d queries of the dashboard", len(alerts), len(panels))
	}
	answers(t, prometheus, []string{`sluice_runs{phase="Succeeded"} == 1`})
	for name, query := range alerts {
		if got := queried(t, prometheus, query); len(got) > 0 {
			t.Errorf("%s fires though nothing is wrong: %v", name, got)
		}
	}

	made, err := s.engine.Freeze(t.Context(), api.Freeze{
		Scope: api.FreezeScope{Component: api.Component("another")}, InFlight: api.Finish, By: "ann", Reason: "so that there is one",
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	if _, err := s.ledger.Keep(t.Context(), ledger.Kept{Kind: api.DrillKind, Name: "crash", Document: []byte("{}"), By: "ann", At: now}, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ledger.Keep(t.Context(), ledger.Kept{Kind: pipelines.KindFuse, Name: "calm", Document: []byte(
		`{"spec": {"failures": 1000, "of": 1000, "within": "1h"}}`), By: "ann", At: now}, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.ledger.SaveDrilled(t.Context(), api.Drilled{ID: "crash/1", Drill: "crash", Outcome: api.DrillStopped, Started: now}); err != nil {
		t.Fatal(err)
	}
	run := s.start("3.0.0", "impatient")
	s.until(run, "stalled", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseStalled })
	all := slices.Clone(panels)
	for name, query := range alerts {
		// There is no server here, and no agent: their alerts are played by alerts.test.yaml.
		if !strings.HasPrefix(name, "SluiceServer") && !strings.HasPrefix(name, "SluiceProbe") {
			all = append(all, compared(query))
		}
	}
	answers(t, prometheus, append(all, alerts["SluiceRunStalled"], alerts["SluiceUnitsStand"],
		`sluice_run_stalled{component="monitored",run="`+run+`"} == 1`, `sluice_units{phase="Stalled"} == 1`,
		`max by (component) (sluice_run_started_timestamp_seconds{component="monitored"}) > `+fmt.Sprint(now.Unix()-1),
		`max(sluice_cluster_deployed_timestamp_seconds{cluster="a",component="monitored"}) < `+fmt.Sprint(now.Unix()+1),
		`sluice_run_progress_deadline_seconds{run="`+run+`"} == 5`, `sluice_freezes == 1`,
		`sluice_commands_total{command="run",outcome="accepted"} == 2`, `sluice_api_requests_total{cluster="a",outcome="answered"} > 0`))

	if _, err := s.engine.Unfreeze(t.Context(), made.Name, "ann", "it was for this"); err != nil {
		t.Fatal(err)
	}
	s.tell(run, api.UpdateRollback, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
	answers(t, prometheus, []string{`sluice_runs{phase="RolledBack"} == 1`, `sluice_runs_stalled == 0`})
}

// free is an address that nobody listens at.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// alertQueries are the expressions of the alerts, by name.
func alertQueries(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			all[r.Alert] = r.Expr
		}
	}
	return all
}

// panelQueries are those of the dashboard: of its panels, and of what it draws over them.
func panelQueries(t *testing.T) (all []string) {
	t.Helper()
	var file struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
		Annotations struct {
			List []struct {
				Expr            string
				UseValueForTime bool
			}
		}
	}
	text, err := os.ReadFile("../../deploy/grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, p := range file.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, a := range file.Annotations.List {
		if !a.UseValueForTime {
			t.Errorf("%s is drawn where it was scraped, not at the time that it says", a.Expr)
		}
		all = append(all, a.Expr)
	}
	return all
}

// compared is the left side of a query's own comparison, which has series whether it holds or not.
func compared(query string) string {
	depth := 0
	for i, r := range query {
		switch {
		case strings.ContainsRune("([{", r):
			depth++
		case strings.ContainsRune(")]}", r):
			depth--
		case depth == 0 && (strings.HasPrefix(query[i:], " == ") || strings.HasPrefix(query[i:], " > ")):
			return query[:i]
		}
	}
	return query
}

// queried returns the series of a query. One that Prometheus does not understand fails the test.
func queried(t *testing.T, server *prometheustest.Server, query string) []json.RawMessage {
	t.Helper()
	response, err := http.Get(server.URL + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var said struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	if said.Status != "success" {
		t.Fatalf("%s: %s", query, said.Error)
	}
	return said.Data.Result
}

// answers waits until every query has series, but for those that may be empty.
func answers(t *testing.T, server *prometheustest.Server, queries []string) {
	t.Helper()
	var without []string
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		without = nil
		for _, query := range queries {
			if got := queried(t, server, query); len(got) == 0 && empty[query] == "" {
				without = append(without, query)
			}
		}
		if len(without) == 0 {
			return
		}
	}
	t.Fatalf("Prometheus knows nothing of\n%s", strings.Join(without, "\n"))
}
