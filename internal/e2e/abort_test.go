package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/witness"
)

// still waits until every node has a ready pod and nothing has moved for a second.
func (s *site) still(cluster string) witness.Snapshot {
	s.t.Helper()
	s.settled(cluster)
	deadline := time.Now().Add(30 * time.Second)
	for last := s.snapshot(cluster); ; {
		time.Sleep(time.Second)
		now := s.snapshot(cluster)
		moved := witness.Moved(last, now)
		if len(moved) == 0 {
			return now
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("cluster %s does not come to rest: %v", cluster, moved)
		}
		last = now
	}
}

// someMoved waits until a pod has moved.
func (s *site) someMoved(cluster, tag string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for s.snapshot(cluster).Tags()[tag] == 0 {
		if time.Now().After(deadline) {
			s.t.Fatalf("no pod of cluster %s moved: %s", cluster, s.snapshot(cluster).Running())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// recreate deletes a pod of a version and waits until there is another one in its place.
func (s *site) recreate(cluster, tag string) {
	s.t.Helper()
	for _, p := range s.snapshot(cluster).Pods {
		if p.Tag() == tag {
			s.kubectl(cluster, "-n", s.component, "delete", "pod", p.Name, "--wait=true")
			s.settled(cluster)
			return
		}
	}
	s.t.Fatalf("cluster %s has no pod of %s: %s", cluster, tag, s.snapshot(cluster).Running())
}

func TestFailureMode_R04_AbortStopsFromEveryPhaseAndDoesNothingWhenIdle(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		t.Run(kind, func(t *testing.T) {
			turns.Take(t)
			abortFromEveryPhase(t, kind)
		})
	}
}

// abortFromEveryPhase aborts one run after another, each of which goes on where the one before was stopped.
func abortFromEveryPhase(t *testing.T, kind string) {
	s := newSite(t, "aborted-"+strings.ToLower(kind))
	s.work()
	if kind == "Deployment" {
		s.edit("components.yaml", "fleet: {", fmt.Sprintf("fleet: {replicas: %d, ", nodes))
	}
	for name, rest := range map[string]string{
		"patient": "batches: [6, 100%], soak: {batch: 10m}",
		"failing": "batches: [6, 100%], checks: [{name: never, gate: {cel: batch.updated < 0}}]",
		"whole":   "batches: [100%]",
	} {
		s.declare(name, "  defaults: {"+rest+"}\n  stages: [{name: canary, clusterGroups: {matchLabels: {environment: canary}}}]\n")
	}
	abort := func(run string) string { return s.tell(run, api.UpdateAbort, api.Scope{}).Message }
	idle := func(what, run string) {
		before := s.still("a")
		if said := abort(run); !strings.Contains(said, "nothing to abort") {
			t.Errorf("%s: the abort was answered %q", what, said)
		}
		time.Sleep(time.Second)
		if moved := witness.Moved(before, s.snapshot("a")); len(moved) > 0 {
			t.Errorf("%s: the abort moved %v", what, moved)
		}
	}
	shape := func() string {
		return s.kubectl("a", "-n", s.component, "get", strings.ToLower(kind), "agent", "-o", "jsonpath={.spec.selector}{.spec.replicas}")
	}

	s.install()
	installed, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	idle("a run that has succeeded", installed[0].Name)
	if _, err := s.engine.Command(t.Context(), s.component+"-99", api.UpdateAbort, api.Command{Who: "test"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the abort of a run that never was: %v", err)
	}
	const inMidBatch = "in the middle of a batch"
	owned := shape()
	rec, tr := s.record("a"), s.follow("a", deployments)

	for _, c := range []struct {
		phase, pipeline string
		reach           func(run string)
	}{
		{inMidBatch, "whole", func(string) { s.someMoved("a", "2.0.0") }},
		{"soaking in a batch", "patient", s.soaking},
		{"paused", "patient", func(run string) {
			s.soaking(run)
			s.tell(run, api.UpdatePause, api.Scope{})
			s.until(run, "paused", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhasePaused })
		}},
		{"held at a failed check", "failing", func(run string) {
			s.until(run, "held", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseHeld })
		}},
	} {
		run := s.start("2.0.0", c.pipeline)
		c.reach(run)
		moved := s.snapshot("a").Tags()["2.0.0"]
		abort(run)
		abort(run)
		end := s.ended(run, time.Minute)
		most, spare := moved, 0
		if c.phase == inMidBatch {
			// The pod that was on its way out at the end may still come back as the new version: maxUnavailable is 1.
			moved = s.snapshot("a").Tags()["2.0.0"]
			most = moved + 1
			if kind == "Deployment" {
				spare = nodes / 4 // its owner surges by 25%, and an abort leaves pods as they are
			}
		}
		if u := unitOf(end, "a"); end.Phase != api.PhaseAborted || u.Phase != api.PhaseAborted || u.Armed {
			t.Fatalf("%s: the run ended %s, its unit %s, armed %v", c.phase, end.Phase, u.Phase, u.Armed)
		}
		idle(c.phase, run)
		now := s.snapshot("a").Tags()
		if more := now["1.0.0"] + now["2.0.0"] - nodes; now["2.0.0"] < moved || now["2.0.0"] > most || more < 0 || more > spare {
			t.Errorf("%s: %d pods had moved, and now there are %v", c.phase, moved, now)
		}
		s.recreate("a", "1.0.0")
		if again := s.snapshot("a").Tags(); again["2.0.0"] != now["2.0.0"] || again["1.0.0"] != now["1.0.0"] {
			t.Errorf("%s: with pods %v an old one was recreated, and there are %v", c.phase, now, again)
		}
		if is := shape(); is != owned {
			t.Errorf("%s: selector and replicas are %s, were %s", c.phase, is, owned)
		}
	}
	if n := rec.Stop().MostUnavailable(nodes); n > 1 {
		t.Errorf("%d pods were down at once, maxUnavailable is 1", n)
	}
	if end := s.ended(s.start("2.0.0", "whole"), time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run after the aborted ones ended %s", end.Phase)
	}
	if tags := s.snapshot("a").Tags(); tags["2.0.0"] != nodes || shape() != owned {
		t.Errorf("cluster a runs %v, selector and replicas are %s", tags, shape())
	}
	for _, c := range tr.so() {
		if n, _, _ := unstructured.NestedInt64(c.object.Object, "spec", "replicas"); n != nodes {
			t.Errorf("at version %d %s had %d replicas", c.version, c.name, n)
		}
	}
}
