package ledgertest

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testOutcomes(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	list := must[[]ledger.Outcome](t)
	run := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "sha256:a", Subject: api.Component("agent"), Started: at(0)}))
	note := func(cluster string, failed, ended time.Time, passed bool) {
		t.Helper()
		ok(t, l.NoteOutcome(ctx, ledger.Outcome{
			Run: run.Name, Cluster: cluster, Plan: "sha256:a", Failed: failed.UTC(), Ended: ended.UTC(), Passed: passed,
		}))
	}
	clusters := func(all []ledger.Outcome, err error) (names []string) {
		t.Helper()
		for _, o := range list(all, err) {
			name := o.Cluster
			if !o.Failed.IsZero() {
				name += " failed"
			}
			names = append(names, name)
		}
		return names
	}
	var never time.Time
	note("c1", never, at(1), true)
	same(t, clusters(l.ListOutcomes(ctx, at(0))), []string(nil), "nothing failed, so nothing is to be counted")
	note("c2", at(2), never, false)
	note("c3", never, at(3), false) // somebody has ended it
	same(t, clusters(l.ListOutcomes(ctx, at(0))), []string{"c2 failed", "c1"}, "what failed or passed counts, the newest first")
	same(t, clusters(l.ListOutcomes(ctx, at(2))), []string(nil), "what counts at a time does not count after it")
	same(t, clusters(l.Failing(ctx)), []string{"c2 failed"}, "what stands where it failed")
	note("c2", at(4), at(5), true)
	want := ledger.Outcome{Run: run.Name, Cluster: "c2", Plan: "sha256:a", Failed: at(2).UTC(), Ended: at(5).UTC()}
	same(t, list(l.ListOutcomes(ctx, at(1))), []ledger.Outcome{want}, "it failed when it did, whatever it came to")
	same(t, clusters(l.Failing(ctx)), []string(nil), "it does not fail any more")
	note("c1", at(6), at(6), false)
	same(t, clusters(l.ListOutcomes(ctx, at(5))), []string{"c1 failed"}, "what passed and failed later counts when it failed")
	note("c4", at(7), never, false)
	run.Phase, run.Ended = "Failed", at(8)
	ok(t, l.SaveRun(ctx, run))
	same(t, clusters(l.Failing(ctx)), []string(nil), "a run that has ended stands nowhere")
	note("c5", at(9).Add(ledger.OutcomesFor), never, false)
	same(t, clusters(l.ListOutcomes(ctx, at(0))), []string{"c5 failed"}, "what is old is forgotten")
	wantCode(t, l.NoteOutcome(ctx, ledger.Outcome{Run: "agent-1", Cluster: "c1"}), fault.Invalid, "of no plan")
	run = must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "sha256:a", Subject: api.Component("agent"), Started: at(0), Drill: "crash/1"}))
	note("c6", at(10).Add(ledger.OutcomesFor), never, false)
	same(t, clusters(l.ListOutcomes(ctx, at(0))), []string{"c5 failed"}, "a drill is meant to fail")

	fuse := api.Freeze{Origin: api.FreezeFuse, Fuse: "production/1", InFlight: api.PauseNow, By: "sluice", Reason: "x", Since: at(1)}
	made := must[api.Freeze](t)(l.AddFreeze(ctx, fuse))
	same(t, made.Fuse, "production/1", "a freeze says which fuse tripped")
	same(t, must[api.Freeze](t)(l.AddFreeze(ctx, fuse)).Name, made.Name, "a fuse trips once")
	fuse.Fuse = "production/2"
	if again := must[api.Freeze](t)(l.AddFreeze(ctx, fuse)); again.Name == made.Name {
		t.Error("the next time it makes another freeze")
	}
	fuse.Fuse = ""
	_, err := l.AddFreeze(ctx, fuse)
	wantCode(t, err, fault.Invalid, "a freeze of no fuse")
}
