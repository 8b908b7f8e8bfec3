package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/witness"
)

// resting waits until the soak of the first stage looks at cluster a, which has arrived.
func (s *site) resting(run string) {
	s.t.Helper()
	s.until(run, "in the soak of its stage", time.Minute, func(r api.RunStatus) bool {
		return r.Phase == api.PhaseSoaking && phaseOf(r, "a") == api.PhaseSucceeded
	})
}

func TestAVersionThatCrashesInTheSoakOfItsStageIsTakenBack(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "resting")
	s.work()
	s.install()
	before, untouched := s.snapshot("a"), s.snapshot("b")
	run := s.start("3.0.0", "resting")
	s.resting(run)
	end := s.ended(run, 2*time.Minute)
	if end.Phase != api.PhaseRolledBack {
		t.Fatalf("the run ended %s", end.Phase)
	}
	if want := []string{"canary/a", "canary/a"}; !slices.Equal(end.Moves, want) {
		t.Errorf("units moved in the order %v, want %v: there and back", end.Moves, want)
	}
	u := end.Stages[0].Units[0]
	if u.Failure == nil || u.Failure.Name != "restarts" || u.Failure.Verdict != api.Failed || u.FailedAt != "canary/a" {
		t.Errorf("the run does not say what stopped it: %+v at %q", u.Failure, u.FailedAt)
	}
	if now := s.snapshot("a"); now.Running() != before.Running() {
		t.Errorf("cluster a runs %s, ran %s", now.Running(), before.Running())
	}
	if moved := witness.Moved(untouched, s.snapshot("b")); len(moved) > 0 {
		t.Errorf("cluster b was touched: %v", moved)
	}
}

func TestTheSoakOfAStageSurvivesItsWorkerAndJudgesNobodyElsesChange(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "watchful")
	kill := s.work()
	s.install()
	run := s.start("2.0.0", "resting")
	s.resting(run)
	kill()
	s.work()
	s.kubectl("a", "-n", s.component, "rollout", "restart", "daemonset/agent")
	held := func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseHeld }
	now := s.until(run, "held", time.Minute, held)
	if now.Waiting == nil || !strings.Contains(strings.Join(now.Waiting.Unmet, " "), "somebody else changed its pod template") {
		t.Errorf("the run waits for %+v", now.Waiting)
	}
	first := now.Stages[0].Units[0].Waiting.Since
	s.tell(run, api.UpdateResume, api.Scope{})
	s.until(run, "held again", time.Minute, func(r api.RunStatus) bool { return held(r) && r.Stages[0].Units[0].Waiting.Since.After(first) })
	s.tell(run, api.UpdateAbort, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseFailed || phaseOf(end, "b") != api.PhaseSkipped {
		t.Errorf("the run ended %s, cluster b %s", end.Phase, phaseOf(end, "b"))
	}
}

func TestASoakDoesNotPassBecauseNobodyWasThere(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "nobody")
	s.edit("resting.yaml", "soak: {stage: 5m}", "soak: {stage: 20s}")
	kill := s.work()
	s.install()
	run := s.start("3.0.0", "resting")
	s.resting(run)
	kill()
	for ended := time.Now().Add(22 * time.Second); !s.restarted("a") || time.Now().Before(ended); time.Sleep(200 * time.Millisecond) {
		// the soak's time goes by, and version 3 crashes
	}
	s.work()
	if end := s.ended(run, 2*time.Minute); end.Phase != api.PhaseRolledBack {
		t.Errorf("the run ended %s", end.Phase)
	}
}

// restarted reports whether a container of the component was started again.
func (s *site) restarted(cluster string) bool {
	s.t.Helper()
	return slices.ContainsFunc(s.snapshot(cluster).Pods, func(p witness.Pod) bool { return p.Restarts > 0 })
}
