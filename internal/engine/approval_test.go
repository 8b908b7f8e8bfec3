package engine_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

const approvers = "\n---\napiVersion: sluice.dev/v1alpha1\nkind: Group\nmetadata: {name: sre}\nspec: {people: [ann, ben]}\n"

// reviewed is a bench whose production wants both of the group.
func reviewed(t *testing.T) *bench {
	t.Helper()
	b := stages(t)
	production := "{name: production, clusterGroups"
	b.write("fleet.yaml", strings.Replace(staged, production, "{name: production, approval: {groups: [sre], minApprovals: 2}, clusterGroups", 1)+approvers)
	return b
}

func TestNobodyStartsWhatCouldNotBeApprovedThen(t *testing.T) {
	b := reviewed(t)
	p, err := b.narrowed(engine.PlanRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "Ann"})
	wants(t, err, fault.Refused, "stage production wants 2 approvals of ann, ben (group sre)", "somebody else has to start it")
	if _, err = b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "cat"}); err != nil {
		t.Errorf("cat cannot start it: %v", err)
	}
}

func TestWhatWasRejectedIsTriedAgainByARunOfItsOwn(t *testing.T) {
	b := reviewed(t)
	p, err := b.narrowed(engine.PlanRequest{})
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "cat"})
	if err != nil {
		t.Fatal(err)
	}
	no := api.Vote{Who: "ann (unverified)", At: noon, Reason: "not tonight"}
	run.Phase, run.Ended = "Failed", noon
	run.Report = b.blob(api.RunStatus{Phase: api.PhaseFailed, Stages: []api.StageStatus{
		{Name: "canary", Units: []api.UnitStatus{{Cluster: "c1", Phase: api.PhaseSucceeded, Started: noon}}},
		{Name: "production", Rejected: &no, Units: []api.UnitStatus{{Cluster: "c2", Phase: api.PhaseSkipped}}},
	}})
	if err := b.ledger.SaveRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	why, err := b.Why(t.Context(), run.Name, "")
	if err != nil || len(why.Reasons) != 1 || why.Reasons[0].Subject != "stage production" || why.Reasons[0].Ending.By != no.Who {
		t.Errorf("why says %+v, %v", why.Reasons, err)
	}
	b.deploy("c1", run.Name, "1.0.0")
	b.clock.Step(time.Minute)
	for _, name := range []string{api.UpdateApprove, api.UpdateReject} {
		_, err := b.Command(t.Context(), run.Name, name, api.Command{Who: "ben", Reason: "hm", Plan: run.Plan})
		wants(t, err, fault.Refused, "cannot "+name+" agent-1: it has ended as Failed", "since ann (unverified) rejected stage production: not tonight", "a retry of it asks anew")
	}
	_, err = b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "ben"})
	wants(t, err, fault.Refused, "cannot retry agent-1: stage production wants 2 approvals", "somebody else has to start it")
	answer, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "dan"})
	if err != nil || !strings.Contains(answer.Message, "tries again what agent-1 left, 1 unit: c2") {
		t.Errorf("dan heard %q, %v", answer.Message, err)
	}
}
