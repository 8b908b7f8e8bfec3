package direct_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster"
	"sluice.dev/sluice/activities/store"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/worker/direct"
)

// away is a kubeconfig whose clusters answer nothing.
const away = `{"apiVersion": "v1", "kind": "Config",
	"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
	"contexts": [{"name": "away", "context": {"cluster": "c", "user": ""}}]}`

// night is a ledger with a run of three clusters, to be taken back from places that are given.
func night(t *testing.T, contexts ...string) (ledger.Ledger, direct.Taker, direct.Order, *[]string) {
	t.Helper()
	l := sqlitetest.New(t)
	p := plan.Plan{Format: plan.Format, Subject: api.Component("agent"), Version: "2", Digest: "sha256:2", Stages: []plan.StagePlan{{Name: "all"}}}
	var units []plan.Unit
	var clusters []string
	for i, at := range contexts {
		name := string(rune('a' + i))
		units, clusters = append(units, plan.Unit{Path: "g/" + name, Cluster: name, Context: at, Group: "g"}), append(clusters, name)
	}
	p.Stages[0].Groups = []plan.Group{{Units: units}}
	body, err := plan.Encode(&p)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := l.PutBlob(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	hash := digest[len("sha256:"):]
	if err := l.SavePlan(t.Context(), ledger.Plan{Hash: hash, Subject: p.Subject, Version: "2", Body: digest, Created: time.Now(), By: "ann"}); err != nil {
		t.Fatal(err)
	}
	run, err := l.NewRun(t.Context(), ledger.Run{Plan: hash, Subject: p.Subject, Version: "2", Back: "agent-0", Direct: true, Started: time.Now(), By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(away), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{file}})
	t.Cleanup(pool.Close)
	said := &[]string{}
	taker := direct.Taker{
		Near:    &cluster.Activities{Clusters: pool, Ledger: l, Checks: check.New(), Clock: clock.RealClock{}, Installation: "here"},
		Records: &store.Activities{Ledger: l, Checks: check.New(), Clock: clock.RealClock{}},
		Plans:   l, Clock: clock.RealClock{},
		Said: func(u api.UnitStatus) { *said = append(*said, u.Cluster+" "+string(u.Phase)) },
	}
	return l, taker, direct.Order{Run: run, First: run.Name, Clusters: clusters}, said
}

func TestClustersOutOfReachAreOwed(t *testing.T) {
	l, taker, order, said := night(t, "away", "away", "away")
	for range 2 { // the second time it was killed before the end
		status, err := taker.TakeBack(t.Context(), order)
		if err != nil || status.Phase != api.PhaseFailed || status.Percent != 0 {
			t.Fatalf("it ended %+v, %v", status, err)
		}
		order.Run, err = l.NewRun(t.Context(), order.Run)
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"c RollingBack", "c Unreachable", "b RollingBack", "b Unreachable", "a RollingBack", "a Unreachable"}
	if !slices.Equal((*said)[:6], want) {
		t.Errorf("it said %v, not %v: none of them holds up the next", *said, want)
	}
	seen, err := l.ListObservations(t.Context(), api.Component("agent"))
	if err != nil || len(seen) != 3 || !seen[0].Unreachable {
		t.Errorf("the ledger has seen %+v, %v", seen, err)
	}
	freezes, err := l.ListFreezes(t.Context(), 0)
	if err != nil || len(freezes) != 1 || freezes[0].Scope.Digest != "sha256:2" {
		t.Errorf("it left the freezes %+v, %v", freezes, err)
	}
	if run, err := l.Run(t.Context(), "agent-1"); err != nil || run.Report == "" || run.Ended.IsZero() {
		t.Errorf("the ledger says of the run %+v, %v", run, err)
	}
}

func TestARollbackThatIsToldToEndIsAborted(t *testing.T) {
	_, taker, order, said := night(t, "away", "away", "away")
	ctx, end := context.WithCancel(t.Context())
	hear := taker.Said
	taker.Said = func(u api.UnitStatus) { hear(u); end() } // while the first one is under way
	status, err := taker.TakeBack(ctx, order)
	if err != nil || status.Phase != api.PhaseAborted {
		t.Errorf("it ended %+v, %v", status, err)
	}
	if want := []string{"c RollingBack", "c Aborted"}; !slices.Equal(*said, want) {
		t.Errorf("it said %v, not %v", *said, want)
	}
}

func TestTheSecondClusterThatFailsIsTheLast(t *testing.T) {
	_, taker, order, said := night(t, "nowhere", "nowhere", "nowhere")
	status, err := taker.TakeBack(t.Context(), order)
	if err != nil || status.Phase != api.PhaseFailed || status.Failed != 2 {
		t.Fatalf("it ended %+v, %v", status, err)
	}
	if want := []string{"c RollingBack", "c Failed", "b RollingBack", "b Failed"}; !slices.Equal(*said, want) {
		t.Errorf("it said %v, not %v", *said, want)
	}
}
