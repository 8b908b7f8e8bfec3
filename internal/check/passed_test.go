package check

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// TestAPassSaysWhatItSaw: whoever reads a verdict later learns by what it stands, of a pass too. Logs, workloads, certificates, windows
// and programs have it in their own tests.
func TestAPassSaysWhatItSaw(t *testing.T) {
	address := serving(t, 200, "ok")
	for _, c := range []struct {
		reason string
		source SourceFunc
		kinds  pipelines.StepKinds
		says   string
	}{
		{
			"a rule", NewRules().step, pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "batch.updatedReady >= batch.target && workload.restarts <= params.most"}},
			"batch.target is 3, batch.updatedReady is 3, params.most is 5, workload.restarts is 2",
		},
		{"a rule about a list", NewRules().step, pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "workload.events.size() == 0"}}, "workload.events"},
		{"a rule about nothing", NewRules().step, pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "true"}}, "it holds, and reads no fact"},
		{
			"a number that is to be so", metricsAnswering(0.002).Ask, pipelines.StepKinds{Metrics: &pipelines.Metrics{PromQL: "up", SuccessCondition: "value < 0.01"}},
			"successCondition holds: value < 0.01; value is 0.002",
		},
		{
			"a number that is not to be so", metricsAnswering(0.002).Ask, pipelines.StepKinds{Metrics: &pipelines.Metrics{PromQL: "up", FailureCondition: "value > 0.01"}},
			"failureCondition does not hold: value > 0.01; value is 0.002",
		},
		{"http", nil, pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + address}}, "status 200 within "},
		{"tcp", nil, pipelines.StepKinds{TCP: &pipelines.TCP{Address: address}}, "it answered within "},
	} {
		q := metricsAbout(pipelines.Metrics{}, "")
		q.Step.StepKinds, q.Point, q.Params = c.kinds, pipelines.AfterBatch, rule.Params{"most": int64(5)}
		q.Facts.Workload, q.Facts.Batch = rule.Workload{Name: "agent", Restarts: 2}, rule.Batch{Target: 3, UpdatedReady: 3}
		var f Finding
		if c.source == nil {
			f = asked(t, q)
		} else {
			f = c.source(t.Context(), q)
		}
		if f.Verdict != api.Passed || !strings.HasPrefix(f.Message, c.says) {
			t.Errorf("%s: %s: %q", c.reason, f.Verdict, f.Message)
		}
	}
}

// TestACheckOfSeveralRulesSaysWhatAllOfThemSaw: the last one is not the only one that was looked at.
func TestACheckOfSeveralRulesSaysWhatAllOfThemSaw(t *testing.T) {
	found := New().Evaluate(t.Context(), step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: []pipelines.ResolvedCheck{{
		Name: "both", Gates: []pipelines.ResolvedGate{{Name: "a", CEL: "batch.target == 3"}, {Name: "b", CEL: "workload.restarts == 0"}},
	}}, Facts: rule.Facts{Workload: rule.Workload{Name: "agent"}, Batch: rule.Batch{Target: 3}}})
	if c := found[0]; c.Message != "batch.target is 3, workload.restarts is 0" || len(c.Seen) != 2 {
		t.Errorf("it says %q, and has seen %v", c.Message, c.Seen)
	}
}

// TestABackgroundCheckThatIsDoneSaysWhatItSaw where all measurements that it asks for are made.
func TestABackgroundCheckThatIsDoneSaysWhatItSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(Finding{Verdict: api.Passed, Message: "first"}, Finding{Verdict: api.Passed, Message: "last", Seen: map[string]any{"n": 2}})
		found, err := measurerOf(s).Watch(t.Context(), Inquiry{Checks: []pipelines.ResolvedCheck{aCheck("c", every(time.Second, pipelines.Repeat{Count: 2}))}})
		if err != nil || found[0].Message != "last" || found[0].Seen["n"] != 2 {
			t.Errorf("it found %+v, %v", found, err)
		}
	})
}
