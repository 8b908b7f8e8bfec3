package check_test

import (
	"context"
	"testing"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// quiet is a kind of check, whole: it passes where no pod of the new revision has restarted.
func quiet(_ context.Context, q check.Question) check.Finding {
	f := check.Finding{Verdict: api.Passed, Seen: map[string]any{"restarts": q.Facts.Workload.Restarts}}
	switch {
	case q.Facts.Workload.Name == "":
		f.Verdict, f.Message = api.Inconclusive, "no workload was looked at"
	case q.Facts.Workload.Restarts > 0:
		f.Verdict, f.Message = api.Failed, "pods restart"
	}
	return f
}

func TestANewKindOfCheckIsOneFunction(t *testing.T) {
	// In a document a kind is a field of pipelines.StepKinds; here it stands in a gate's place.
	m := check.NewMeasurer(clock.RealClock{}, check.NewRules(), check.Sources{"gate": check.SourceFunc(quiet)})
	step := pipelines.ResolvedStep{Name: "quiet/look", StepKinds: pipelines.StepKinds{Gate: &pipelines.Gate{}}}
	for _, c := range []struct {
		reason string
		seen   rule.Workload
		want   []api.Verdict
	}{
		{"nothing restarts", rule.Workload{Name: "agent"}, []api.Verdict{api.Passed, api.Passed}},
		{"a pod restarts, and what runs after it is not asked", rule.Workload{Name: "agent", Restarts: 1}, []api.Verdict{api.Failed, api.Skipped}},
		{"nobody looked", rule.Workload{}, []api.Verdict{api.Inconclusive, api.Skipped}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got, err := m.Ask(t.Context(), check.Inquiry{
				Point: pipelines.AfterBatch, Facts: rule.Facts{Workload: c.seen},
				Checks: []pipelines.ResolvedCheck{
					{Name: "quiet", Steps: []pipelines.ResolvedStep{step}},
					{Name: "after", RunAfter: []string{"quiet"}, Steps: []pipelines.ResolvedStep{step}},
				},
			})
			if err != nil || len(got) != 2 || got[0].Verdict != c.want[0] || got[1].Verdict != c.want[1] {
				t.Errorf("the verdicts are %+v, %v", got, err)
			}
		})
	}
}
