package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
)

// found is what somebody installed before Sluice came.
const found = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 2}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "registry.example/agent:0.9.0"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {text: by hand, theirs: kept}
`

// notTheClusters leaves out what each namespace has of the cluster itself.
const notTheClusters = "--field-selector=metadata.name!=kube-root-ca.crt"

// adopt has cluster a run what was there before Sluice.
func (s *site) adopt() {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "found.yaml")
	if err := os.WriteFile(path, []byte(found), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.kubectl("a", "create", "namespace", s.component)
	s.kubectl("a", "-n", s.component, "create", "-f", path)
	s.settled("a")
}

// asFound checks that cluster a has what was there before Sluice, with what somebody else has added to it since.
func (s *site) asFound() {
	s.t.Helper()
	s.settled("a")
	if now := s.snapshot("a").Tags(); now["0.9.0"] != nodes || len(now) != 1 {
		s.t.Errorf("cluster a runs %v", now)
	}
	for what, want := range map[string]string{
		`daemonset/agent -o jsonpath={.spec.updateStrategy.type}-{.spec.updateStrategy.rollingUpdate.maxUnavailable}-{.metadata.annotations.sluice\.dev/held}{.metadata.annotations.sluice\.dev/component}`: "RollingUpdate-2-",
		`configmap/notes -o jsonpath={.data.text}-{.data.theirs}-{.data.later}-{.metadata.annotations.sluice\.dev/component}`:                                                                               "by hand-kept-added-",
		`configmap -o name ` + notTheClusters: "configmap/notes",
	} {
		args := append([]string{"-n", s.component, "get"}, strings.Split(what, " ")...)
		if got := strings.TrimSpace(s.kubectl("a", args...)); got != want {
			s.t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	if left := s.kubectl("a", "-n", s.component, "get", "deployments", "-o", "name"); left != "" {
		s.t.Errorf("%s is left", left)
	}
	if left := s.kubectl("a", "get", "validatingwebhookconfigurations", "-o", "name"); strings.Contains(left, s.component+"-guard") {
		s.t.Errorf("%s is left", left)
	}
}

// meanwhile has somebody else change a found object while Sluice is at work.
func (s *site) meanwhile() {
	s.t.Helper()
	s.kubectl("a", "-n", s.component, "patch", "configmap", "notes", "--type=merge", "-p", `{"data":{"later":"added"}}`)
}

func TestWhatWasFoundIsGivenBackByAnOpenRun(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "adopted")
	s.work()
	s.adopt()
	s.edit("components.yaml", "{logLevel: level-3}", "{logLevel: level-3, notes: from version 3}")
	p := s.plan("3.0.0", "careful")
	if c := p.Live.Clusters; c[0].WayBack != plan.AsFound || c[1].WayBack != plan.Removed {
		t.Errorf("the ways back are %q and %q", c[0].WayBack, c[1].WayBack)
	}
	run := s.start("3.0.0", "careful")
	s.soaking(run)
	s.meanwhile()
	end := s.ended(run, 2*time.Minute)
	if u := unitOf(end, "a"); end.Phase != api.PhaseRolledBack || u.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s, the unit %s with %+v", end.Phase, u.Phase, u.Failure)
	}
	if phaseOf(end, "b") != api.PhaseSkipped {
		t.Errorf("cluster b is %s", phaseOf(end, "b"))
	}
	s.asFound()
}

func TestWhatWasFoundIsGivenBackAfterTheRunHasEnded(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "endured")
	s.work()
	s.adopt()
	s.edit("components.yaml", "{logLevel: level-2, notes: kept by hand}", "{logLevel: level-2, notes: from version 2, extra: true, guard: true}")
	s.declare("prompt", "  defaults: {batches: [100%], maxUnavailable: 100%}\n  stages: [{name: canary, clusterGroups: {matchLabels: {environment: canary}}}]\n")
	s.meanwhile()
	run := s.start("2.0.0", "prompt")
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Fatalf("version 2 ended %s", end.Phase)
	}
	s.guarded()
	s.tell(run, api.UpdateRollback, api.Scope{})
	runs, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if end := s.ended(runs[0].Name, 2*time.Minute); end.Phase != api.PhaseRolledBack {
		t.Fatalf("the run that takes it back ended %s: %+v", end.Phase, end.Stages[0].Units)
	}
	s.asFound()
	if d, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the ledger says that %s runs there: %v", d.Version, err)
	}
	if a := s.tell(run, api.UpdateRollback, api.Scope{}); !strings.Contains(a.Message, "nothing of run is left to take back") {
		t.Errorf("taken back twice, it says %q", a.Message)
	}
}
