package plan_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestWhatAFailedUnitMeans(t *testing.T) {
	for _, c := range []struct {
		reason  string
		failing plan.Failing
		want    plan.Consequence
		says    string
	}{
		{
			"the budget bears as many as it says",
			plan.Failing{Stage: "prod", Failed: 2, MaxFailures: 2, OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackAuto},
			plan.Borne, "stage prod bears it: 2 units failed so far, maxFailures is 2",
		},
		{
			"a pipeline may go on whatever fails",
			plan.Failing{Stage: "prod", Failed: 1, OnFailure: pipelines.Continue},
			plan.Borne, "onFailure: Continue; 1 unit of stage prod failed so far",
		},
		{
			"a run goes back by itself where pipeline and component say so",
			plan.Failing{Failed: 1, OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackAuto}, plan.TakenBack, "",
		},
		{
			"a component may keep automation from taking it back",
			plan.Failing{Failed: 1, OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackManual}, plan.Undecided, "",
		},
		{
			"or keep everybody from it",
			plan.Failing{Failed: 1, OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackNever}, plan.Undecided, "",
		},
		{
			"anything else waits for a person",
			plan.Failing{Failed: 3, MaxFailures: 2, OnFailure: pipelines.Pause, Rollback: pipelines.RollbackAuto}, plan.Undecided, "",
		},
	} {
		got, why := c.failing.Consequence()
		if got != c.want || !strings.Contains(why, c.says) || (why == "") != (c.says == "") {
			t.Errorf("%s: %s, %q; want %s, %q", c.reason, got, why, c.want, c.says)
		}
	}
}
