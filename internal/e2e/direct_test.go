package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/worker"
	"sluice.dev/sluice/worker/direct"
)

// directEnv makes this binary take a run back without Temporal: its value is "ledger,kubeconfig,run,clusters...".
const directEnv = "SLUICE_E2E_DIRECT"

// takeBack is the process that takes a run back, and may be killed.
func takeBack(spec []string) int {
	l, err := sqlite.Open(context.Background(), spec[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer l.Close()
	run, err := l.Run(context.Background(), spec[2])
	if err == nil {
		_, err = worker.TakeBack(context.Background(), worker.Options{Ledger: l, Kubeconfigs: []string{spec[1]}},
			direct.Order{Run: run, First: run.Name, Clusters: spec[3:]}, func(api.UnitStatus) {})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// later is a clock that is ahead: a worker that was killed is not taken for dead at once.
type later struct {
	clock.RealClock
	ahead time.Duration
}

func (l later) Now() time.Time { return l.RealClock.Now().Add(l.ahead) }

// night is an engine where Temporal is gone.
func (s *site) night(ahead time.Duration) *engine.Engine {
	gone := func(context.Context) (*engine.Server, error) {
		return nil, fault.New(fault.Unreachable, "cannot reach a Temporal server")
	}
	return engine.New(s.ledger, gone, engine.Options{Clock: later{ahead: ahead}})
}

func TestFailureMode_R25_ARunIsTakenBackWhileTemporalIsGone(t *testing.T) {
	s := newSite(t, "directly")
	kill := s.work()
	s.install()
	s.declare("night", `  stages:
    - {name: canary, clusterGroups: {matchLabels: {environment: canary}}, batches: [100%]}
    - {name: production, clusterGroups: {matchLabels: {environment: production}}, batches: [6, 100%], soak: {batch: 30m}}
`)
	before := map[string]map[string]int{"a": s.snapshot("a").Tags(), "b": s.snapshot("b").Tags()}
	run := s.start("2.0.0", "night")
	s.until(run, "in the middle of production", 2*time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "b") == api.PhaseSoaking })

	c := api.Command{Who: "ann", Reason: "crash loop"}
	refused := func(e *engine.Engine, why string) {
		t.Helper()
		if _, err := e.BeginDirect(t.Context(), run, c, false); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), why) {
			t.Errorf("it is to be refused, as %s; got %v", why, err)
		}
	}
	refused(s.engine, "1 worker may still move it")
	kill()
	refused(s.night(0), "1 worker may still move it")
	refused(engine.New(s.ledger, s.engine.Server, engine.Options{Clock: later{ahead: time.Minute}}), "it answers at")
	s.stack.Run(t, "stop", "temporal")
	running := false
	t.Cleanup(func() {
		if !running {
			s.stack.Run(t, "start", "temporal")
		}
	})
	night := s.night(time.Minute)
	asked := c
	asked.DryRun = true
	would, err := night.BeginDirect(t.Context(), run, asked, false)
	if err != nil || would.By != "" || !slices.Equal(would.Clusters(), []string{"b", "a"}) {
		t.Fatalf("it would take back %+v, %v", would, err)
	}

	rec := s.record("b")
	begun, err := night.BeginDirect(t.Context(), run, c, false)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first := exec.Command(self)
	first.Env = append(os.Environ(), directEnv+"="+strings.Join(append([]string{s.path, s.stack.Kubeconfig, begun.By}, begun.Clusters()...), ","))
	first.Stderr = os.Stderr
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); s.snapshot("b").Tags()["1.0.0"] <= before["b"]["1.0.0"]-6; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing went back: %s", s.snapshot("b").Running())
		}
	}
	_ = first.Process.Kill()
	_ = first.Wait()

	again, err := night.BeginDirect(t.Context(), run, c, false)
	if err != nil || again.By == begun.By {
		t.Fatalf("begun again: %+v, %v", again, err)
	}
	var said []string
	back, err := worker.TakeBack(t.Context(), worker.Options{Ledger: s.ledger, Kubeconfigs: []string{s.stack.Kubeconfig}},
		direct.Order{Run: again.Made, First: again.First, Clusters: again.Clusters()},
		func(u api.UnitStatus) { said = append(said, u.Cluster+" "+string(u.Phase)) })
	if err != nil || back.Phase != api.PhaseRolledBack {
		t.Fatalf("got %s, %v: %+v", back.Phase, err, back.Stages)
	}
	if want := []string{"b RollingBack", "b RolledBack", "a RollingBack", "a RolledBack"}; !slices.Equal(said, want) {
		t.Errorf("it said %v, not %v", said, want)
	}
	for _, cluster := range []string{"a", "b"} {
		if now := s.still(cluster).Tags(); now["1.0.0"] != before[cluster]["1.0.0"] || now["2.0.0"] != 0 {
			t.Errorf("cluster %s has %v, and had %v", cluster, now, before[cluster])
		}
	}
	if n := rec.Stop().MostUnavailable(nodes); n > 1 {
		t.Errorf("%d pods were down at once, maxUnavailable is 1", n)
	}
	if more, err := night.BeginDirect(t.Context(), run, c, false); err != nil || len(more.Units) > 0 || more.By != "" {
		t.Errorf("all is back, and again it takes back %+v, %v", more, err)
	}

	s.stack.Run(t, "start", "temporal")
	running = true
	s.work()
	s.until(run, "frozen", 2*time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "b") == api.PhasePaused })
	frozen, err := s.engine.Freezes(t.Context(), false, 0)
	if err != nil || len(frozen) != 1 || frozen[0].Run != begun.By {
		t.Fatalf("begun twice, it left the freezes %+v, %v", frozen, err)
	}
	if _, err := s.engine.Unfreeze(t.Context(), frozen[0].Name, "bob", "he does not know"); err != nil {
		t.Fatal(err)
	}
	s.until(run, "held by the fence", 2*time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "b") == api.PhaseRefused })
	time.Sleep(3 * time.Second)
	for _, cluster := range []string{"a", "b"} {
		if now := s.snapshot(cluster).Tags(); now["2.0.0"] != 0 {
			t.Errorf("the run that returned moves cluster %s: %v", cluster, now)
		}
	}
	why, err := s.engine.Why(t.Context(), run, "")
	if err != nil {
		t.Fatal(err)
	}
	settles := fmt.Sprintf("sluice reconcile %s --reason TEXT", run)
	if !slices.ContainsFunc(why.Reasons, func(r engine.Reason) bool { return slices.Contains(r.Commands, settles) }) {
		t.Errorf("why does not name %q: %+v", settles, why)
	}
	settled, err := s.engine.Settle(t.Context(), run, "ann", "it was taken back by hand")
	if err != nil || len(settled.Owed) > 0 || settled.By != again.By || settled.Phase != string(api.PhaseAborted) {
		t.Fatalf("settled as %+v, %v", settled, err)
	}
	for _, cluster := range []string{"a", "b"} {
		if now := s.snapshot(cluster).Tags(); now["2.0.0"] != 0 {
			t.Errorf("settled, cluster %s has %v", cluster, now)
		}
		d, err := s.ledger.Deployment(t.Context(), cluster, api.Component(s.component))
		if err != nil || d.Version != "1.0.0" {
			t.Errorf("settled, the ledger says of %s: %+v, %v", cluster, d, err)
		}
	}
	if _, err := s.engine.Settle(t.Context(), run, "ann", "twice"); err != nil {
		t.Errorf("settled twice: %v", err)
	}
	if end := s.ended(s.start("2.0.0", "install"), 2*time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the next run ended %s", end.Phase)
	}
	if _, err := s.engine.Settle(t.Context(), "nobody-1", "ann", "x"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a run that never was: %v", err)
	}
}
