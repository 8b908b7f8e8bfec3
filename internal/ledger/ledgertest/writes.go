package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testWrites(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	a := ledger.Write{
		Run: "agent-1", Cluster: "cn-1", Subject: api.Component("agent"), Object: "apps/DaemonSet/infra/agent",
		Step: "patch", Intent: "sha256:i", At: at(1),
	}
	b := ledger.Write{
		Run: "agent-1", Cluster: "cn-1", Subject: api.Component("agent"), Object: "/ConfigMap/infra/agent",
		Step: "create", Intent: "sha256:j", At: at(2), Created: true,
	}
	elsewhere := a
	elsewhere.Cluster = "cn-2"
	for _, w := range []ledger.Write{a, b, elsewhere} {
		ok(t, l.SaveWrite(ctx, w))
	}
	a.UID, a.ResourceVersion, a.At = "u-1", "77", at(3)
	ok(t, l.SaveWrite(ctx, a))
	all := must[[]ledger.Write](t)(l.ListWrites(ctx, "agent-1", "cn-1"))
	same(t, all, []ledger.Write{a, b}, "the outcome replaces the intent and keeps its place")
	same(t, must[[]ledger.Write](t)(l.ListWrites(ctx, "agent-1", "cn-3")), []ledger.Write{}, "no writes there")
	wantCode(t, l.SaveWrite(ctx, ledger.Write{Run: "agent-1", Cluster: "cn-1", Object: "o"}), fault.Invalid, "a write without a step")

	made := func() []ledger.Write { return must[[]ledger.Write](t)(l.ListMade(ctx, "cn-1", api.Component("agent"))) }
	same(t, made(), []ledger.Write{b}, "what was patched was not made")
	other := b
	other.Subject, other.Object = api.Component("proxy"), "/ConfigMap/infra/proxy"
	ok(t, l.SaveWrite(ctx, other))
	same(t, made(), []ledger.Write{b}, "what another component made is not this one's")
	gone := b
	gone.Run, gone.Step, gone.Created = "agent-2", "delete", false
	ok(t, l.SaveWrite(ctx, gone))
	same(t, made(), []ledger.Write{}, "what was taken away since is not there")
	anew := b
	anew.Run = "agent-3"
	ok(t, l.SaveWrite(ctx, anew))
	same(t, made(), []ledger.Write{anew}, "until it is made anew")
}
