package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

func TestWhatAFailedBatchMeans(t *testing.T) {
	for _, c := range []struct {
		reason  string
		failing plan.FailingBatch
		verdict api.Verdict
		borne   bool
		says    string
	}{
		{"the budget bears as many as it says", plan.FailingBatch{Cluster: "a", Failed: 2, Most: 2, Of: 4}, api.Failed, true, "cluster a bears it: 2 batches failed so far, maxBatchFailures is 2"},
		{"and no more", plan.FailingBatch{Cluster: "a", Failed: 2, Most: 1, Of: 4}, api.Failed, false, "cluster a does not bear it: 2 batches failed so far, maxBatchFailures is 1"},
		{"never all of them", plan.FailingBatch{Cluster: "a", Failed: 1, Most: 5, Of: 1}, api.Failed, false, "cluster a does not bear it: 1 batch failed so far, and it has no other"},
		{"without a budget it is as ever", plan.FailingBatch{Cluster: "a", Failed: 1, Most: 0, Of: 4}, api.Failed, false, ""},
		{"what nobody can tell is no failure", plan.FailingBatch{Cluster: "a", Failed: 1, Most: 3, Of: 4}, api.Inconclusive, false, ""},
		{"nor what nobody could look at", plan.FailingBatch{Cluster: "a", Failed: 1, Most: 3, Of: 4}, api.Error, false, ""},
	} {
		if says, borne := c.failing.Bears(c.verdict); borne != c.borne || says != c.says {
			t.Errorf("%s: %t, %q; want %t, %q", c.reason, borne, says, c.borne, c.says)
		}
	}
}
