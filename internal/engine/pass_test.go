package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// passes has somebody let a plan or a run pass something.
func (b *bench) passes(of, what, by string) (engine.LetPass, error) {
	b.t.Helper()
	return b.Bypass(b.t.Context(), engine.BypassRequest{Of: of, For: what, By: by, Reason: "the fix has to go out"})
}

func TestTwoFreezesAndAnEmergency(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	b.freezes(api.FreezeScope{}, time.Time{})
	b.freezes(api.FreezeScope{Environment: "production"}, time.Time{})
	starts := func() error {
		_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
		return err
	}
	wants(t, starts(), fault.Refused, "freeze-1 by bob (unverified): packet loss", "sluice unfreeze freeze-1",
		"sluice bypass freeze-1 "+p.Hash[:12]+" --reason TEXT")

	first, err := b.passes("freeze-1", p.Hash[:12], "eve")
	if err != nil || first.By != "eve (unverified)" || len(first.Still) != 1 || first.Still[0].Freeze != "freeze-2" {
		t.Fatalf("one of two lets it not pass yet: %+v, %v", first, err)
	}
	wants(t, starts(), fault.Refused, "freeze-2 by bob")
	if _, err = b.passes("freeze-2", p.Hash, "eve"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "Eve"})
	wants(t, err, fault.Refused, "freeze-1", "Eve (unverified) has done so")
	if err := starts(); err != nil {
		t.Fatalf("both let it pass: %v", err)
	}
	entries, err := b.Audit(t.Context(), p.Hash, 0)
	said := []string{}
	for _, e := range entries {
		if e.Command == "bypass" {
			said = append(said, e.Who+" "+e.Scope+" "+e.Reason+" "+e.Outcome)
		}
	}
	want := []string{"eve (unverified) freeze-2 the fix has to go out accepted", "eve (unverified) freeze-1 the fix has to go out accepted"}
	if diff := cmp.Diff(want, said); diff != "" || err != nil {
		t.Errorf("the audit (-want +got):\n%s%v", diff, err)
	}
	shown, err := b.ShowPlan(t.Context(), p.Hash)
	if err != nil || !strings.Contains(strings.Join(shown.Warnings(), "\n"), "may pass freeze-1 by the word of eve (unverified): the fix") {
		t.Errorf("who reads the plan reads %q, %v", shown.Warnings(), err)
	}
}

func TestAnOpenRunHearsThatItMayPass(t *testing.T) {
	b := newBench(t)
	run := b.started()
	other, err := b.ledger.NewRun(t.Context(), ledger.Run{
		Plan: run.Plan, Subject: run.Subject, Version: "1.0.0", Started: b.clock.Now(), By: "eve (unverified)",
	})
	if err != nil {
		t.Fatal(err)
	}
	b.temporal.open[other.Name] = true
	b.freezes(api.FreezeScope{}, time.Time{})
	b.freezes(api.FreezeScope{Clusters: []string{"c2"}}, time.Time{})
	let, err := b.passes("freeze-1", run.Name, "eve")
	if err != nil || let.Run != run.Name || len(let.Still) != 1 || let.Still[0].Freeze != "freeze-2" {
		t.Fatalf("%+v, %v", let, err)
	}
	names := func(of string) (all []string) {
		told := b.temporal.holds[of]
		for _, h := range told[len(told)-1].List {
			all = append(all, h.Freeze)
		}
		return all
	}
	if diff := cmp.Diff([]string{"freeze-2"}, names(run.Name)); diff != "" {
		t.Errorf("it is under the other still (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"freeze-1", "freeze-2"}, names(other.Name)); diff != "" {
		t.Errorf("a run that eve started herself passes nothing by her word (-want +got):\n%s", diff)
	}
	f := b.freezes(api.FreezeScope{}, time.Time{})
	if f.Name != "freeze-3" || len(names(run.Name)) != 2 {
		t.Errorf("a later freeze holds it like any other: %v", names(run.Name))
	}
	view, err := b.Status(t.Context(), run.Name)
	if err != nil || len(view.Bypasses) != 1 || view.Bypasses[0].Of != "freeze-1" {
		t.Errorf("its status has %+v, %v", view.Bypasses, err)
	}
}

func TestABypassTakesASecondPerson(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "cat"})
	if err != nil {
		t.Fatal(err)
	}
	b.temporal.open = map[string]bool{run.Name: true}
	b.freezes(api.FreezeScope{}, time.Time{})
	b.freezes(api.FreezeScope{Component: api.Component("other")}, time.Time{})
	over := b.freezes(api.FreezeScope{}, noon.Add(time.Minute))
	if _, err := b.Unfreeze(t.Context(), b.freezes(api.FreezeScope{}, time.Time{}).Name, "ann", "quiet"); err != nil {
		t.Fatal(err)
	}
	bad, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
		Origin: api.FreezeRollback, Run: "agent-99", Scope: api.FreezeScope{Digest: p.Plan.Digest}, InFlight: api.PauseNow,
		By: "bob", Reason: "it leaks", Since: noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Step(time.Hour)
	for name, c := range map[string]struct {
		of, what, by string
		code         fault.Code
		says         string
	}{
		"who made the plan":                  {"freeze-1", p.Hash, "Ann", fault.Refused, "ann (unverified) made the plan"},
		"who started the run":                {"freeze-1", run.Name, "cat", fault.Refused, "cat (unverified) started the run"},
		"nobody":                             {"freeze-1", run.Name, "", fault.Invalid, "has no by"},
		"what does not hold it":              {"freeze-2", run.Name, "eve", fault.Refused, "it does not hold this plan: it is about component other"},
		"a freeze that is over":              {over.Name, run.Name, "eve", fault.Conflict, "it holds nothing"},
		"a freeze that was lifted":           {"freeze-4", run.Name, "eve", fault.Conflict, "by ann (unverified)"},
		"no freeze":                          {"freeze-9", run.Name, "eve", fault.NotFound, "no such freeze or policy"},
		"no policy":                          {"policy/red-lines", run.Name, "eve", fault.NotFound, "there is no Policy red-lines"},
		"no run":                             {"freeze-1", "agent-77", "eve", fault.NotFound, "no run and no plan agent-77"},
		"a version that was rolled back":     {bad.Name, run.Name, "eve", fault.Refused, "sluice unfreeze " + bad.Name},
		"who freezes may let pass as anyone": {"freeze-1", run.Name, "bob", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.passes(c.of, c.what, c.by)
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wants(t, err, c.code, c.says)
		})
	}
	b.temporal.open = nil
	b.end(run, api.UnitStatus{Cluster: "c1", Phase: api.PhaseSucceeded})
	_, err = b.passes("freeze-1", run.Name, "eve")
	wants(t, err, fault.Refused, "has ended")
	entries, _ := b.Audit(t.Context(), run.Name, 0)
	if !strings.Contains(entries[len(entries)-2].Outcome, "refused") && !strings.Contains(entries[0].Outcome, "refused") {
		t.Errorf("who was refused is in the audit: %+v", entries)
	}
}

// unlisted is a ledger whose list of freezes nobody can read: it is long, and ends before the oldest.
type unlisted struct{ ledger.Ledger }

func (unlisted) ListFreezes(context.Context, int) ([]api.Freeze, error) {
	return nil, errors.New("all freezes are read")
}

func TestAFreezeIsPassedByItsName(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	b.freezes(api.FreezeScope{}, time.Time{})
	e := engine.New(unlisted{b.ledger}, b.Engine.Server, engine.Options{Clock: b.clock})
	let, err := e.Bypass(t.Context(), engine.BypassRequest{Of: "freeze-1", For: p.Hash, By: "eve", Reason: "the fix has to go out"})
	if err != nil || len(let.Still) > 0 {
		t.Errorf("it passes as %+v, %v", let, err)
	}
}

// TestWhoHasPlannedAPlanIsNoSecondPerson has a job plan again what ann has planned: the plan is kept as the job's.
func TestWhoHasPlannedAPlanIsNoSecondPerson(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		by      string
		entries int // about the plan, by the job, since
		says    string
	}{
		"who planned it first":              {"a job that plans the same makes nobody a second person", "ann", 0, "ann (unverified) made the plan"},
		"in other letters":                  {"it is one person", "Ann", 0, "ann (unverified) made the plan"},
		"hundreds of entries before":        {"all of them are looked through", "ann", 700, "ann (unverified) made the plan"},
		"another one":                       {"she has not planned it", "eve", 700, ""},
		"another one, of whom nobody knows": {"who has planned it long ago is not seen any more", "eve", 5000, "whether eve (unverified) made it too, nobody can tell"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.plan()
			b.freezes(api.FreezeScope{}, time.Time{})
			again, err := b.Plan(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "nightly [ci]"})
			if err != nil || again.Hash != p.Hash || !strings.HasPrefix(again.Stored.By, "nightly") {
				t.Fatalf("the job plans %+v, %v", again, err)
			}
			for range c.entries {
				entry := ledger.Entry{Who: again.Stored.By, Command: "plan", Object: p.Hash, Outcome: "accepted", At: noon}
				if err := b.ledger.AddEntry(t.Context(), entry); err != nil {
					t.Fatal(err)
				}
			}
			_, err = b.passes("freeze-1", p.Hash, c.by)
			if c.says != "" {
				wants(t, err, fault.Refused, c.says)
			} else if err != nil {
				t.Errorf("%v: %s", err, c.reason)
			}
		})
	}
}

const aFuse = `apiVersion: sluice.dev/v1alpha1
kind: Fuse
metadata: {name: production}
spec: {failures: %d, of: 10, within: 1h, scope: {environment: production}}
`

func TestWhatIsApplied(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	applies := func(failures, reason string) (string, error) {
		t.Helper()
		text := strings.Replace(aFuse, "%d", failures, 1)
		if err := os.WriteFile(filepath.Join(dir, "fuse.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := b.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{dir}}, By: "ann", Reason: reason})
		if err != nil {
			return "", err
		}
		return all[0].Kind + " " + all[0].Name + " " + all[0].Was, nil
	}
	for _, c := range []struct{ failures, reason, want string }{
		{"3", "", "Fuse production created"}, {"3", "", "Fuse production unchanged"}, {"2", "too many", "Fuse production changed"},
	} {
		if got, err := applies(c.failures, c.reason); got != c.want || err != nil {
			t.Errorf("%s failures: %s, %v; want %s", c.failures, got, err, c.want)
		}
	}
	_, err := applies("5", "")
	wants(t, err, fault.Invalid, "cannot change Fuse production for no reason", "by ann (unverified)")
	_, err = b.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{b.dir}}, By: "ann", Reason: ""})
	wants(t, err, fault.Invalid, "only documents of Fleet, ClusterGroup, Cluster, Policy, Fuse, Limit, Binding", "and not Pipeline careful, Component agent")
	_, err = b.Delete(t.Context(), "Fuse", "production", "bob", "")
	wants(t, err, fault.Invalid, "for no reason")
	if _, err = b.Delete(t.Context(), "Fuse", "production", "bob", "no longer"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Delete(t.Context(), "Fuse", "production", "bob", "no longer")
	wants(t, err, fault.NotFound, "Fuse production")
	entries, err := b.Audit(t.Context(), "fuse/production", 0)
	said := []string{}
	for _, e := range entries {
		said = append(said, e.Who+" "+e.Command+" "+e.Outcome)
	}
	want := []string{"bob (unverified) delete deleted", "ann (unverified) apply changed", "ann (unverified) apply created"}
	if diff := cmp.Diff(want, said); diff != "" || err != nil {
		t.Errorf("the audit (-want +got):\n%s%v", diff, err)
	}
}

func TestAFuseIsNotLiftedWhileItBurns(t *testing.T) {
	b := newBench(t)
	run := b.started()
	dir := t.TempDir()
	text := strings.Replace(strings.Replace(aFuse, "%d", "1", 1), ", scope: {environment: production}", "", 1)
	if err := os.WriteFile(filepath.Join(dir, "fuse.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{dir}}, By: "ann", Reason: ""}); err != nil {
		t.Fatal(err)
	}
	bad := ledger.Outcome{Run: run.Name, Cluster: "c1", Plan: run.Plan, Failed: b.clock.Now()}
	if err := b.ledger.NoteOutcome(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	f, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
		Origin: api.FreezeFuse, Fuse: "production/1", InFlight: api.PauseNow, By: api.BySluice, Reason: "1 of 1", Since: noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Unfreeze(t.Context(), f.Name, "ann", "mended")
	wants(t, err, fault.Refused, "it would go on where it failed, in 1 cluster: c1 (agent-1)", "delete fuse production")
	if _, err := b.passes(f.Name, run.Name, "eve"); err != nil {
		t.Errorf("the fix may pass: %v", err)
	}
	bad.Ended = b.clock.Now()
	if err := b.ledger.NoteOutcome(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Unfreeze(t.Context(), f.Name, "ann", "mended"); err != nil {
		t.Errorf("nothing fails any more: %v", err)
	}
}
