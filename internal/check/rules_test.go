package check_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func named(name, cel string, after ...string) pipelines.ResolvedCheck {
	return pipelines.ResolvedCheck{
		Name: name, At: []pipelines.Point{pipelines.AfterBatch}, RunAfter: after, Enforcement: pipelines.Enforcing,
		Gates: []pipelines.ResolvedGate{{Name: name, CEL: cel}},
	}
}

func evaluate(ctx context.Context, checks ...pipelines.ResolvedCheck) []api.Check {
	return check.New().Evaluate(ctx, step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: checks, Facts: rule.Facts{
		Workload: rule.Workload{UpdatedReady: 4, Restarts: 2}, Batch: rule.Batch{Target: 5}, Unit: rule.Unit{Labels: map[string]string{"tier": "1"}},
	}})
}

func TestWhoeverWantsToHearsWhatRulesFind(t *testing.T) {
	runner, heard := check.New(), map[string]int{}
	runner.Heard = func(kind string, found api.Verdict) { heard[kind+" "+string(found)]++ }
	runner.Evaluate(t.Context(), step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: []pipelines.ResolvedCheck{
		named("a", "1 == 1"), named("b", "1 == 2"), named("c", "1 == 1", "b"),
	}})
	if want := map[string]int{"gate Passed": 1, "gate Failed": 1}; !cmp.Equal(heard, want) {
		t.Errorf("it hears %v", heard)
	}
}

func TestVerdicts(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		reason string
		ctx    context.Context
		cel    string
		want   api.Verdict
		says   string
	}{
		{"a rule that holds passes", nil, "workload.restarts == 2", api.Passed, ""},
		{"a rule that does not hold fails", nil, "workload.updatedReady >= batch.target", api.Failed, "does not hold"},
		{"a missing key is an error, not false", nil, "unit.labels['zone'] == 'a'", api.Error, "zone"},
		{"a division by zero is an error, not false", nil, "10 / (workload.restarts - 2) > 1", api.Error, "division"},
		{"a rule that does not compile is an error", nil, "workload.nonsense > 1", api.Error, "nonsense"},
		{"an evaluation that is cut short is an error", cancelled, "workload.restarts == 2", api.Error, "cut short"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			got := evaluate(ctx, named("x", c.cel))[0]
			if got.Verdict != c.want || !strings.Contains(got.Message, c.says) {
				t.Errorf("%s: %q, want %s with %q", got.Verdict, got.Message, c.want, c.says)
			}
			if _, bad := plan.FirstBad([]api.Check{got}); bad != (c.want != api.Passed) {
				t.Errorf("holds the unit: %v", bad)
			}
		})
	}
}

func TestAVerdictKeepsWhatItSaw(t *testing.T) {
	got := evaluate(t.Context(), named("ready", "workload.updatedReady >= batch.target"))[0]
	if diff := cmp.Diff(map[string]any{"workload.updatedReady": int64(4), "batch.target": int64(5)}, got.Seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

func TestWhatRunsAfterAFailedCheckIsSkippedAndTheFailureFound(t *testing.T) {
	got := evaluate(t.Context(), named("first", "false"), named("second", "true", "first"), named("third", "true", "second"), named("other", "true"))
	var verdicts []api.Verdict
	for _, c := range got {
		verdicts = append(verdicts, c.Verdict)
	}
	if diff := cmp.Diff([]api.Verdict{api.Failed, api.Skipped, api.Skipped, api.Passed}, verdicts); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if bad, ok := plan.FirstBad(got); !ok || bad.Name != "first" {
		t.Errorf("found %+v", bad)
	}
}

func TestNothingRunsAfterACheckThatDidNotPass(t *testing.T) {
	for reason, cel := range map[string]string{
		"it failed":           "false",
		"it could not be run": "unit.labels['missing'] == 'x'",
		"it does not compile": "unit.labels[",
	} {
		got := evaluate(t.Context(), named("first", cel), named("second", "true", "first"))
		if got[0].Verdict == api.Passed || got[1].Verdict != api.Skipped {
			t.Errorf("%s: the verdicts are %s and %s", reason, got[0].Verdict, got[1].Verdict)
		}
	}
}

func TestAnAdvisoryCheckReportsAndNeverHolds(t *testing.T) {
	c := named("hint", "false")
	c.Enforcement = pipelines.Advisory
	got := evaluate(t.Context(), c)
	if got[0].Verdict != api.Failed || !got[0].Advisory {
		t.Errorf("%+v", got[0])
	}
	if _, bad := plan.FirstBad(got); bad {
		t.Error("it holds the unit")
	}
}

func TestARuleAboutAWorkloadThatNobodyLookedAtIsInconclusive(t *testing.T) {
	c := named("quiet", "workload.restarts == 0")
	c.At = []pipelines.Point{pipelines.AfterCluster}
	req := step.EvaluateRequest{Point: pipelines.AfterCluster, Checks: []pipelines.ResolvedCheck{c}}
	if got := check.New().Evaluate(t.Context(), req); got[0].Verdict != api.Inconclusive {
		t.Errorf("%+v", got[0])
	}
	req.Facts.Workload.Name = "agent"
	if got := check.New().Evaluate(t.Context(), req); got[0].Verdict != api.Passed {
		t.Errorf("%+v", got[0])
	}
}

func TestWhatRunsAfterAnAdvisoryCheckStillHolds(t *testing.T) {
	hint := named("hint", "false")
	hint.Enforcement = pipelines.Advisory
	got := evaluate(t.Context(), hint, named("must", "false", "hint"))
	if bad, ok := plan.FirstBad(got); !ok || bad.Name != "must" {
		t.Errorf("%+v", got)
	}
}

func TestACheckWithoutAGateIsAnError(t *testing.T) {
	got := evaluate(t.Context(), pipelines.ResolvedCheck{Name: "empty", Enforcement: pipelines.Enforcing})
	if got[0].Verdict != api.Error {
		t.Errorf("%+v", got[0])
	}
}
