package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

func testObservations(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	o := ledger.Observation{
		Cluster: "cn-2", Subject: api.Component("agent"), Run: "agent-1", Version: "2", NodeSet: "canary", Batch: 2, Updated: 5, Desired: 40,
		Armed: true, Behind: "n1, n2", Seen: at(1),
	}
	ok(t, l.SaveObservation(ctx, o))
	ok(t, l.SaveObservation(ctx, ledger.Observation{Cluster: "cn-2", Subject: api.Component("agent"), Unreachable: true, Seen: at(9)}))
	o.Unreachable = true
	same(t, must[[]ledger.Observation](t)(l.ListObservations(ctx, api.Component("agent"))), []ledger.Observation{o},
		"out of reach keeps what was seen last")
	o.Unreachable, o.Updated, o.Seen = false, 6, at(10)
	ok(t, l.SaveObservation(ctx, o))
	never := ledger.Observation{Cluster: "cn-1", Subject: api.Component("agent"), Version: "2", Unreachable: true}
	ok(t, l.SaveObservation(ctx, never))
	proxy := ledger.Observation{Cluster: "cn-1", Subject: api.Component("proxy"), Version: "3", Seen: at(2)}
	ok(t, l.SaveObservation(ctx, proxy))
	all := must[[]ledger.Observation](t)(l.ListObservations(ctx, api.Component("agent")))
	same(t, all, []ledger.Observation{never, o}, "sorted by cluster; one that was never seen counts too")
	same(t, len(must[[]ledger.Observation](t)(l.ListObservations(ctx, api.Subject{}))), 3, "all components")
}
