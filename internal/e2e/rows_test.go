package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/witness"
)

// printed is a plan as people read it, with single blanks.
func printed(t *testing.T, p *engine.Planned) string {
	t.Helper()
	var buf bytes.Buffer
	if err := plan.Render(&buf, p.Plan, p.Live, plan.RenderOptions{}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(buf.String()), " ")
}

func TestFailureMode_R07_ACheckThatCannotBeEvaluatedHoldsAndTakesNothingBack(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "unjudged")
	s.work()
	s.install()
	for _, c := range []struct {
		at          string
		least, most int // pods that have the new version when the unit is held
	}{
		{"beforeBatch", 0, 0},
		{"during", 0, 2},
		{"afterBatch", 2, 2},
	} {
		s.declare("unjudged", `
  onFailure: Rollback
  defaults:
    batches: [2, 100%]
    checks: [{name: tier, at: [`+c.at+`], gate: {cel: 'unit.labels["tier"] == "gold"'}}]
  stages:
  - {name: canary, clusterGroups: {matchLabels: {environment: canary}}}
  - {name: production, clusterGroups: {matchLabels: {environment: production}}}
`)
		rec := s.record("a")
		run := s.start("2.0.0", "unjudged")
		isHeld := func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseHeld }
		u := unitOf(s.until(run, "held", time.Minute, isHeld), "a")
		if u.Failure == nil || u.Failure.Name != "tier" || u.Failure.Verdict != api.Error || u.Armed {
			t.Errorf("%s: the unit is held by %+v, armed %v", c.at, u.Failure, u.Armed)
		}
		since := u.Waiting.Since
		s.tell(run, api.UpdateResume, api.Scope{})
		s.until(run, "held again", time.Minute, func(r api.RunStatus) bool {
			return r.Phase == api.PhaseHeld && isHeld(r) && unitOf(r, "a").Waiting.Since.After(since)
		})
		time.Sleep(time.Second)
		now, err := s.engine.Status(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if now.Phase != api.PhaseHeld || phaseOf(now.RunStatus, "a") != api.PhaseHeld || phaseOf(now.RunStatus, "b") != api.PhasePending {
			t.Errorf("%s: the run is %s, its units %+v", c.at, now.Phase, now.Stages)
		}
		s.tell(run, api.UpdateAbort, api.Scope{})
		if end := s.ended(run, time.Minute); end.Phase != api.PhaseAborted {
			t.Errorf("%s: the run ended %s", c.at, end.Phase)
		}
		most, kept := rec.Stop().MostWithTag("2.0.0"), s.snapshot("a").Tags()["2.0.0"]
		if most < c.least || most > c.most || kept != most {
			t.Errorf("%s: %d pods got the new version and %d kept it, want %d to %d", c.at, most, kept, c.least, c.most)
		}
	}
	if tags := s.snapshot("b").Tags(); tags["1.0.0"] != nodes {
		t.Errorf("cluster b, whose turn never came, runs %v", tags)
	}
}

func TestFailureMode_R08_ARunWithAFailedUnitDoesNotSucceed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ component, onFailure, maxFailures string }{
		{"within-budget", "Rollback", "1"},
		{"continued", "Continue", "0"},
	} {
		t.Run(c.component, func(t *testing.T) {
			turns.Take(t)
			s := newSite(t, c.component)
			s.work()
			s.install()
			s.edit("components.yaml", `"registry.example/agent:2.0.0"`, `"registry.example/agent:2.0.0", environments: {canary: "registry.example/agent:2.0.0-crash"}`)
			s.declare("borne", "  onFailure: "+c.onFailure+`
  defaults:
    maxFailures: `+c.maxFailures+`
    batches: [2, 100%]
    checks: [{name: restarts, at: [during], gate: {cel: workload.restarts == 0, message: containers restart}}]
  stages: [{name: all, clusterGroups: {all: true}}]
`)
			run := s.start("2.0.0", "borne")
			end := s.ended(run, time.Minute)
			report := s.report(run)
			alone := engine.New(s.ledger, func(context.Context) (*engine.Server, error) { return nil, errors.New("there is no Temporal") }, engine.Options{})
			kept, err := alone.Status(t.Context(), run)
			for end := time.Now().Add(patience * time.Minute); err != nil && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				kept, err = alone.Status(t.Context(), run) // a run says that it ends, and then the ledger is told
			}
			if err != nil {
				t.Fatal(err)
			}
			for who, r := range map[string]api.RunStatus{"the run": end, "its report": report, "the ledger alone": kept.RunStatus} {
				a, b := unitOf(r, "a"), unitOf(r, "b")
				if r.Phase != api.PhaseFailed || r.Stages[0].Phase != api.PhaseFailed || a.Phase != api.PhaseFailed || b.Phase != api.PhaseSucceeded {
					t.Errorf("%s says %s, stage %s, a %s, b %s", who, r.Phase, r.Stages[0].Phase, a.Phase, b.Phase)
				}
				if a.Failure == nil || a.Failure.Name != "restarts" || !strings.HasPrefix(a.FailedAt, "canary/a/") {
					t.Errorf("%s does not say that restarts stopped a in a batch: %+v at %q", who, a.Failure, a.FailedAt)
				}
			}
			listed, err := s.engine.Runs(t.Context(), engine.RunsQuery{Component: s.component, Limit: 1})
			if err != nil || listed[0].Name != run || listed[0].Phase != string(api.PhaseFailed) {
				t.Errorf("the list of runs says %+v, %v", listed, err)
			}
			a, b := s.snapshot("a").Tags(), s.snapshot("b").Tags()
			if a["2.0.0-crash"] == 0 || a["2.0.0-crash"] > 2 || b["2.0.0"] != nodes {
				t.Errorf("cluster a runs %v, cluster b %v", a, b)
			}
			if d, err := s.ledger.Deployment(t.Context(), "a", api.Component(s.component)); err != nil || d.Version != "1.0.0" {
				t.Errorf("the ledger says that a has %+v, %v", d, err)
			}
		})
	}
}

func TestFailureMode_R13_AStageThatMayBeEmptyIsSkippedAndWaitsForNobody(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "empty")
	s.work()
	s.declare("gaps", `
  defaults: {batches: [100%], maxUnavailable: 100%}
  stages:
  - {name: canary, clusterGroups: {matchLabels: {environment: canary}}}
  - {name: nobody, mayBeEmpty: true, approvals: 2, clusterGroups: {matchLabels: {environment: staging}}}
  - {name: again, mayBeEmpty: true, approvals: 1, clusterGroups: {matchLabels: {environment: canary}}}
  - {name: production, clusterGroups: {matchLabels: {environment: production}}}
`)
	text := printed(t, s.plan("1.0.0", "gaps"))
	end := s.ended(s.start("1.0.0", "gaps"), time.Minute)
	if end.Phase != api.PhaseSucceeded || phaseOf(end, "a") != api.PhaseSucceeded || phaseOf(end, "b") != api.PhaseSucceeded {
		t.Errorf("the run ended %s: %+v", end.Phase, end.Stages)
	}
	for i, why := range map[int]string{1: "no cluster group matches", 2: "earlier stages take a (canary)"} {
		st := end.Stages[i]
		if st.Phase != api.PhaseSkipped || !strings.Contains(st.Skipped, why) {
			t.Errorf("stage %s is %s because it %q, want the reason %q", st.Name, st.Phase, st.Skipped, why)
		}
		if !strings.Contains(text, "Skipped: it "+st.Skipped) {
			t.Errorf("the plan does not say that stage %s is skipped because it %s: %s", st.Name, st.Skipped, text)
		}
	}
}

// steps says how many pods of a tag had been made each time that no further one came for as long as quiet: where batches ended.
func steps(rec witness.Recording, tag string, quiet time.Duration) []int {
	var ends []int
	var last time.Time
	seen := map[string]bool{}
	for _, e := range rec {
		if e.Pod.Tag() != tag || seen[e.Pod.UID] {
			continue
		}
		if len(seen) > 0 && e.At.Sub(last) > quiet {
			ends = append(ends, len(seen))
		}
		seen[e.Pod.UID], last = true, e.At
	}
	return append(ends, len(seen))
}

func TestFailureMode_R14_BatchesMoveWhatThePlanPrints(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "rounded")
	s.work()
	s.edit("components.yaml", "config: {", "config: {environments: {production: {replicas: 13}}, ")
	s.install()
	s.declare("percent", `
  defaults: {batches: [10%, 25%, 33%, 100%], maxUnavailable: 100%, maxConcurrency: 100%, soak: {batch: 10s}}
  stages: [{name: all, clusterGroups: {all: true}}]
`)
	text := printed(t, s.plan("2.0.0", "percent"))
	recs := map[string]*witness.Recorder{"a": s.record("a"), "b": s.record("b")}
	end := s.ended(s.start("2.0.0", "percent"), 2*time.Minute)
	if end.Phase != api.PhaseSucceeded {
		t.Fatalf("the run ended %s", end.Phase)
	}
	for _, c := range []struct {
		cluster, kind string
		want          []int
		skipped       string
	}{
		{"a", "DaemonSet", []int{1, 2, 8}, "batch 3 is skipped: 33% of 8 is 2, not above batch 2"},
		{"b", "Deployment", []int{1, 3, 4, 13}, ""},
	} {
		got := steps(recs[c.cluster].Stop(), "2.0.0", 8*time.Second)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: batches ended at %v pods, the rule of rounding says %v", c.kind, got, c.want)
		}
		says := fmt.Sprintf("%s/%s/agent node set pods updated after each batch all %d %s",
			c.kind, s.component, c.want[len(c.want)-1], strings.Trim(strings.ReplaceAll(fmt.Sprint(c.want), " ", ", "), "[]"))
		if !strings.Contains(text, strings.TrimSpace(says+" "+c.skipped)) {
			t.Errorf("the plan does not say %q %q: %s", says, c.skipped, text)
		}
	}
}
