package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/traces/collectortest"
)

// one is a fleet of one cluster, and a pipeline that rests after its batch for long enough to lose a worker.
const one = `apiVersion: sluice.dev/v1alpha1
kind: Fleet
metadata: {name: fleet}
spec: {environments: [e2e]}
---
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: e2e}
spec: {environment: e2e}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec: {group: e2e}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: install}
spec:
  stages: [{name: e2e, clusterGroups: {all: true}}]
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: node-agent}
spec:
  stages:
  - name: e2e
    clusterGroups: {all: true}
    batches: [1, 100%]
    soak: {batch: 5s}
    checks:
    - {name: ready, gate: {cel: "workload.restarts == 0"}}
    - {name: never, enforcement: Advisory, gate: {cel: "workload.restarts > 0"}}
`

// token is what the local server wants.
func (o operator) token() string {
	o.Helper()
	var server cli.LocalServer
	data, err := os.ReadFile(filepath.Join(o.dir, "server.json"))
	if err == nil {
		err = json.Unmarshal(data, &server)
	}
	if err != nil || server.Token == "" {
		o.Fatal(err, server)
	}
	return server.Token
}

// TestARunLeavesATrace has a local server send what it is asked and does, for a run through a real cluster by a real Temporal. In the
// middle of it the server is killed, and another one takes the run up.
func TestARunLeavesATrace(t *testing.T) {
	const trace, job = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	o := newOperator(t)
	collector := collectortest.Start(t)
	fleet := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(fleet, []byte(one), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{"--go", "-f", fleet, "-f", filepath.Join("..", "..", "examples", "components", "node-agent")}
	end := o.serves()
	token := o.token()
	said := &page{}
	if code := o.types(t.Context(), said, slices.Concat([]string{"run", "node-agent", "--to", "1.0.0", "--pipeline", "install", "--wait"}, files)...); code != 0 {
		t.Fatalf("the first run: %d\n%s", code, said)
	}
	t.Setenv("TRACEPARENT", "00-"+trace+"-"+job+"-01")
	said = &page{}
	if code := o.types(t.Context(), said, slices.Concat([]string{"run", "node-agent", "--to", "2.0.0", "--reason", "hunter2"}, files)...); code != 0 {
		t.Fatalf("the second run: %d\n%s", code, said)
	}
	t.Setenv("TRACEPARENT", "")
	until(t, "the first batch has moved", func() bool { return len(named(collector, trace, "cluster.Advance")) > 0 })
	end(syscall.SIGKILL)
	if len(named(collector, trace, "run")) > 0 {
		t.Fatal("the run has ended before its server")
	}
	end = o.serves()
	until(t, "the run has ended", func() bool { return len(named(collector, trace, "run")) > 0 })
	end(syscall.SIGTERM)

	var all []collectortest.Span
	above := map[string]string{job: "the job"}
	for _, s := range collector.Spans() {
		if s.Trace == trace {
			all, above[s.ID] = append(all, s), s.Name
		}
	}
	t.Log("\n" + collectortest.Tree(all, func(s collectortest.Span) string {
		return strings.TrimSpace(fmt.Sprintf("%-*s %s", 24, s.Name, s.Ended.Sub(s.Began).Round(time.Millisecond)))
	}))
	for _, s := range all {
		if above[s.Parent] == "" || s.Service != "sluice" {
			t.Errorf("%s of %s has lost what it is under", s.Name, s.Service)
		}
	}
	for _, c := range []struct{ name, under, cluster, phase string }{
		{"start-run", "the job", "", ""},
		{"start run", "start-run", "", ""},
		{"run", "start run", "", "Succeeded"},
		{"unit", "run", "a", "Succeeded"},
		{"cluster.Advance", "unit", "a", ""},
		{"cluster.Acquire", "unit", "a", ""},
		{"cluster.Finish", "unit", "a", ""},
		{"ledger.SaveRun", "run", "", ""},
	} {
		found := named(collector, trace, c.name)
		if len(found) != 1 {
			t.Errorf("%s was sent %d times", c.name, len(found))
			continue
		}
		s := found[0]
		if above[s.Parent] != c.under || s.With["sluice.cluster"] != c.cluster || s.With["sluice.phase"] != c.phase {
			t.Errorf("%s is under %q, with %v", c.name, above[s.Parent], s.With)
		}
	}
	if run, unit := named(collector, trace, "run")[0], named(collector, trace, "unit")[0]; run.With["sluice.run"] != "node-agent-2" ||
		run.With["sluice.component"] != "node-agent" || run.With["sluice.version"] != "2.0.0" || unit.With["sluice.stage"] != "e2e" {
		t.Errorf("the run has %v, the unit %v", run.With, unit.With)
	}
	for _, s := range named(collector, trace, "gate.Evaluate") {
		if s.With["sluice.unmet"] != "never Failed" {
			t.Errorf("a gate has found %q", s.With["sluice.unmet"])
		}
	}
	for _, secret := range []string{token, "Bearer", "logLevel", "hunter2"} {
		if bytes.Contains(collector.Raw(), []byte(secret)) {
			t.Errorf("%.12s was sent", secret)
		}
	}
}

// named are the spans of a name in a trace.
func named(c *collectortest.Collector, trace, name string) []collectortest.Span {
	return slices.DeleteFunc(c.Spans(), func(s collectortest.Span) bool { return s.Trace != trace || s.Name != name })
}
