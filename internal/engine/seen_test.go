package engine_test

import (
	"slices"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// sees has the next look find an object in each cluster.
func (b *bench) sees(object string) {
	for _, c := range []string{"c1", "c2"} {
		b.clusters[c] = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: object, Action: "patch"}}}
	}
}

// namespaces are those of what was seen.
func (b *bench) namespaces(seen engine.Seen) []string {
	b.t.Helper()
	p, live, err := b.ReadSeen(b.t.Context(), seen)
	if err != nil {
		b.t.Fatal(err)
	}
	return p.Namespaces(live)
}

// Whoever may not have what a look found gets no plan of it, and is asked about before it and after.
func TestAPlanIsAskedAboutOnceMoreWhenItsClustersWereSeen(t *testing.T) {
	b := newBench(t)
	b.sees("ConfigMap/kube-system/a")
	asked := []bool{}
	no := fault.New(fault.Refused, "not there")
	p, err := b.Plan(t.Context(), engine.PlanRequest{
		Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann",
		May: func(p *plan.Plan, live *plan.Live) error {
			asked = append(asked, live != nil)
			if slices.Contains(p.Namespaces(live), "kube-system") {
				return no
			}
			return nil
		},
	})
	if err != no || p != nil {
		t.Errorf("the plan is %v, and it says %v", p, err)
	}
	if !slices.Equal(asked, []bool{false, true}) {
		t.Errorf("asked with what was seen: %v", asked)
	}
}

// A start is asked about with what was seen last, and that is what stays with the run and with whatever is made of it.
func TestARunKeepsWhatWasSeenWhenItWasStarted(t *testing.T) {
	b := newBench(t)
	b.sees("ConfigMap/apps/a")
	hash := b.plan().Hash
	no := fault.New(fault.Refused, "not there")
	if _, err := b.Run(t.Context(), engine.RunRequest{Plan: hash, By: "ann", May: func(p *plan.Plan, live *plan.Live) error {
		if !slices.Equal(p.Namespaces(live), []string{"apps"}) {
			t.Errorf("asked about %v", p.Namespaces(live))
		}
		return no
	}}); err != no {
		t.Errorf("it starts all the same: %v", err)
	}
	run := b.started()
	b.end(run, ended("c1", api.PhaseFailed), ended("c2", api.PhaseSkipped))
	b.sees("ConfigMap/kube-system/a")
	if again := b.plan(); again.Hash != hash {
		t.Fatal("it is another plan")
	}
	if _, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "bob"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{run.Name, "agent-2"} {
		seen, err := b.SeenForRun(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.namespaces(seen); !slices.Equal(got, []string{"apps"}) {
			t.Errorf("%s is about %v after another look", name, got)
		}
	}
	seen, err := b.SeenForPlan(t.Context(), hash[:10])
	if err != nil {
		t.Fatal(err)
	}
	if got := b.namespaces(seen); !slices.Equal(got, []string{"kube-system"}) {
		t.Errorf("the plan is about %v after another look", got)
	}
	old, err := b.ledger.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: api.Component("agent")})
	if err != nil {
		t.Fatal(err)
	}
	if seen, err = b.SeenForRun(t.Context(), old.Name); err != nil || b.namespaces(seen) != nil {
		t.Errorf("of a run from before it is known that it is about %v, %v", b.namespaces(seen), err)
	}
}

// What takes back an ended run touches what that one touched.
func TestARollbackKeepsWhatWasSeenForItsRun(t *testing.T) {
	b := newBench(t)
	b.sees("ConfigMap/apps/a")
	run := b.started()
	b.end(run, moved("c1"), moved("c2"))
	b.sees("ConfigMap/kube-system/a")
	b.plan()
	if _, err := b.Command(t.Context(), run.Name, api.UpdateRollback, api.Command{Who: "bob", Reason: "bad"}); err != nil {
		t.Fatal(err)
	}
	back, err := b.ledger.Run(t.Context(), "agent-2")
	if err != nil || back.Back != run.Name || back.Live != run.Live || back.Live == "" {
		t.Errorf("it goes back as %+v, %v", back, err)
	}
}

// Whoever is denied a plan that is there leaves it to whoever made it, and under its policies: who made it may not let it pass them.
func TestWhoIsDeniedAPlanDoesNotMakeItHis(t *testing.T) {
	b := newBench(t)
	made := b.plan()
	b.sees("ConfigMap/kube-system/a")
	files := engine.Files{Paths: []string{b.dir}}
	no := fault.New(fault.Refused, "not there")
	may := func(_ *plan.Plan, live *plan.Live) error {
		if live == nil {
			return nil
		}
		return no
	}
	if _, err := b.Plan(t.Context(), engine.PlanRequest{Files: files, Component: "agent", By: "bob", May: may}); err != no {
		t.Fatalf("bob is given it: %v", err)
	}
	after, err := b.LoadPlan(t.Context(), made.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if after.Stored.By != made.Stored.By || after.Stored.By == "" || after.Stored.Created != made.Stored.Created {
		t.Errorf("it is %s's of %v now, and was %s's", after.Stored.By, after.Stored.Created, made.Stored.By)
	}
	if got := after.Plan.Namespaces(after.Live); !slices.Equal(got, []string{"kube-system"}) {
		t.Errorf("what was seen last is forgotten: %v", got)
	}
	if _, err = b.Plan(t.Context(), engine.PlanRequest{Files: files, Component: "agent", By: "cid"}); err != nil {
		t.Fatal(err)
	}
	if after, err = b.LoadPlan(t.Context(), made.Hash); err != nil || after.Stored.By == made.Stored.By || after.Live == nil {
		t.Errorf("who may have it does not make it his: %+v, %v", after.Stored, err)
	}
}
