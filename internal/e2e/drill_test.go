package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

// drill declares a drill for cluster a, and starts it.
func (s *site) drill(name, version, pipeline, expect string) {
	s.t.Helper()
	text := "apiVersion: sluice.dev/v1alpha1\nkind: Drill\nmetadata: {name: " + name + "}\nspec:\n  component: " + s.component +
		"\n  version: " + version + "\n  pipeline: " + pipeline + "\n  clusterGroups: {matchLabels: {environment: canary}}\n" +
		"  schedule: {cron: 0 5 1 1 *, timeZone: UTC}\n  expect: {" + expect + "}\n"
	if err := os.WriteFile(filepath.Join(s.files, "drill-"+name+".yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	req := engine.DrillRequest{Name: name, Files: engine.Files{Paths: []string{s.files}}, By: "test", Reason: "a test"}
	if _, err := s.engine.StartDrill(s.t.Context(), req); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if _, err := s.engine.StopDrill(s.t.Context(), req); err != nil && s.t.Context().Err() == nil {
			s.t.Error(err)
		}
	})
}

// TestDrillsAreJudged runs a version that its pipeline stops, with a worker that dies meanwhile, again at once, as what it took back
// freezes nothing; and one that nothing stops, which is taken back all the same.
func TestDrillsAreJudged(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "drilled")
	kill := s.work()
	s.install()
	s.drill("crash", "3.0.0", "careful", "stoppedBy: [restarts], within: 5m")
	s.drill("blind", "2.0.0", "install", "within: 5m")

	if _, err := s.engine.RunDrill(t.Context(), engine.DrillRequest{Name: "crash", By: "test"}, false); err != nil {
		t.Fatal(err)
	}
	first := s.component + "-2"
	for until := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := s.ledger.Run(t.Context(), first); err == nil {
			break
		} else if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	kill()
	s.work()
	// It is the one that is under way.
	d, err := s.engine.RunDrill(t.Context(), engine.DrillRequest{Name: "crash", By: "test"}, true)
	if err != nil || d.Outcome != api.DrillStopped || d.Check != "restarts" || d.Run != first || !strings.HasPrefix(d.At, "canary/a/canary/1") {
		t.Errorf("the bad version is %+v, %v", d, err)
	}
	d, err = s.engine.RunDrill(t.Context(), engine.DrillRequest{Name: "blind", By: "test"}, true)
	if err != nil || d.Outcome != api.DrillNotStopped || strings.Contains(d.Message, "taken back") || d.Ended.IsZero() {
		t.Errorf("what nothing stops is %+v, %v", d, err)
	}
	d, err = s.engine.RunDrill(t.Context(), engine.DrillRequest{Name: "crash", By: "test"}, true)
	if err != nil || d.Outcome != api.DrillStopped || d.Run == first {
		t.Errorf("once more the bad version is %+v, %v", d, err)
	}
	for _, pod := range append(s.snapshot("a").Pods, s.snapshot("b").Pods...) {
		if pod.Tag() != "1.0.0" {
			t.Errorf("%s runs %s", pod.Name, pod.Tag())
		}
	}
	if freezes, err := s.engine.Freezes(t.Context(), true, 0); len(freezes) > 0 || err != nil {
		t.Errorf("drills have frozen %v, %v", freezes, err)
	}
	runs, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 5 { // the installation, two of crash, and one of blind with the one that took it back
		t.Errorf("there were %+v", runs)
	}
}
