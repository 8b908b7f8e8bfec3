package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

const (
	aGroup   = "apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: %s}\nspec: {environment: %s}\n---\n"
	aCluster = "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: %s}\nspec: {group: %s%s}\n---\n"
)

// aFleet has racks as failure domains.
const aFleet = "apiVersion: sluice.dev/v1alpha1\nkind: Fleet\nmetadata: {name: all}\nspec: {failureDomains: [rack]}\n---\n"

// keeps has documents be applied for the whole installation.
func (b *bench) keeps(documents ...string) error {
	b.t.Helper()
	other := newBench(b.t)
	other.write("own/fleet.yaml", strings.Join(documents, ""))
	_, err := b.Apply(b.t.Context(), engine.ApplyRequest{
		Files: engine.Files{Paths: []string{filepath.Join(other.dir, "own")}}, By: "eve", Reason: "asked for",
	})
	return err
}

// theFleet is what the files of a bench say, as somebody else applies it.
func theFleet() []string {
	return []string{
		fmt.Sprintf(aGroup, "prod", "production"), fmt.Sprintf(aCluster, "c1", "prod", ""), fmt.Sprintf(aCluster, "c2", "prod", ", context: c2"),
	}
}

// TestFilesPlaceNoClusterElsewhere: once the installation has a fleet, what is sent with a plan does not say where a cluster is.
func TestFilesPlaceNoClusterElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		keeps  []string
		says   []string // none: the plan is made
	}{
		"the same": {reason: "files may repeat it, with what is a default left out", keeps: theFleet()},
		"another group": {
			reason: "a group is where rights are given",
			keeps:  append(theFleet()[:2:2], fmt.Sprintf(aGroup, "staging", "staging"), fmt.Sprintf(aCluster, "c2", "staging", "")),
			says:   []string{"Cluster c2 is another one in the fleet of this installation", "by its spec.group"},
		},
		"another environment": {
			reason: "so is an environment",
			keeps:  append([]string{fmt.Sprintf(aGroup, "prod", "canary")}, theFleet()[1:]...),
			says:   []string{"ClusterGroup prod is another one", "by its spec.environment"},
		},
		"another context": {
			reason: "a cluster of one name in files would be another one in fact",
			keeps:  append(theFleet()[:2:2], fmt.Sprintf(aCluster, "c2", "prod", ", context: other")),
			says:   []string{"by its spec.context"},
		},
		"labels": {
			reason: "scopes select by labels",
			keeps:  append(theFleet()[:2:2], strings.Replace(fmt.Sprintf(aCluster, "c2", "prod", ""), "name: c2", "name: c2, labels: {tier: gold}", 1)),
			says:   []string{"by its metadata.labels"},
		},
		"a cluster that is not in it": {reason: "nobody brings his own", keeps: theFleet()[:2], says: []string{"there is no Cluster c2 in the fleet of this installation"}},
		"what holds for all clusters": {
			reason: "files that say nothing of it go by what is kept",
			keeps:  append(theFleet(), "apiVersion: sluice.dev/v1alpha1\nkind: Fleet\nmetadata: {name: all}\nspec: {environments: [production]}\n"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := b.keeps(c.keeps...); err != nil {
				t.Fatal(err)
			}
			_, err := b.Plan(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
			if len(c.says) == 0 && err != nil {
				t.Errorf("%v: %s", err, c.reason)
			}
			if len(c.says) > 0 {
				wants(t, err, fault.Invalid, append(c.says, b.dir)...)
			}
		})
	}
}

// TestFilesNeedNotSayTheFleet: those of a team hold its pipelines and components.
func TestFilesNeedNotSayTheFleet(t *testing.T) {
	b := newBench(t)
	whole := b.plan()
	_, documents, _ := strings.Cut(fleet, "spec: {group: prod}\n---\n")
	_, documents, _ = strings.Cut(documents, "spec: {group: prod}\n---\n")
	b.write("fleet.yaml", documents)
	if err := b.keeps(theFleet()...); err != nil {
		t.Fatal(err)
	}
	if again := b.plan(); again.Hash != whole.Hash {
		t.Errorf("the plan is another one, of %d clusters", again.Plan.Units())
	}
	docs, err := b.Documents(t.Context(), engine.Files{Paths: []string{b.dir}})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range docs.Files {
		if !strings.HasPrefix(file, b.dir) {
			t.Errorf("%s is among the files", file)
		}
	}
}

// TestAPlanOfAnotherFleetDoesNotStart: rights are looked up by where the plan has its clusters.
func TestAPlanOfAnotherFleetDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		keeps []string
		says  string
	}{
		"moved":           {append(theFleet()[:2:2], fmt.Sprintf(aGroup, "other", "production"), fmt.Sprintf(aCluster, "c2", "other", "")), "c2; plan again"},
		"gone":            {theFleet()[:2], "c2 (is gone); plan again"},
		"other address":   {append(theFleet()[:2:2], fmt.Sprintf(aCluster, "c2", "prod", ", context: x")), "c2; plan again"},
		"other site":      {append(theFleet()[:2:2], fmt.Sprintf(aCluster, "c2", "prod", ", site: x")), "c2; plan again"},
		"other label":     {append([]string{strings.Replace(theFleet()[0], "name: prod", "name: prod, labels: {a: b}", 1)}, theFleet()[1:]...), "c1, c2; plan again"},
		"another domain":  {append(theFleet()[:1:1], aFleet, strings.Replace(theFleet()[1], "name: c1", "name: c1, labels: {rack: r1}", 1), theFleet()[2]), "c1; plan again"},
		"as it was":       {theFleet(), ""},
		"no cluster kept": {theFleet()[:1], "c1 (is gone), c2 (is gone); plan again"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			hash := b.plan().Hash
			if err := b.keeps(c.keeps...); err != nil {
				t.Fatal(err)
			}
			run, err := b.Run(t.Context(), engine.RunRequest{Plan: hash, By: "ann"})
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wants(t, err, fault.Refused, "the fleet of this installation has changed since it was made: "+c.says)
			if run.Name != "" {
				t.Errorf("run %s was made", run.Name)
			}
		})
	}
}

// TestARetryGoesByTheFleetOfToday: a run that failed before its clusters moved elsewhere is not taken up again.
func TestARetryGoesByTheFleetOfToday(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.end(run, api.UnitStatus{Cluster: "c1", Phase: api.PhaseSucceeded}, api.UnitStatus{Cluster: "c2", Phase: api.PhaseFailed})
	if err := b.keeps(append(theFleet()[:2:2], fmt.Sprintf(aCluster, "c2", "prod", ", context: x"))...); err != nil {
		t.Fatal(err)
	}
	_, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "ann"})
	wants(t, err, fault.Refused, "has changed since it was made: c2; plan again")
}

func TestAFleetStaysWhole(t *testing.T) {
	b := newBench(t)
	wants(t, b.keeps(theFleet()[1]), fault.Invalid, "prod")
	if err := b.keeps(append(theFleet(), fmt.Sprintf(aCluster, "c3", "prod", ", after: [c1]"))...); err != nil {
		t.Fatal(err)
	}
	if err := b.keeps(fmt.Sprintf(aCluster, "c4", "prod", "")); err != nil {
		t.Errorf("a cluster of a group that is kept: %v", err)
	}
	wants(t, b.keeps("apiVersion: sluice.dev/v1alpha1\nkind: Fleet\nmetadata: {name: all}\nspec: {environments: [staging]}\n"),
		fault.Invalid, "the fleet has no environment production")
	if err := b.keeps(aFleet); err != nil {
		t.Error(err)
	}
	wants(t, b.keeps(strings.Replace(aFleet, "name: all", "name: other", 1)), fault.Invalid, "there is one Fleet, and it is called all")
	for kind, name := range map[string]string{pipelines.KindClusterGroup: "prod", pipelines.KindCluster: "c1"} {
		_, err := b.Delete(t.Context(), kind, name, "eve", "gone")
		wants(t, err, fault.Refused, "cannot delete "+strings.ToLower(kind)+"/"+name)
	}
	for _, name := range []string{"c3", "c1", "c2", "c4"} {
		if _, err := b.Delete(t.Context(), pipelines.KindCluster, name, "eve", "gone"); err != nil {
			t.Error(err)
		}
	}
	for kind, name := range map[string]string{pipelines.KindClusterGroup: "prod", pipelines.KindFleet: "all"} {
		if _, err := b.Delete(t.Context(), kind, name, "eve", "gone"); err != nil {
			t.Error(err)
		}
	}
	b.plan() // by its own files once more
}

// TestAFleetThatIsAppliedAgain: what is the same is not told again in the audit, and files of other kinds do not repeat the fleet.
func TestAFleetThatIsAppliedAgain(t *testing.T) {
	b := newBench(t)
	for range 2 {
		if err := b.keeps(theFleet()...); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := b.Audit(t.Context(), "", 100)
	if err != nil || len(entries) != 3 {
		t.Errorf("the audit has %d entries: %v", len(entries), err)
	}
	other := newBench(t)
	other.write("own/p.yaml", policy("quiet", "soak: {cluster: 1h}"))
	applied, err := b.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{filepath.Join(other.dir, "own")}}, By: "eve"})
	if err != nil || len(applied) != 1 || applied[0].Kind != pipelines.KindPolicy {
		t.Errorf("applied %+v: %v", applied, err)
	}
}

// TestAFileThatIsCalledAsTheFleet is a file all the same: what it says is held against the fleet.
func TestAFileThatIsCalledAsTheFleet(t *testing.T) {
	b := newBench(t)
	if err := b.keeps(theFleet()...); err != nil {
		t.Fatal(err)
	}
	lie := fmt.Sprintf(aGroup, "mine", "staging") + fmt.Sprintf(aCluster, "c1", "mine", "")
	for _, name := range []string{"the fleet of this installation", "Cluster c1 in the fleet of this installation"} {
		t.Chdir(t.TempDir())
		if err := os.WriteFile(name, []byte(lie), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := b.Documents(t.Context(), engine.Files{Paths: []string{name}})
		wants(t, err, fault.Invalid, name)
	}
}

// TestAFleetThatIsBroken in the ledger, as a newer program or a race may leave it, keeps nothing from being mended, and nothing from going on
// that does not need it.
func TestAFleetThatIsBroken(t *testing.T) {
	b := newBench(t)
	hash := b.plan().Hash
	if err := b.keeps(append(theFleet(), fmt.Sprintf(aGroup, "more", "production"), fmt.Sprintf(aCluster, "c3", "more", ""))...); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Drop(t.Context(), pipelines.KindClusterGroup, "more"); err != nil {
		t.Fatal(err)
	}
	foreign := ledger.Kept{Kind: pipelines.KindCluster, Name: "c4", Document: []byte(`{"metadata":{"name":"c4"},"spec":{"newer":true}}`), By: "eve", At: noon}
	if _, err := b.ledger.Keep(t.Context(), foreign, 10); err != nil {
		t.Fatal(err)
	}
	_, err := b.Plan(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
	wants(t, err, fault.Invalid, "cannot use a part of the fleet of this installation", "Cluster c3 in", "Cluster c4 in", "apply it anew, or delete it")
	if _, err := b.Run(t.Context(), engine.RunRequest{Plan: hash, By: "ann"}); err != nil {
		t.Errorf("a plan of what is whole: %v", err)
	}
	if err := b.applies("quiet", "soak: {cluster: 0s}"); err != nil {
		t.Errorf("a policy: %v", err)
	}
	if err := b.keeps(fmt.Sprintf(aGroup, "more", "production")); err != nil {
		t.Errorf("what is missing: %v", err)
	}
	if _, err := b.Delete(t.Context(), pipelines.KindCluster, "c4", "eve", "nobody can read it"); err != nil {
		t.Errorf("what cannot be read: %v", err)
	}
	if err := b.keeps(strings.Replace(fmt.Sprintf(aCluster, "c3", "more", ""), "{group: more}", "{group: prod}", 1)); err != nil {
		t.Error(err)
	}
	_, err = b.Documents(t.Context(), engine.Files{Paths: []string{b.dir}})
	if err != nil {
		t.Errorf("it is whole again: %v", err)
	}
}

// TestAnApplyIsAllOrNothing: what somebody else changes at the same moment is not overlooked, and nothing is kept by halves.
func TestAnApplyIsAllOrNothing(t *testing.T) {
	b := newBench(t)
	if err := b.keeps(theFleet()...); err != nil {
		t.Fatal(err)
	}
	seen, err := b.ledger.ListKept(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Delete(t.Context(), pipelines.KindCluster, "c2", "eve", "gone"); err != nil {
		t.Fatal(err)
	}
	amend := ledger.Amendment{
		Seen: seen, Drop: []ledger.Kept{{Kind: pipelines.KindClusterGroup, Name: "prod"}}, Most: pipelines.MostKept,
		Keep:    []ledger.Kept{{Kind: pipelines.KindLimit, Name: "x", Document: []byte("{}"), By: "eve", At: noon}},
		Entries: []ledger.Entry{{At: noon, Who: "eve", Command: "apply", Object: "limit/x", Outcome: "created"}},
	}
	_, err = b.ledger.Amend(t.Context(), amend)
	wants(t, err, fault.Conflict, "somebody else")
	entries, err := b.Audit(t.Context(), "limit/x", 0)
	if kept, failed := b.ledger.ListKept(t.Context(), ""); err != nil || failed != nil || len(kept) != 2 || len(entries) != 0 {
		t.Errorf("%d are kept, the audit has %v: %v, %v", len(kept), entries, err, failed)
	}
}

// TestReconcileGoesWhereTheFleetSays, and not where a plan has said once.
func TestReconcileGoesWhereTheFleetSays(t *testing.T) {
	b := newBench(t)
	b.plan()
	if err := b.keeps(append(theFleet()[:2:2], fmt.Sprintf(aCluster, "c2", "prod", ", context: new, site: far"))...); err != nil {
		t.Fatal(err)
	}
	for cluster, want := range map[string]string{"c1": "c1 ", "c2": "new far"} {
		_, _ = b.Reconcile(t.Context(), engine.ReconcileRequest{Component: "agent", Cluster: cluster, Trust: api.TrustCluster, By: "ann", Reason: "x"})
		in, ok := b.temporal.inputs[len(b.temporal.inputs)-1].(api.ReconcileInput)
		if got := in.Context + " " + in.Site; !ok || got != want {
			t.Errorf("%s is at %q, want %q", cluster, got, want)
		}
	}
	_, err := b.Reconcile(t.Context(), engine.ReconcileRequest{Component: "agent", Cluster: "c9", Trust: api.TrustCluster, By: "ann", Reason: "x"})
	wants(t, err, fault.NotFound, "c9")
}
