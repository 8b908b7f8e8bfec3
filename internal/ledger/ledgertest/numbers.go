package ledgertest

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

func testNumbers(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	run := func(started time.Time) ledger.Run {
		return must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent"), Phase: "Pending", Started: started}))
	}
	first, second, over := run(at(1)), run(at(2)), run(at(3))
	over.Phase, over.Ended = "Failed", at(4)
	ok(t, l.SaveRun(ctx, over))

	moved := func(name string) time.Time {
		t.Helper()
		for _, o := range must[[]ledger.OpenRun](t)(l.OpenRuns(ctx, 0)) {
			if o.Name == name {
				return o.Moved
			}
		}
		t.Fatalf("%s is not open", name)
		return time.Time{}
	}
	same(t, moved(first.Name), at(1), "a run that did nothing has begun")
	o := ledger.Observation{Cluster: "a", Subject: first.Subject, Run: first.Name, NodeSet: "all", Batch: 1, Updated: 1, Seen: at(10)}
	ok(t, l.SaveObservation(ctx, o))
	same(t, moved(first.Name), at(10), "a cluster was begun")
	o.Seen = at(20)
	ok(t, l.SaveObservation(ctx, o))
	same(t, moved(first.Name), at(10), "a look at what stands still is no progress")
	ok(t, l.SaveObservation(ctx, ledger.Observation{Cluster: "a", Subject: first.Subject, Run: first.Name, Unreachable: true, Seen: at(25)}))
	same(t, moved(first.Name), at(10), "nor is a cluster out of reach")
	for i, change := range []func(){
		func() { o.Updated = 2 }, func() { o.Batch = 2 }, func() { o.NodeSet = "rest" }, func() { o.Version = "2" },
	} {
		change()
		o.Seen = at(30 + i)
		ok(t, l.SaveObservation(ctx, o))
		same(t, moved(first.Name), at(30+i), "what has moved is progress")
	}
	ok(t, l.AddEntry(ctx, ledger.Entry{At: at(40), Who: "ann", Command: "resume", Object: first.Name, Outcome: "accepted"}))
	same(t, moved(first.Name), at(40), "and so is what somebody tells it")
	same(t, moved(second.Name), at(2), "another run is another run")
	same(t, must[[]ledger.OpenRun](t)(l.OpenRuns(ctx, 1))[0].Run, first, "oldest first, bounded, whole")

	for _, name := range []string{first.Name, second.Name} {
		refused := ledger.Entry{At: at(41), Who: "bob", Command: "resume", Object: name, Outcome: ledger.Refused + "it has ended as " + name}
		ok(t, l.AddEntry(ctx, refused))
	}
	same(t, must[[]ledger.Counted](t)(l.CountEntries(ctx)), []ledger.Counted{
		{Command: "resume", Entries: 1}, {Command: "resume", Refused: true, Entries: 2},
	}, "refusals are counted whatever they say")
	same(t, must[map[string]int](t)(l.CountEnded(ctx)), map[string]int{"Failed": 1}, "open runs have not ended")
	testLastDeployed(t, l)
	if size := must[int64](t)(l.Size(ctx)); size < 1 {
		t.Errorf("the ledger takes %d bytes", size)
	}
}

func testLastDeployed(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	same(t, len(must[[]ledger.Deployed](t)(l.LastDeployed(ctx, 10))), 0, "nothing was deployed")
	objects := must[string](t)(l.PutBlob(ctx, []byte("objects")))
	for i, d := range []ledger.Deployment{{Cluster: "a"}, {Cluster: "b"}, {Cluster: "a"}, {Cluster: "c"}} {
		d.Subject, d.Objects, d.Run, d.Fence, d.Since = api.Component("agent"), objects, "agent-"+d.Cluster, int64(i+1), at(50+i)
		d.Target = d.Since.String()
		ok(t, l.SaveDeployment(ctx, d))
	}
	last := func(cluster string, i int) ledger.Deployed {
		return ledger.Deployed{Cluster: cluster, Subject: api.Component("agent"), At: at(50 + i)}
	}
	all := []ledger.Deployed{last("c", 3), last("a", 2), last("b", 1)}
	same(t, must[[]ledger.Deployed](t)(l.LastDeployed(ctx, 10)), all, "each cluster once, newest first")
	same(t, must[[]ledger.Deployed](t)(l.LastDeployed(ctx, 2)), all[:2], "bounded")
}
