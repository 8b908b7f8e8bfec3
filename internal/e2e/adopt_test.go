package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/status"
)

// found is a DaemonSet that somebody installed before Sluice came.
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
`

func TestAWorkloadFromBeforeSluiceIsTakenBackToWhatItWas(t *testing.T) {
	s := newSite(t, "adopted")
	s.work()
	path := filepath.Join(t.TempDir(), "found.yaml")
	if err := os.WriteFile(path, []byte(found), 0o600); err != nil {
		t.Fatal(err)
	}
	s.kubectl("a", "create", "namespace", s.component)
	s.kubectl("a", "-n", s.component, "create", "-f", path)
	s.settled("a")
	end := s.ended(s.start("3.0.0", "careful"), 2*time.Minute)
	u := unitOf(end, "a")
	if end.Phase != status.PhaseFailed || u.Failure == nil || !strings.Contains(u.Failure.Message, "DaemonSet/adopted/agent has the pods back that it had") {
		t.Errorf("the run ended %s, the unit with %+v", end.Phase, u.Failure)
	}
	if phaseOf(end, "b") != status.PhaseSkipped {
		t.Errorf("cluster b is %s", phaseOf(end, "b"))
	}
	s.settled("a")
	if now := s.snapshot("a").Tags(); now["0.9.0"] != nodes {
		t.Errorf("cluster a runs %v", now)
	}
	left := s.kubectl("a", "-n", s.component, "get", "daemonset", "agent", "-o", `jsonpath={.spec.updateStrategy.type} {.metadata.annotations.sluice\.dev/held}`)
	if strings.TrimSpace(left) != "RollingUpdate" {
		t.Errorf("its strategy and hold are %q", left)
	}
}
