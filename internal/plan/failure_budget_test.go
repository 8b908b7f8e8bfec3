package plan_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func prod(failed, most int) []plan.Budget {
	return []plan.Budget{{Of: "stage prod", Failed: failed, Most: most}}
}

func TestWhatAFailedUnitMeans(t *testing.T) {
	for _, c := range []struct {
		reason  string
		failing plan.Failing
		want    plan.Consequence
		says    string
	}{
		{
			"the budget bears as many as it says",
			plan.Failing{Budgets: prod(2, 2), OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackAuto},
			plan.Borne, "stage prod bears it: 2 units failed so far, maxFailures is 2",
		},
		{
			"a pipeline may go on whatever fails",
			plan.Failing{Budgets: prod(1, 0), OnFailure: pipelines.Continue},
			plan.Borne, "onFailure: Continue; 1 unit of stage prod failed so far",
		},
		{
			"every budget has to bear it",
			plan.Failing{Budgets: append(prod(1, 2), plan.Budget{Of: "the run", Failed: 3, Most: 2}), OnFailure: pipelines.Pause},
			plan.Undecided, "",
		},
		{
			"the sums of all are shown",
			plan.Failing{Budgets: append(prod(1, 2), plan.Budget{Of: "the run", Failed: 2, Most: 2}), OnFailure: pipelines.Pause},
			plan.Borne, "maxFailures is 2; the run bears it: 2 units failed so far, maxFailures is 2",
		},
		{
			"a run goes back by itself where pipeline and component say so",
			plan.Failing{Budgets: prod(1, 0), OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackAuto}, plan.TakenBack, "",
		},
		{
			"a component may keep automation from taking it back",
			plan.Failing{Budgets: prod(1, 0), OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackManual}, plan.Undecided, "",
		},
		{
			"or keep everybody from it",
			plan.Failing{Budgets: prod(1, 0), OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackNever}, plan.Undecided, "",
		},
		{
			"anything else waits for a person",
			plan.Failing{Budgets: prod(3, 2), OnFailure: pipelines.Pause, Rollback: pipelines.RollbackAuto}, plan.Undecided, "",
		},
	} {
		got, why := c.failing.Consequence()
		if got != c.want || !strings.Contains(why, c.says) || (why == "") != (c.says == "") {
			t.Errorf("%s: %s, %q; want %s, %q", c.reason, got, why, c.want, c.says)
		}
	}
}
