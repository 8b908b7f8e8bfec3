package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testDeployments(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	objects := must[string](t)(l.PutBlob(ctx, []byte("objects")))
	older := must[string](t)(l.PutBlob(ctx, []byte("older objects")))
	one := ledger.Deployment{
		Cluster: "cn-1", Subject: api.Component("agent"), Version: "1", Target: "t1", Objects: older,
		Run: "agent-1", Plan: "p1", Fence: 1, Since: at(1),
	}
	two := ledger.Deployment{
		Cluster: "cn-1", Subject: api.Component("agent"), Version: "2", Target: "t2", Objects: objects,
		Run: "agent-2", Plan: "p2", Fence: 5, Since: at(2),
	}

	_, err := l.Deployment(ctx, "cn-1", api.Component("agent"))
	wantCode(t, err, fault.NotFound, "nothing was deployed yet")
	ok(t, l.SaveDeployment(ctx, one))
	ok(t, l.SaveDeployment(ctx, two))
	same(t, must[ledger.Deployment](t)(l.Deployment(ctx, "cn-1", api.Component("agent"))), two, "the last one is the present one")

	found := ledger.PreImage{Run: "agent-3", Cluster: "cn-1", Subject: api.Component("agent"), Object: "/ConfigMap/infra/agent", At: at(3)}
	ok(t, l.SavePreImage(ctx, found))
	late := two
	late.Since = at(30)
	ok(t, l.SaveDeployment(ctx, late))
	same(t, must[ledger.Deployment](t)(l.Deployment(ctx, "cn-1", api.Component("agent"))), two, "a retry keeps the time since when it runs")
	era := must[[]ledger.PreImage](t)(l.ListPreImages(ctx, "agent-4", "cn-1", api.Component("agent")))
	same(t, era, []ledger.PreImage{found}, "a retry is no deployment of its own: it opens no era")

	stale := one
	stale.Run, stale.Fence = "agent-0", 4
	wantCode(t, l.SaveDeployment(ctx, stale), fault.Conflict, "a run that was fenced off does not come back")
	same(t, must[ledger.Deployment](t)(l.Deployment(ctx, "cn-1", api.Component("agent"))), two, "a refused save changes nothing")

	back := one
	back.Run, back.Fence, back.Since = two.Run, two.Fence, at(4)
	ok(t, l.SaveDeployment(ctx, back))
	same(t, must[ledger.Deployment](t)(l.Deployment(ctx, "cn-1", api.Component("agent"))), back,
		"a run that went back on its way saves what it went back to")

	unknown := ledger.Deployment{Cluster: "cn-1", Subject: api.Component("agent"), Run: "x", Objects: ledger.Digest([]byte("?")), Fence: 9}
	wantCode(t, l.SaveDeployment(ctx, unknown), fault.Invalid,
		"objects that are not stored cannot be gone back to")
	nowhere := ledger.Deployment{Subject: api.Component("agent"), Run: "x", Objects: objects}
	wantCode(t, l.SaveDeployment(ctx, nowhere), fault.Invalid, "no cluster")

	east := ledger.Deployment{
		Cluster: "ap-1", Subject: api.Component("proxy"), Version: "7", Objects: objects, Run: "proxy-1", Fence: 1, Since: at(3),
	}
	east2 := ledger.Deployment{
		Cluster: "ap-1", Subject: api.Component("agent"), Version: "1", Objects: objects, Run: "agent-1", Fence: 1, Since: at(3),
	}
	ok(t, l.SaveDeployment(ctx, east))
	ok(t, l.SaveDeployment(ctx, east2))
	list := func(cluster, component string) []ledger.Deployment {
		return must[[]ledger.Deployment](t)(l.ListDeployments(ctx, cluster, api.ParseSubject(component)))
	}
	same(t, list("", ""), []ledger.Deployment{east2, east, back}, "sorted by cluster and component")
	same(t, list("ap-1", ""), []ledger.Deployment{east2, east}, "one cluster")
	same(t, list("", "agent"), []ledger.Deployment{east2, back}, "one component")
	same(t, list("ap-1", "nothing"), []ledger.Deployment{}, "nothing there")

	past := must[ledger.Deployment](t)(l.PastDeployment(ctx, "cn-1", api.Component("agent"), "t2"))
	same(t, past, two, "what ran before is known still")
	same(t, must[ledger.Deployment](t)(l.PastDeployment(ctx, "cn-1", api.Component("agent"), "t1")), back, "the latest of several")
	_, err = l.PastDeployment(ctx, "ap-1", api.Component("agent"), "t2")
	wantCode(t, err, fault.NotFound, "it ran elsewhere")

	ok(t, l.RemoveDeployment(ctx, "ap-1", api.Component("proxy"), "proxy-1"))
	ok(t, l.RemoveDeployment(ctx, "ap-1", api.Component("proxy"), "proxy-1"))
	_, err = l.Deployment(ctx, "ap-1", api.Component("proxy"))
	wantCode(t, err, fault.NotFound, "it was taken back")
	ok(t, l.SaveDeployment(ctx, east))
	same(t, must[ledger.Deployment](t)(l.Deployment(ctx, "ap-1", api.Component("proxy"))), east, "what was taken back can be deployed again")
}
