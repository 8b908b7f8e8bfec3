package plan

import (
	"fmt"

	"sluice.dev/sluice/internal/api"
)

// FailingBatch is a batch about which a check has just said something that is no pass, in a cluster that may have a budget of its own.
type FailingBatch struct {
	Cluster string
	Failed  int // of its batches so far, this one among them
	Most    int // that it bears
	Of      int // batches that it has
}

// Bears reports whether the cluster goes on with its next batch after a verdict, and shows the arithmetic. It never bears all of its
// batches. It says nothing where there is no budget, or the verdict is none that a budget is of.
func (f FailingBatch) Bears(v api.Verdict) (says string, borne bool) {
	j := Judged{Verdict: v}
	if f.Failed <= f.Most && f.Failed < f.Of {
		j.Is = append(j.Is, WithinCluster)
	}
	if borne = j.Rule().Ruling == BearBatch; !borne && (f.Most == 0 || v != api.Failed) {
		return "", false
	}
	batches := "batches"
	if f.Failed == 1 {
		batches = "batch"
	}
	failed := fmt.Sprintf("%d %s failed so far", f.Failed, batches)
	switch {
	case borne:
		return fmt.Sprintf("cluster %s bears it: %s, maxBatchFailures is %d", f.Cluster, failed, f.Most), true
	case f.Failed > f.Most:
		return fmt.Sprintf("cluster %s does not bear it: %s, maxBatchFailures is %d", f.Cluster, failed, f.Most), false
	}
	return fmt.Sprintf("cluster %s does not bear it: %s, and it has no other", f.Cluster, failed), false
}
