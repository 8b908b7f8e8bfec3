package engine_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// TestAReportOfAnEndedRunNeedsNoTemporal: the ledger has the plan, its diffs, what people did, and the freezes of that time.
func TestAReportOfAnEndedRunNeedsNoTemporal(t *testing.T) {
	b := newBench(t)
	for _, c := range []string{"c1", "c2"} {
		b.clusters[c] = plan.ClusterDiff{
			Objects: []plan.Object{{Object: "ConfigMap/default/agent", Action: "patch"}}, Diff: "sha256:same", Text: b.blob("-old +new"),
		}
	}
	run := b.started()
	for _, f := range []api.Freeze{
		{Reason: "holds one", Scope: api.FreezeScope{Clusters: []string{"c2"}}, Since: noon.Add(-time.Minute)},
		{Reason: "of something else", Scope: api.FreezeScope{Clusters: []string{"c9"}}, Since: noon},
		{Reason: "after its end", Since: noon.Add(time.Hour)},
	} {
		f.By, f.Origin, f.InFlight = "cat", api.FreezePerson, api.Finish
		if _, err := b.ledger.AddFreeze(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"pause", "resume"} {
		err := b.ledger.AddEntry(t.Context(), ledger.Entry{Who: "bob", Command: command, Object: run.Name, Reason: "look", Outcome: "accepted", At: noon})
		if err != nil {
			t.Fatal(err)
		}
	}
	before := api.UnitStatus{Path: "all/c1", Cluster: "c1", Phase: api.PhaseSucceeded, Batches: []api.BatchStatus{{Number: 1, Updated: 3}}}
	b.end(run, api.UnitStatus{Path: "all/c1", Cluster: "c1", Phase: api.PhaseRolledBack, Before: b.blob(before)}, api.UnitStatus{Path: "all/c2", Cluster: "c2", Phase: api.PhasePending})
	b.temporal = nil // nothing may ask it

	f, err := b.Report(t.Context(), run.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Deeds) != 3 || f.Deeds[0].Command != "run" || f.Deeds[2].Command != "resume" || f.Deeds[1].Reason != "look" {
		t.Errorf("people did %+v", f.Deeds)
	}
	if len(f.Diffs) != 1 || strings.Join(f.Diffs[0].Clusters, " ") != "c1 c2" || !strings.Contains(f.Diffs[0].Text, "-old +new") {
		t.Errorf("the diffs are %+v, %s", f.Diffs, f.Undiffed)
	}
	if len(f.Freezes) != 1 || f.Freezes[0].Reason != "holds one" {
		t.Errorf("it was held by %+v", f.Freezes)
	}
	if got := f.Before["all/c1"]; len(got.Batches) != 1 || f.Run.Pipeline != "careful" || f.PlannedBy == "" {
		t.Errorf("what was before is %+v, of %+v", got, f)
	}
	if _, err := b.Report(t.Context(), "nobody-1"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of a run that never was: %v", err)
	}
}

// TestAReportWithoutItsPlanHasTheRest: a plan of another format keeps nobody from the timeline.
func TestAReportWithoutItsPlanHasTheRest(t *testing.T) {
	b := newBench(t)
	run := b.started()
	run, err := b.ledger.NewRun(t.Context(), ledger.Run{Subject: run.Subject, Version: "2", Plan: "sha256:of another time", By: "ann", Started: noon})
	if err != nil {
		t.Fatal(err)
	}
	b.end(run, api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseFailed})
	f, err := b.Report(t.Context(), run.Name)
	if err != nil || len(f.Run.Stages) != 1 || f.Run.By != "ann" || !strings.Contains(f.Undiffed, "cannot find plan") {
		t.Errorf("it has %+v, %v", f, err)
	}
}
