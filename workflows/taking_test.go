package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// A rollback of a part ends the whole run: who asks what it would do hears what it would do to the rest.
func TestADryRollbackTellsAll(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	w.plan.Stages[0].Groups[0].MaxConcurrency = 2
	w.rules.Soak.Batch = pipelines.Duration(time.Hour)
	part := api.Scope{Clusters: []string{"a"}}
	dry := w.command(10*time.Minute, api.UpdateRollback, api.Command{DryRun: true, Scope: part})
	whole := w.command(11*time.Minute, api.UpdateRollback, api.Command{DryRun: true})
	done := w.command(12*time.Minute, api.UpdateRollback, api.Command{Scope: part, Reason: "slow"})
	end := w.run(t)

	want := &api.TakingBack{
		Run: "agent-1", Scope: part, Ends: true, Units: []api.UnitBack{{Path: "prod/a", Cluster: "a", Stops: true, WayBack: "v1"}},
		Stops: []string{"prod/b"}, Unstarted: []string{"prod/c", "prod/d"},
	}
	if diff := cmp.Diff(want, dry.answer.Back); diff != "" {
		t.Errorf("it would (-want +got):\n%s", diff)
	}
	if says := dry.answer.Message; says != "1 unit would go back; agent-1 would end with it, 1 other open unit (prod/b) stops where it is, disarmed, 2 units are not started" {
		t.Errorf("it says %q", says)
	}
	if all := whole.answer.Back; len(all.Units) != 2 || len(all.Stops) > 0 || !all.Ends {
		t.Errorf("of the whole run it says %+v", all)
	}
	if diff := cmp.Diff(dry.answer.Back, done.answer.Back); diff != "" {
		t.Errorf("what is done is not what would be done (-would +is):\n%s", diff)
	}
	if !strings.Contains(done.answer.Message, "agent-1 ends with it") {
		t.Errorf("it says %q", done.answer.Message)
	}
	// And so it was.
	got := unitPhases(end)
	for cluster, phase := range map[string]api.Phase{"a": api.PhaseRolledBack, "b": api.PhaseAborted, "c": api.PhaseSkipped, "d": api.PhaseSkipped} {
		if got[cluster] != phase {
			t.Errorf("%s ended as %s, want %s", cluster, got[cluster], phase)
		}
	}
}
