package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// unrecorded is a world where nothing was recorded before the run.
func unrecorded(t *testing.T, clusters ...string) *world {
	t.Helper()
	w := newWorld(t, clusters...)
	w.noBack = true
	for i := range clusters {
		w.plan.Stages[0].Groups[0].Units[i].WayBack = plan.WayBack{}
	}
	return w
}

func TestWhereNothingWasRecordedAllOfItGoesBack(t *testing.T) {
	for _, c := range []struct {
		reason  string
		created bool
		policy  pipelines.OnFailure
	}{
		{"what the run made goes", true, pipelines.Rollback},
		{"what it found gets back what it had", false, pipelines.Rollback},
		{"a person may ask for it too", false, pipelines.Pause},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := unrecorded(t, "a")
			w.created = c.created
			w.plan.OnFailure = c.policy
			w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
			w.command(time.Hour, api.UpdateRollback, api.Command{})
			if end := w.run(t); end.Phase != api.PhaseRolledBack {
				t.Errorf("the run ended %s, its unit with %+v", end.Phase, end.Stages[0].Units[0].Failure)
			}
			w.expect(t, []string{"Disarm a", "Unapply a", "Revert a/1", "Finish a", "Unapply a", "Release a RolledBack"}, nil)
		})
	}
}

func TestAWorkloadThatIsNotBackKeepsWhatItNeeds(t *testing.T) {
	w := unrecorded(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	w.stays = "DaemonSet/infra/agent (its controller does not keep what it was before; 1 of 10 pods are at what this run wrote)"
	end := w.run(t)
	u := end.Stages[0].Units[0]
	if end.Phase != api.PhaseFailed || u.Failure == nil || !strings.Contains(u.Failure.Message, w.stays) || u.Version != "v2" {
		t.Errorf("the run ended %s, its unit at %q with %+v", end.Phase, u.Version, u.Failure)
	}
	w.expect(t, []string{"Unapply a", "Revert a/1", "Disarm a", "Release a Failed"}, []string{"Finish a"})
	asked := w.asked()
	if after := asked[slices.Index(asked, "Revert a/1"):]; slices.Contains(after, "Unapply a") {
		t.Errorf("what the pods of a workload need that stays was taken away: %v", after)
	}
}

func TestWhatStaysIsListedOnce(t *testing.T) {
	w := unrecorded(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	w.kept = []string{"Namespace/infra", "ConfigMap/infra/c (it is immutable)"}
	end := w.run(t)
	if diff := cmp.Diff(w.kept, end.Stages[0].Units[0].Kept); diff != "" {
		t.Errorf("the unit lists (-want +got):\n%s", diff)
	}
}

func TestARunListsTheFirstOfMuchThatStays(t *testing.T) {
	w := unrecorded(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	for i := range 40 {
		w.kept = append(w.kept, fmt.Sprintf("ConfigMap/infra/c%d (%s)", i, strings.Repeat("long ", 100)))
	}
	end := w.run(t)
	kept := end.Stages[0].Units[0].Kept
	if len(kept) != 11 || kept[10] != "30 more" || len(kept[0]) > 200 {
		t.Errorf("the run lists %d of 40: %.300q", len(kept), kept)
	}
	if whole := w.records[len(w.records)-1].Kept; len(whole) != 40 {
		t.Errorf("the record of the unit has %d of 40", len(whole))
	}
}

func TestAFirstInstallationThatHasEndedGoesBackByARunOfItsOwn(t *testing.T) {
	w := unrecorded(t, "a", "b")
	w.kept = []string{"Namespace/infra"}
	end := w.play(t, api.RolloutInput{
		Run: "agent-2", Plan: "0123456789abcdef", By: "ops", Back: &api.BackInput{Run: "agent-1", Units: []string{"a", "b"}},
	})
	if diff := cmp.Diff(map[string]api.Phase{"a": api.PhaseRolledBack, "b": api.PhaseRolledBack}, unitPhases(end)); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	w.expect(t, []string{"Acquire b", "Apply b", "Release b RolledBack", "Acquire a", "Apply a", "Release a RolledBack"}, nil)
	if kept := end.Stages[0].Units[0].Kept; !slices.Equal(kept, w.kept) {
		t.Errorf("what stays is %v", kept)
	}
}

func TestADryRollbackNamesTheWaysBack(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	units := w.plan.Stages[0].Groups[0].Units
	units[1].WayBack, units[2].WayBack = plan.WayBack{Kind: plan.AsFound}, plan.WayBack{Kind: plan.Removed}
	w.plan.Stages[0].Groups[0].MaxConcurrency = 3
	w.rules.Soak.Batch = pipelines.Duration(time.Hour)
	dry := w.command(10*time.Minute, api.UpdateRollback, api.Command{DryRun: true})
	w.run(t)
	want := []string{"prod/a: stops; way back: v1", "prod/b: stops; way back: as found", "prod/c: stops; way back: remove"}
	if diff := cmp.Diff(want, dry.answer.Units); diff != "" {
		t.Errorf("it would go (-want +got):\n%s", diff)
	}
}

func TestNoWayBackIsLeftForWhatTheComponentForbids(t *testing.T) {
	w := unrecorded(t, "a")
	w.rules.Soak.Batch = pipelines.Duration(time.Hour)
	w.plan.Rollback = pipelines.RollbackNever
	no := w.command(10*time.Minute, api.UpdateRollback, api.Command{})
	w.run(t)
	if no.accepted || no.rejected == nil || !strings.Contains(no.rejected.Error(), "rollback: Never") {
		t.Errorf("it was accepted: %v, rejected: %v", no.accepted, no.rejected)
	}
}

func TestAWebhookGoesFirstAlsoWhereNothingElseWasApplied(t *testing.T) {
	w := unrecorded(t, "a")
	w.plan.OnFailure = pipelines.Rollback
	w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
	w.applies = func(d *step.DiffResult) { d.Before, d.After = false, false }
	w.run(t)
	w.expect(t, []string{"Prepare a", "Unapply a", "Revert a/1", "Unapply a", "Release a RolledBack"}, []string{"Apply a"})
}
