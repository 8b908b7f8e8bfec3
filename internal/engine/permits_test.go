package engine_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// TestAPersonLetsAUnitIn: for a reason, which is in the audit; and why says that somebody can.
func TestAPersonLetsAUnitIn(t *testing.T) {
	b := newBench(t)
	run := b.started()
	waits := permit.Permit{Run: run.Name, Subject: run.Subject, Cluster: "c1", Holder: permit.Holder{Workflow: "w"}}
	bad := permit.Permit{Run: "dns-3", Subject: api.Component("dns"), Cluster: "c1", Holder: permit.Holder{Workflow: "v"}}
	if err := b.ledger.Trouble(t.Context(), bad, "pods Failed", noon); err != nil {
		t.Fatal(err)
	}
	said, err := b.ledger.Enter(t.Context(), waits, nil, noon)
	if err != nil || said.Given() {
		t.Fatalf("it enters: %+v, %v", said, err)
	}
	unit := api.UnitStatus{
		Path: "prod/c1", Cluster: "c1", Phase: api.PhaseLocked, Started: noon,
		Waiting: &api.Waiting{Kind: api.WaitPermit, Name: said.Holder, Since: noon, Unmet: []string{said.Why}},
	}
	b.temporal.answers = map[string]any{run.Name: api.RunStatus{
		Name: run.Name, Subject: run.Subject, Plan: run.Plan, Phase: api.PhaseLocked, Stages: []api.StageStatus{{Name: "all", Units: []api.UnitStatus{unit}}},
	}}
	why, err := b.Why(t.Context(), run.Name, "c1")
	if err != nil || len(why.Reasons) != 1 {
		t.Fatalf("it explains %+v, %v", why, err)
	}
	want := "sluice why dns-3; sluice get permits; sluice let-in agent-1 c1 --reason TEXT; sluice skip agent-1 c1 --reason TEXT"
	if got := strings.Join(why.Reasons[0].Commands, "; "); got != want || why.Reasons[0].ByItself == "" {
		t.Errorf("what helps is %s, and by itself %q", got, why.Reasons[0].ByItself)
	}
	if _, err := b.LetIn(t.Context(), run.Name, "c1", "ann", ""); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("for no reason: %v", err)
	}
	if _, err := b.LetIn(t.Context(), run.Name, "c1", "ann", "it is the fix"); err != nil {
		t.Fatal(err)
	}
	all, err := b.Permits(t.Context())
	if err != nil || len(all) != 2 || all[1].LetIn == nil || all[1].LetIn.By != "ann (unverified)" {
		t.Errorf("permits are %+v, %v", all, err)
	}
	entries, err := b.ledger.ListEntries(t.Context(), run.Name, 1)
	if err != nil || len(entries) != 1 || entries[0].Command != "let-in" || entries[0].Reason != "it is the fix" {
		t.Errorf("the audit says %+v, %v", entries, err)
	}
}

// TestWhoWasRefusedAPermitCanBeLetIn: why says so, as it does of who waits.
func TestWhoWasRefusedAPermitCanBeLetIn(t *testing.T) {
	b := newBench(t)
	run := b.started()
	no := &api.Check{Name: "may c1 change", At: pipelines.Point(step.Enter.Name()), Verdict: api.Error, Message: "limit few: 1 of 1 units"}
	unit := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseRefused, Started: noon, Failure: no, FailedAt: "prod/c1"}
	b.temporal.answers = map[string]any{run.Name: api.RunStatus{
		Name: run.Name, Subject: run.Subject, Plan: run.Plan, Phase: api.PhaseHeld, Stages: []api.StageStatus{{Name: "all", Units: []api.UnitStatus{unit}}},
	}}
	why, err := b.Why(t.Context(), run.Name, "c1")
	if err != nil || len(why.Reasons) != 1 {
		t.Fatalf("it explains %+v, %v", why, err)
	}
	if why.Reasons[0].Blame != nil {
		t.Errorf("nothing broke, and it suspects %+v", why.Reasons[0].Blame)
	}
	want := "sluice get permits; sluice let-in agent-1 c1 --reason TEXT; sluice resume agent-1; "
	if got := strings.Join(why.Reasons[0].Commands, "; "); !strings.Contains(got, want) {
		t.Errorf("what helps is %s", got)
	}
}
