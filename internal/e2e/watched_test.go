package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/prometheus/prometheustest"
)

// TestABackgroundCheckOfLogsAloneStopsABadVersion plays two versions that are bad in ways of their own, with no rule about pods
// beside the check of their logs.
func TestABackgroundCheckOfLogsAloneStopsABadVersion(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "panics")
	s.work()
	s.declare("logs", `
  defaults:
    nodeSets: [{name: canary, matchLabels: {pool: canary}}, {name: rest, all: true}]
    batches: [1, 100%]
    soak: {batch: 10s} # pods crash 4 s after they were ready
    checks:
    - name: no-panics
      at: [during]
      taskSpec:
        steps:
        - {name: look, interval: 2s, logs: {}}
  stages:
  - {name: first, clusterGroups: {matchLabels: {environment: canary}}}
  onFailure: Rollback
`)
	s.install()
	if end := s.ended(s.start("2.0.0", "logs"), 2*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("a good version ended %s: %+v", end.Phase, end)
	}
	end := s.ended(s.start("3.0.0", "logs"), 2*time.Minute)
	u := end.Stages[0].Units[0]
	if end.Phase != api.PhaseRolledBack || u.Failure == nil || u.Failure.Name != "no-panics" || u.Failure.Verdict != api.Failed {
		t.Fatalf("the bad version ended %s: %+v", end.Phase, u)
	}
	if !strings.HasPrefix(u.FailedAt, "canary/a/canary/1") || !strings.Contains(u.Failure.Message, "panic") {
		t.Errorf("it was stopped at %s by %q", u.FailedAt, u.Failure.Message)
	}
	if n := s.snapshot("a").Tags()["2.0.0"]; n != nodes {
		t.Errorf("%d pods of %d are back", n, nodes)
	}
}

// TestARunAsksEveryKindOfCheck has one run judged by metrics of a real Prometheus, logs and objects of real control planes, a pod that
// runs, and a window. Its tasks are pods as well, and hand results on.
func TestARunAsksEveryKindOfCheck(t *testing.T) {
	turns.Take(t)
	now := time.Now()
	prometheus := prometheustest.Filled(t, fmt.Sprintf("# TYPE agent_success gauge\nagent_success{cluster=\"a\"} 0.995 %d\nagent_success{cluster=\"a\"} 0.995 %d\n# EOF\n",
		now.Add(-time.Minute).Unix(), now.Unix()))
	s := newSite(t, "asked")
	s.stack.NeedProgram(t, "fixture")
	s.stack.NeedProgram(t, "sluice")
	s.work()
	text := "apiVersion: sluice.dev/v1alpha1\nkind: DataSource\nmetadata: {name: all}\nspec: {address: \"" + prometheus.URL + "\", clusterGroups: {all: true}}\n"
	if err := os.WriteFile(filepath.Join(s.files, "source.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	job := func(script string) string {
		return `{image: "sluice.local/fixture:1", profile: node, nodeSelector: {local.sluice.dev/process: "true"}, script: ` + strconv.Quote(script) + `}`
	}
	s.declare("every-kind", `
  tasks:
  - name: prepare
    cluster: a
    taskSpec:
      results: [{name: ready, type: int}]
      steps:
      - {name: run, job: `+strings.TrimSuffix(job(`echo '{"results": {"ready": 7}}' > $TERMINATION_LOG`), "}")+`, results: [{name: ready, type: int}]}}
  - name: use
    cluster: a
    when: [{cel: "tasks.prepare.results.ready == 7"}]
    params: [{name: ready, value: $(tasks.prepare.results.ready)}]
    taskSpec: {params: [{name: ready, type: int}], steps: [{name: run, job: `+job(`test "$PARAM_READY" = 7`)+`}]}
  finally:
  - name: tell
    cluster: a
    params: [{name: how, value: $(tasks.status)}]
    taskSpec: {params: [{name: how}], steps: [{name: run, job: `+job(`test "$PARAM_HOW" = Succeeded`)+`}]}
  defaults:
    nodeSets: [{name: canary, matchLabels: {pool: canary}}, {name: rest, all: true}]
    batches: [1, 100%]
    soak: {batch: 6s}
    checks:
    - name: open
      at: [beforeRun, beforeBatch]
      taskSpec: {steps: [{name: hours, window: {timeZone: Europe/Berlin, allow: [{name: always, days: Mon-Sun}]}}]}
    - name: success-rate
      at: [during, afterBatch]
      taskSpec:
        steps:
        - name: rate
          interval: 2s
          metrics: {promql: 'agent_success{cluster="$(unit.cluster)"}', successCondition: value >= 0.99}
    - name: no-panics
      at: [during]
      taskSpec: {steps: [{name: look, interval: 2s, logs: {}}]}
    - name: healthy
      at: [afterBatch]
      taskSpec: {steps: [{name: look, workload: {maxRestarts: 0}}]}
    - name: reached
      at: [afterCluster]
      taskSpec:
        steps:
        - name: prometheus
          http:
            url: `+prometheus.URL+`/-/ready
            from: cluster
            pod: {profile: node, nodeSelector: {local.sluice.dev/process: "true"}}
    - name: canary-job
      at: [afterCluster]
      taskSpec:
        steps:
        - name: run
          job: `+job(`echo "{\"message\": \"it works in $SLUICE_CLUSTER\"}" > $TERMINATION_LOG`)+`
  stages:
  - {name: first, clusterGroups: {matchLabels: {environment: canary}}}
  onFailure: Rollback
`)
	s.install()
	run := s.start("2.0.0", "every-kind")
	if end := s.ended(run, 3*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("the run ended %s: %+v", end.Phase, end)
	}
	report := s.report(run)
	found := map[string]string{}
	note := func(checks []api.Check) {
		for _, c := range checks {
			if c.Verdict != api.Passed {
				t.Errorf("%s at %s is %s: %s", c.Name, c.At, c.Verdict, c.Message)
			}
			found[c.Name+" at "+string(c.At)] = c.Message
		}
	}
	note(report.Checks)
	unit := report.Stages[0].Units[0]
	note(unit.Checks)
	for _, b := range unit.Batches {
		note(b.Checks)
	}
	for _, want := range []string{
		"open at beforeRun", "open at beforeBatch", "success-rate at during", "success-rate at afterBatch", "no-panics at during",
		"healthy at afterBatch", "reached at afterCluster", "canary-job at afterCluster",
	} {
		if _, there := found[want]; !there {
			t.Errorf("nobody says what %s found: %v", want, found)
		}
	}
	for _, task := range report.Tasks {
		if task.Phase != api.PhaseSucceeded {
			t.Errorf("task %s is %s: %+v", task.Name, task.Phase, task)
		}
	}
	if len(report.Tasks) != 3 {
		t.Errorf("%d tasks were done", len(report.Tasks))
	}
	if said := found["canary-job at afterCluster"]; said != "it works in a" {
		t.Errorf("the job says %q", said)
	}
}
