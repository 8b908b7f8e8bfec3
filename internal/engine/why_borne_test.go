package engine_test

import (
	"slices"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
)

// TestWhySaysWhatAdvisoryChecksFindMeanwhile: the unit hears of it at the end of its batch.
func TestWhySaysWhatAdvisoryChecksFindMeanwhile(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	b.temporal.watched = map[string]check.Tallies{"prod/c2/agent": {
		"metrics/rate": {Measured: 7}, "logs/slow": {Measured: 37, Of: 100}, "logs/quick": {Measured: 90, Of: 100}, "logs/done": {Measured: 5, Of: 200, Verdict: api.Passed}, "http/ask": {Verdict: api.Passed}, "logs/look": {Verdict: api.Failed, Message: "a panic"},
	}}
	why, err := b.Why(t.Context(), run.Name, "")
	if err == nil && why.Reasons[0].Counted != "logs/slow, 37 of 100 times" {
		t.Errorf("it says that %s were measured", why.Reasons[0].Counted)
	}
	if err != nil || len(why.Reasons) != 1 || !slices.Equal(why.Reasons[0].Advises, []string{"logs/look: Failed: a panic"}) {
		t.Errorf("it says %+v, %v", why.Reasons, err)
	}
}

// TestWhyNamesFailedBatchesOfAUnitThatHasArrived: nobody asked for it, and the run knows how many there were only.
func TestWhyNamesFailedBatchesOfAUnitThatHasArrived(t *testing.T) {
	b := newBench(t)
	run := b.started()
	whole := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseSucceeded, FailedBatches: 1, Batches: []api.BatchStatus{
		{Path: "prod/c1/all/1", Phase: api.PhaseFailed, Borne: "ready: no; cluster c1 bears it: 1 batch failed so far, maxBatchFailures is 1"},
		{Path: "prod/c1/all/2", Phase: api.PhaseSucceeded},
	}}
	b.end(run, api.UnitStatus{Path: "prod/c1", Cluster: "c1", Stage: "all", Phase: api.PhaseSucceeded, FailedBatches: 1, Detail: b.blob(whole)})
	why, err := b.Why(t.Context(), run.Name, "")
	want := []string{"prod/c1/all/1: ready: no; cluster c1 bears it: 1 batch failed so far, maxBatchFailures is 1"}
	if err != nil || len(why.Reasons) != 1 || !slices.Equal(why.Reasons[0].Borne, want) {
		t.Errorf("it says %+v, %v", why.Reasons, err)
	}
}
