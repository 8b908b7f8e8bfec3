package unit

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/workflows/pace"
)

// bears has the batch that moved last end as failed, where the cluster's own budget bears what a check has said about it. The rest of
// its pods still move, or the next batch would be a bigger one than it is to be, and no check looks at them. Background checks begin
// anew with the next batch. It shows the arithmetic where a budget does not bear it.
func (r *machine) bears(bad api.Check, at *api.BatchStatus) (says string, does bool) {
	if n := len(r.unit.Batches); at == nil || n != r.begun || at != &r.unit.Batches[n-1] {
		return "", false // it is not about the pods of a batch, or none of this one has moved
	}
	if borne(at) && bad.Verdict == api.Failed {
		r.watchNoMore()
		return "", true
	}
	f := plan.FailingBatch{
		Cluster: r.in.Cluster, Failed: r.unit.FailedBatches + 1, Most: r.plan.Rules.MaxBatchFailures, Of: moving(r.diff.Cluster.Workloads),
	}
	if says, does = f.Bears(bad.Verdict); !does {
		return says, false
	}
	r.unit.FailedBatches++
	at.Borne = bad.Name + ": " + clip.Bytes(bad.Message, pace.Tuned().MaxBorne) + "; " + says
	r.watchNoMore()
	if a := r.watcher.alarm; a != nil && a.Verdict == api.Failed {
		r.watcher.alarm = nil
	}
	return says, true
}

// moving is how many batches workloads have that move something.
func moving(workloads []plan.Division) (n int) {
	for _, w := range workloads {
		for _, set := range w.NodeSets {
			for _, b := range set.Batches {
				if b.Skipped == "" {
					n++
				}
			}
		}
	}
	return n
}

// borne reports whether a batch has failed, and its unit goes on.
func borne(at *api.BatchStatus) bool { return at != nil && at.Borne != "" }

// endOf is the phase of a batch that has ended.
func endOf(at *api.BatchStatus) api.Phase {
	if borne(at) {
		return api.PhaseFailed
	}
	return api.PhaseSucceeded
}
