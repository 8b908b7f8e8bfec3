package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testPreImages(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	blob := func(text string) string { return must[string](t)(l.PutBlob(ctx, []byte(text))) }
	before, ours := blob("as somebody had it"), blob("half of it ours")
	image := func(run, object, uid, image string) ledger.PreImage {
		return ledger.PreImage{Run: run, Cluster: "us-9", Subject: api.Component("agent"), Object: object, UID: uid, Image: image, At: at(1)}
	}
	write := func(run, object string) {
		t.Helper()
		w := ledger.Write{
			Run: run, Cluster: "us-9", Subject: api.Component("agent"), Object: object,
			Step: "apply", Intent: "sha256:i", At: at(1),
		}
		ok(t, l.SaveWrite(ctx, w))
	}
	of := func(run string) []ledger.PreImage {
		return must[[]ledger.PreImage](t)(l.ListPreImages(ctx, run, "us-9", api.Component("agent")))
	}
	runsOf := func(run string) []string {
		var runs []string
		for _, w := range must[[]ledger.Write](t)(l.ListEraWrites(ctx, run, "us-9", api.Component("agent"))) {
			runs = append(runs, w.Run)
		}
		return runs
	}
	deploy := func(run string, fence int64) {
		t.Helper()
		ok(t, l.SaveDeployment(ctx, ledger.Deployment{
			Cluster: "us-9", Subject: api.Component("agent"), Version: run, Objects: before, Run: run, Fence: fence, Since: at(1),
		}))
	}

	found, absent := image("agent-1", "/ConfigMap/infra/a", "u-1", before), image("agent-1", "/ConfigMap/infra/b", "", "")
	ok(t, l.SavePreImage(ctx, found))
	ok(t, l.SavePreImage(ctx, absent))
	write("agent-1", found.Object)
	ok(t, l.SavePreImage(ctx, image("agent-1", found.Object, "u-1", ours)))
	ok(t, l.SavePreImage(ctx, image("agent-2", found.Object, "u-1", ours)))
	write("agent-2", found.Object)
	same(t, of("agent-1"), []ledger.PreImage{found, absent}, "the first of an object counts, for a retry and for a second run")
	same(t, of("agent-2"), []ledger.PreImage{found, absent}, "a second run goes back to what the first one found")
	same(t, runsOf("agent-2"), []string{"agent-1", "agent-2"}, "and sees what the first one wrote")
	other := image("agent-2", found.Object, "u-2", ours)
	ok(t, l.SavePreImage(ctx, other))
	same(t, of("agent-2"), []ledger.PreImage{found, absent, other}, "an object made anew by somebody else has one of its own")
	same(t, must[[]ledger.PreImage](t)(l.ListPreImages(ctx, "agent-2", "us-8", api.Component("agent"))), []ledger.PreImage{},
		"another cluster has none")

	deploy("agent-2", 1)
	same(t, of("agent-3"), []ledger.PreImage{}, "a deployment that is recorded opens the next era")
	later := image("agent-3", found.Object, "u-1", ours)
	ok(t, l.SavePreImage(ctx, later))
	write("agent-3", found.Object)
	same(t, of("agent-3"), []ledger.PreImage{later}, "in which the same object has a new pre-image")
	same(t, of("agent-2"), []ledger.PreImage{found, absent, other}, "a run that has ended keeps those of its own era")
	same(t, runsOf("agent-3"), []string{"agent-3"}, "writes of the era before are no part of it")

	ok(t, l.EndPreImages(ctx, "agent-3", "us-9", api.Component("agent"), "agent-4"))
	given := later
	given.TakenBack = "agent-4"
	same(t, of("agent-3"), []ledger.PreImage{given}, "what was given back is marked")
	same(t, of("agent-2"), []ledger.PreImage{found, absent, other}, "an earlier era is not touched by it")
	again := image("agent-5", found.Object, "u-1", before)
	ok(t, l.SavePreImage(ctx, again))
	same(t, of("agent-5"), []ledger.PreImage{given, again}, "after which the next write takes a new one")

	ok(t, l.EndPreImages(ctx, "agent-2", "us-9", api.Component("agent"), "agent-6"))
	for _, run := range []string{"agent-2", "agent-3"} {
		for _, p := range of(run) {
			if p.TakenBack == "" {
				t.Errorf("what was taken since %s began is given back with it, and %s is not", run, p.Object)
			}
		}
	}
	ok(t, l.RemoveDeployment(ctx, "us-9", api.Component("agent"), "agent-6"))
	ok(t, l.SavePreImage(ctx, absent))
	same(t, len(of("agent-7")), 3, "a removed deployment ends no era: what is taken now is not mixed with what was before the first")
	same(t, len(of("agent-1")), 3, "of which nothing is added")

	unknown := image("agent-1", "/ConfigMap/infra/c", "u", ledger.Digest([]byte("?")))
	wantCode(t, l.SavePreImage(ctx, unknown), fault.Invalid, "an image that is not stored")
	wantCode(t, l.SavePreImage(ctx, image("agent-1", "", "u", "")), fault.Invalid, "no object")
}
