package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/cli"
)

// slow is docs/scenarios.md's first scenario as its author types it, before anything is expected.
const slow = `The p99 of the canary goes over its limit while the first batch soaks. The batch is taken back; production never moves.
-- fleet.yaml --
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: canary}
spec: {environment: canary}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: canary-1}
spec: {group: canary}
-- pipeline.yaml --
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: shop}
spec:
  defaults:
    batches: [1, 100%]
    soak: {batch: 10m}
    checks:
    - name: latency
      at: [during]
      taskSpec:
        steps:
        - name: p99
          http: {url: "http://metrics.shop.example/p99"}
          interval: 1m
          failureLimit: 1
  stages:
  - {name: canary, clusterGroups: {names: [canary]}}
  onFailure: Rollback
-- script --
component shop 2.0.0
batches take 2m
from 5m to 6m check latency Failed "p99 is 310 ms"    # borne: failureLimit
from 8m check latency Failed "p99 is 420 ms"
`

// author is somebody who has files and the command line, and no Go.
type author struct {
	t   *testing.T
	dir string
}

func newAuthor(t *testing.T) *author { return &author{t, t.TempDir()} }

func (a *author) write(name, text string) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func (a *author) read(path string) string {
	a.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(data)
}

// types runs sluice test, and wants an exit code and words.
func (a *author) types(reason string, code int, args []string, words ...string) string {
	a.t.Helper()
	var out bytes.Buffer
	f := cli.System()
	f.Out, f.Err, f.Terminal, f.Lively, f.Test = &out, &out, false, false, test
	if got := cli.Execute(a.t.Context(), append([]string{"test"}, args...), f); got != code {
		a.t.Errorf("%s: exit code %d, not %d:\n%s", reason, got, code, out.String())
	}
	for _, w := range words {
		if !strings.Contains(out.String(), w) {
			a.t.Errorf("%s: it does not say %q:\n%s", reason, w, out.String())
		}
	}
	return out.String()
}

// TestAnAuthorNeedsNoGo goes the way of docs/scenarios.md: a file is written, its decisions are taken over, and a change of the pipeline
// is told.
func TestAnAuthorNeedsNoGo(t *testing.T) {
	a := newAuthor(t)
	file := a.write("slow.txtar", slow)
	a.types("nothing is expected yet", 1, []string{file}, "FAIL "+file, "+ 2m", "sluice: 1 of 1 scenario failed")
	a.types("what is decided is taken over", 0, []string{"--update", file}, "UPDATED "+file)
	kept := a.read(file)
	if !strings.HasPrefix(kept, slow+"-- expected --\n") || !strings.Contains(kept, "ends RolledBack: latency Failed: 2 of 9 measurements failed") {
		t.Fatalf("the file has become\n%s", kept)
	}
	a.types("it decides as expected", 0, []string{file}, "PASS "+file+": The p99 of the canary", "8m       canary/canary-1  RollingBack")
	a.types("to take that over once more changes nothing", 0, []string{"--update", file}, "PASS")
	if a.read(file) != kept {
		t.Error("the file has changed")
	}
	if said := a.types("quiet", 0, []string{"--quiet", file}, "PASS"); strings.Count(said, "\n") != 1 {
		t.Errorf("quiet says\n%s", said)
	}
	a.write("slow.txtar", strings.Replace(kept, "          failureLimit: 1\n", "", 1))
	a.types("the limit is gone", 1, []string{file}, "- expected", "+ decided", "- 8m       canary/canary-1  Held", "+ 5m       canary/canary-1  Held")
}

func TestAScenarioThatCannotBeReadIsTold(t *testing.T) {
	for reason, c := range map[string]struct {
		old, new string
		words    []string
	}{
		"a field that is misspelt":      {"interval: 1m", "intervall: 1m", []string{"slow.txtar:", "unknown field intervall: did you mean interval?"}},
		"a line of no known kind":       {"batches take 2m", "batches last 2m", []string{"slow.txtar:"}},
		"a check that is not there":     {"8m check latency", "8m check latencies", []string{"latencies"}},
		"a file that is not there":      {"component shop 2.0.0", "use nowhere.yaml", []string{"nowhere.yaml"}},
		"a time that is none":           {"from 8m check", "from soon check", []string{"slow.txtar:", "soon"}},
		"a pipeline that is no YAML":    {"metadata: {name: shop}", "metadata: {name: shop", []string{"slow.txtar:"}},
		"a part that nobody knows":      {"-- script --", "-- skript --", []string{"skript"}},
		"no cluster that it would move": {"names: [canary]", "names: [canaries]", []string{"canaries"}},
	} {
		t.Run(reason, func(t *testing.T) {
			a := newAuthor(t)
			text := strings.Replace(slow, c.old, c.new, 1)
			file := a.write("slow.txtar", text)
			a.types(reason, 2, []string{file}, c.words...)
			a.types(reason, 2, []string{"--update", file})
			if a.read(file) != text {
				t.Error("a file that cannot be read was written")
			}
		})
	}
	a := newAuthor(t)
	a.types("no file", 2, nil, "which scenario?")
	a.types("a file that is not there", 2, []string{filepath.Join(a.dir, "none.txtar")}, "none.txtar")
}

// TestOneScenarioThatFailsFailsThemAll: those before it and after it are played all the same.
func TestOneScenarioThatFailsFailsThemAll(t *testing.T) {
	a := newAuthor(t)
	good := a.write("good.txtar", slow)
	a.types("it is taken over", 0, []string{"--update", good})
	bad := a.write("bad.txtar", strings.Replace(a.read(good), "8m check", "9m check", 1))
	last := a.write("last.txtar", a.read(good))
	a.types("one of three", 1, []string{good, bad, last}, "PASS "+good, "FAIL "+bad, "PASS "+last, "1 of 3 scenarios failed")
}
