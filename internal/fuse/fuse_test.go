package fuse_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fuse"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// box is a ledger with one fuse: 3 of 5 in an hour in production.
type box struct {
	t      *testing.T
	ledger ledger.Ledger
	clock  *testclock.FakeClock
	kept   ledger.Kept
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, ledger: sqlitetest.New(t), clock: testclock.NewFakeClock(noon)}
	f := pipelines.Fuse{Spec: pipelines.FuseSpec{
		Failures: 3, Of: 5, Within: pipelines.Duration(time.Hour), InFlight: pipelines.FusePauseNow,
		Scope: pipelines.FuseScope{Environment: "production"},
	}}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	b.kept, err = b.ledger.Keep(t.Context(), ledger.Kept{Kind: pipelines.KindFuse, Name: "prod", Document: data, By: "ann", At: noon.Add(-24 * time.Hour)}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run opens a run of a component over production clusters p1 to p9 and a canary, c1.
func (b *box) run(component string) ledger.Run {
	b.t.Helper()
	ctx := b.t.Context()
	units := []plan.Unit{{Cluster: "c1", Environment: "canary"}}
	for i := range 9 {
		units = append(units, plan.Unit{Cluster: fmt.Sprintf("p%d", i+1), Environment: "production"})
	}
	p := &plan.Plan{Format: plan.Format, Subject: api.Component(component), Version: "1", Digest: "sha256:d"}
	p.Stages = []plan.StagePlan{{Name: "all", Groups: []plan.Group{{Units: units}}}}
	body, err := plan.Encode(p)
	if err != nil {
		b.t.Fatal(err)
	}
	digest, err := b.ledger.PutBlob(ctx, body)
	if err != nil {
		b.t.Fatal(err)
	}
	hash := plan.Hash(p)
	if err := b.ledger.SavePlan(ctx, ledger.Plan{Hash: hash, Subject: p.Subject, Version: "1", Body: digest, Created: noon, By: "ann"}); err != nil {
		b.t.Fatal(err)
	}
	run, err := b.ledger.NewRun(ctx, ledger.Run{Plan: hash, Subject: p.Subject, Phase: "Moving", Started: b.clock.Now(), By: "ann"})
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

// notes what became of clusters of a run, one a second: "p1" passed, "p1!" failed and stands, "p1!." failed and ended.
func (b *box) notes(run ledger.Run, how ...string) {
	b.t.Helper()
	for _, text := range how {
		b.clock.Step(time.Second)
		o := ledger.Outcome{Run: run.Name, Cluster: strings.TrimRight(text, "!."), Plan: run.Plan}
		o.Passed = !strings.Contains(text, "!")
		if !o.Passed {
			o.Failed = b.clock.Now()
		}
		if !strings.HasSuffix(text, "!") {
			o.Ended = b.clock.Now()
		}
		if err := b.ledger.NoteOutcome(b.t.Context(), o); err != nil {
			b.t.Fatal(err)
		}
	}
}

// trips has so many workers look at once, and returns the freezes that hold.
func (b *box) trips(workers int) []api.Freeze {
	b.t.Helper()
	for range workers {
		if err := (&fuse.Watcher{Ledger: b.ledger, Clock: b.clock}).Look(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
	freezes, _, err := b.ledger.Frozen(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return freezes
}

func TestAFuseTripsOverAllRuns(t *testing.T) {
	b := newBox(t)
	one, two := b.run("agent"), b.run("proxy")
	b.notes(one, "p1!", "c1!", "p2")
	b.notes(two, "p3!.", "p4")
	if held := b.trips(1); len(held) != 0 {
		t.Fatalf("two failed in production, and it tripped: %+v", held)
	}
	b.notes(two, "p5!.")
	held := b.trips(3)
	if len(held) != 1 {
		t.Fatalf("%d freezes of three workers", len(held))
	}
	f := held[0]
	want := "fuse prod: 3 of 5 clusters failed within 1h: p1 (agent-1), p3 (proxy-1), p5 (proxy-1)"
	if f.Origin != api.FreezeFuse || f.Fuse != "prod/1" || f.Scope.Environment != "production" || f.InFlight != api.PauseNow ||
		f.By != api.BySluice || f.Reason != want {
		t.Errorf("it made %+v, and should say %q", f, want)
	}
	entries, err := b.ledger.ListEntries(t.Context(), f.Name, 0)
	if err != nil || len(entries) != 1 || entries[0].Who != api.BySluice || entries[0].Reason != want {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

// TestAFuseCountsClusters: one that fails under three runs has failed once, and one that passed under another has failed all the same.
func TestAFuseCountsClusters(t *testing.T) {
	b := newBox(t)
	one, two, three := b.run("agent"), b.run("proxy"), b.run("dns")
	b.notes(one, "p1!", "p2!")
	b.notes(two, "p1!", "p2")
	b.notes(three, "p1!", "p2")
	still, enough, err := (&fuse.Watcher{Ledger: b.ledger, Clock: b.clock}).Still(t.Context(), b.kept)
	if held := b.trips(1); len(held) != 0 || enough || len(still) != 2 || err != nil {
		t.Fatalf("two clusters failed: %+v; and still %+v, %v", held, still, err)
	}
	b.notes(three, "p3", "p4", "p5", "p1")
	b.notes(two, "p5!")
	held := b.trips(1)
	if want := "fuse prod: 3 of 5 clusters failed within 1h: p1 (dns-1), p2 (agent-1), p5 (proxy-1)"; len(held) != 1 || held[0].Reason != want {
		t.Errorf("it made %+v, and should say %q", held, want)
	}
}

// dies is a ledger whose worker is killed once its fuse has tripped, before it can write that down.
type dies struct{ ledger.Ledger }

func (dies) AddEntry(context.Context, ledger.Entry) error { return errors.New("killed") }

func TestAFuseWhoseWorkerIsKilledIsInTheAudit(t *testing.T) {
	b := newBox(t)
	b.notes(b.run("agent"), "p1!", "p2!", "p3!")
	if err := (&fuse.Watcher{Ledger: dies{b.ledger}, Clock: b.clock}).Look(t.Context()); err == nil {
		t.Fatal("it was to be killed")
	}
	b.clock.Step(time.Second)
	held := b.trips(3)
	if len(held) != 1 {
		t.Fatalf("it made %+v", held)
	}
	entries, err := b.ledger.ListEntries(t.Context(), held[0].Name, 0)
	if err != nil || len(entries) != 1 || !entries[0].At.Equal(held[0].Since) || entries[0].Reason != held[0].Reason {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

func TestAFuseCounts(t *testing.T) {
	for name, c := range map[string]struct {
		how   []string
		then  time.Duration
		trips bool
	}{
		"one bad run is enough":              {[]string{"p1!", "p2!", "p3!"}, 0, true},
		"nothing failed":                     {[]string{"p1", "p2", "p3", "p4"}, 0, false},
		"of another environment":             {[]string{"c1!", "p1!", "p2!"}, 0, false},
		"of the last five only two failed":   {[]string{"p1!.", "p2!.", "p3", "p4", "p5", "p6!"}, 0, false},
		"of the last five three failed":      {[]string{"p1", "p2!.", "p3", "p4", "p5!", "p6!"}, 0, true},
		"what failed too long ago":           {[]string{"p1!", "p2!", "p3!"}, time.Hour, false},
		"just within the time":               {[]string{"p1!", "p2!", "p3!"}, time.Hour - 3*time.Second, true},
		"what failed first and passed later": {[]string{"p1!", "p2!", "p3!", "p1", "p2"}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.notes(b.run("agent"), c.how...)
			b.clock.Step(c.then)
			if held := b.trips(1); (len(held) == 1) != c.trips {
				t.Errorf("%d freezes", len(held))
			}
		})
	}
}

func TestALiftedFuseLooksAtThePresent(t *testing.T) {
	b := newBox(t)
	run := b.run("agent")
	b.notes(run, "p1!", "p2!", "p3!")
	f := b.trips(1)[0]
	still := func() (string, bool) {
		t.Helper()
		all, enough, err := (&fuse.Watcher{Ledger: b.ledger, Clock: b.clock}).Still(t.Context(), b.kept)
		if err != nil {
			t.Fatal(err)
		}
		return fuse.Names(all), enough
	}
	if names, enough := still(); !enough || names != "p1 (agent-1), p2 (agent-1), p3 (agent-1)" {
		t.Errorf("what fails now is %s, %v", names, enough)
	}
	b.notes(run, "p1")
	if names, enough := still(); enough || names != "p2 (agent-1), p3 (agent-1)" {
		t.Errorf("what fails when one has passed is %s, %v", names, enough)
	}
	b.clock.Step(time.Second)
	if _, err := b.ledger.LiftFreeze(t.Context(), f.Name, ledger.Lift{By: "ann", Reason: "mended", At: b.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if held := b.trips(1); len(held) != 0 {
		t.Errorf("what failed before it was lifted trips it again: %+v", held)
	}
	b.notes(run, "p4!", "p5!")
	if held := b.trips(1); len(held) != 0 {
		t.Errorf("two failed since, and it tripped: %+v", held)
	}
	b.notes(run, "p6!")
	if held := b.trips(2); len(held) != 1 || held[0].Fuse != "prod/2" {
		t.Errorf("three failed since: %+v", held)
	}
}

func TestAFuseCountsFromWhenItWasApplied(t *testing.T) {
	b := newBox(t)
	b.notes(b.run("agent"), "p1!", "p2!", "p3!")
	k := b.kept
	k.At, k.Document = b.clock.Now(), []byte(strings.Replace(string(k.Document), `"of":5`, `"of":6`, 1))
	if _, err := b.ledger.Keep(t.Context(), k, 10); err != nil {
		t.Fatal(err)
	}
	if held := b.trips(1); len(held) != 0 {
		t.Errorf("who applies a fuse freezes the fleet for what is known: %+v", held)
	}
}
