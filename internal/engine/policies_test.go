package engine_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// policy is a document of a policy.
func policy(name, spec string) string {
	return "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// applies keeps a policy in the system, beside nobody's files.
func (b *bench) applies(name, spec string) error {
	b.t.Helper()
	other := newBench(b.t)
	other.write("policies/"+name+".yaml", policy(name, spec))
	_, err := b.Apply(b.t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{filepath.Join(other.dir, "policies")}}, By: "eve", Reason: "asked for"})
	return err
}

// TestAPlanThatUndercutsAPolicyDoesNotStart: one that is kept, though the plan is older than the policy, until a second person says so.
func TestAPlanThatUndercutsAPolicyDoesNotStart(t *testing.T) {
	b := newBench(t)
	before := b.plan()
	if err := before.Refused(); err != nil {
		t.Fatal(err)
	}
	if err := b.applies("quiet", "soak: {cluster: 1h}"); err != nil {
		t.Fatal(err)
	}
	starts := func() error {
		_, err := b.Run(t.Context(), engine.RunRequest{Plan: before.Hash, By: "ann"})
		return err
	}
	wants(t, starts(), fault.Refused, "it undercuts quiet", "policy quiet, soak.cluster: stage all: wanted is at least 1h, found is 0s",
		"sluice bypass policy/quiet "+before.Hash[:12]+" --reason TEXT")

	again := b.plan()
	wants(t, again.Refused(), fault.Refused, "policy quiet, soak.cluster: stage all")
	if again.Hash != before.Hash {
		t.Error("a policy has changed the hash of the plan")
	}
	shown, err := b.ShowPlan(t.Context(), before.Hash)
	if err != nil || len(shown.Undercuts) != 1 {
		t.Errorf("the plan does not show what it undercuts: %+v, %v", shown.Undercuts, err)
	}

	_, err = b.passes("policy/quiet", before.Hash, "ann")
	wants(t, err, fault.Refused, "ann (unverified) made the plan")
	_, err = b.passes("policy/other", before.Hash, "bob")
	wants(t, err, fault.NotFound, "there is no Policy other")
	if err := b.applies("kept", "onFailure: [Pause]"); err != nil {
		t.Fatal(err)
	}
	_, err = b.passes("policy/kept", before.Hash, "bob")
	wants(t, err, fault.Refused, "nothing of the policy is undercut")
	for range 2 { // once more is the same
		if _, err := b.passes("policy/quiet", before.Hash, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: before.Hash, By: "bob"})
	wants(t, err, fault.Refused, "it undercuts quiet") // his own word is none
	if err := starts(); err != nil {
		t.Errorf("a second person has let it pass: %v", err)
	}
}

// TestPoliciesAmongTheFilesOnlyAdd: one that came with the files holds the plan when it starts too, though nothing is kept.
func TestPoliciesAmongTheFilesOnlyAdd(t *testing.T) {
	b := newBench(t)
	b.write("policy.yaml", policy("own", "onFailure: [Rollback]"))
	planned := b.plan()
	wants(t, planned.Refused(), fault.Refused, "policy own, onFailure: the run: wanted is Rollback, found is Pause")
	_, err := b.Run(t.Context(), engine.RunRequest{Plan: planned.Hash, By: "ann"})
	wants(t, err, fault.Refused, "policy own, onFailure")

	if err := b.applies("own", "onFailure: [Rollback]"); err != nil {
		t.Fatal(err)
	}
	if again := b.plan(); len(again.Undercuts) != 1 {
		t.Errorf("what is kept and comes with the files too is said %d times", len(again.Undercuts))
	}
	b.write("policy.yaml", policy("own", "onFailure: [Pause]"))
	wants(t, b.plan().Refused(), fault.Refused, "policy own, onFailure") // the one that is kept stands
}

// TestARetryIsJudgedAndARollbackIsNot: a policy that came later holds what goes on, and never what goes back.
func TestARetryIsJudgedAndARollbackIsNot(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.end(run, moved("c1"), ended("c2", api.PhaseFailed))
	if err := b.applies("strict", "onFailure: [Rollback], refuseUnverified: true, soak: {cluster: 1h}, wayBack: true"); err != nil {
		t.Fatal(err)
	}
	_, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "bob"})
	wants(t, err, fault.Refused, "it undercuts strict", "found is ann (unverified)")

	answer, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "bob", Reason: "slow"})
	if err != nil || !strings.Contains(answer.Message, "takes back") {
		t.Errorf("a policy holds a rollback: %q, %v", answer.Message, err)
	}
}

// TestCatchingUpIsJudged: clusters that joined go through the same door.
func TestCatchingUpIsJudged(t *testing.T) {
	b := newBench(t)
	b.through(nil)
	b.write("joined.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c3}\nspec: {group: prod}\n")
	if err := b.applies("strict", "onFailure: [Rollback]"); err != nil {
		t.Fatal(err)
	}
	found, err := b.catchesUp()
	if err != nil || found.Planned == nil {
		t.Fatalf("%+v, %v", found, err)
	}
	wants(t, found.Planned.Refused(), fault.Refused, "policy strict, onFailure")
}

// TestATemplateIsKnownByThePlanThatBroughtIt: what runs was rendered from the template of the run that brought it there, if exactly that
// runs there.
func TestATemplateIsKnownByThePlanThatBroughtIt(t *testing.T) {
	b := newBench(t)
	if err := b.applies("reviewed", "review: {approvals: 1, when: [TemplateChange]}"); err != nil {
		t.Fatal(err)
	}
	run := b.started()
	first, err := b.LoadPlan(t.Context(), run.Plan)
	if err != nil {
		t.Fatal(err)
	}
	b.end(run, moved("c1"), moved("c2"))
	wants(t, b.plan().Refused(), fault.Refused, "review: stage all", "the template of agent in c1 is another one") // what runs is on no plan
	for _, u := range first.Plan.AllUnits() {
		b.puts(ledger.Deployment{Cluster: u.Cluster, Version: run.Version, Target: u.Target, Run: run.Name})
	}
	if err := b.plan().Refused(); err != nil {
		t.Errorf("the template is the same: %v", err)
	}
	b.write("agent/agent.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
	wants(t, b.plan().Refused(), fault.Refused, "the template of agent in c1 is another one")
}

// TestPoliciesThatContradictEachOtherAreNotKept: neither in one folder nor one after another.
func TestPoliciesThatContradictEachOtherAreNotKept(t *testing.T) {
	b := newBench(t)
	if err := b.applies("first", "onFailure: [Rollback]"); err != nil {
		t.Fatal(err)
	}
	wants(t, b.applies("second", "onFailure: [Pause]"), fault.Invalid, "Policy first", "no pipeline can meet both")
	if err := b.applies("first", "onFailure: [Pause]"); err != nil {
		t.Errorf("what replaces it does not contradict it: %v", err)
	}
}
