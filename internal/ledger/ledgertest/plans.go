package ledgertest

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testPlans(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	body := must[string](t)(l.PutBlob(ctx, []byte("the plan")))
	plan := ledger.Plan{Hash: "sha256:aaaaaa1111", Subject: api.Component("agent"), Version: "1.2.0", Pipeline: "node-agent", Body: body,
		Origin: api.Origin{Repository: "git@example:infra", Commit: "c0ffee", Dirty: true}, Policies: body, Created: at(1), By: "ann"}
	ok(t, l.SavePlan(ctx, plan))
	same(t, must[ledger.Plan](t)(l.Plan(ctx, plan.Hash)), plan, "a plan comes back as it was saved")

	again := plan
	again.Live, again.Created, again.By, again.Version, again.Pipeline, again.Policies = body, at(3), "bob", "9", "other", ""
	ok(t, l.SavePlan(ctx, again))
	want := plan
	want.Live, want.Created, want.By, want.Policies = body, at(3), "bob", ""
	same(t, must[ledger.Plan](t)(l.Plan(ctx, plan.Hash)), want, "saving a hash again replaces Live, Origin, Policies, Created and By only")

	other := ledger.Plan{Hash: "sha256:aaaaaa2222", Subject: api.Component("proxy"), Body: body, Created: at(2)}
	ok(t, l.SavePlan(ctx, other))
	bare := ledger.Plan{Hash: "bbbbbb3333", Subject: api.Component("agent"), Body: body, Created: at(4)}
	ok(t, l.SavePlan(ctx, bare))

	lookups := map[string]struct {
		reason string
		prefix string
		want   string
		code   fault.Code
	}{
		"prefix without algorithm":   {"people copy the hex part", "aaaaaa1", plan.Hash, ""},
		"prefix with algorithm":      {"people copy the whole", "sha256:aaaaaa2", other.Hash, ""},
		"hash that has no algorithm": {"a store does not care what a hash looks like", "bbbbbb", bare.Hash, ""},
		"ambiguous prefix":           {"two plans begin with it", "aaaaaa", "", fault.Conflict},
		"only the algorithm":         {"it says nothing, though it is 7 characters", "sha256:", "", fault.NotFound},
		"short prefix":               {"under 6 characters", "aaaaa", "", fault.NotFound},
		"unknown prefix":             {"nothing begins with it", "cccccc", "", fault.NotFound},
		"wildcards":                  {"a prefix is text, no pattern", "aaaaaa%", "", fault.NotFound},
	}
	for name, c := range lookups {
		got, err := l.Plan(ctx, c.prefix)
		wantCode(t, err, c.code, name+": "+c.reason)
		same(t, got.Hash, c.want, name+": "+c.reason)
	}

	hashes := func(component string, limit int) []string {
		list := must[[]ledger.Plan](t)(l.ListPlans(ctx, api.ParseSubject(component), limit))
		names := []string{}
		for _, p := range list {
			names = append(names, p.Hash)
		}
		return names
	}
	same(t, hashes("", 0), []string{bare.Hash, plan.Hash, other.Hash}, "newest first, no limit")
	same(t, hashes("agent", 1), []string{bare.Hash}, "one component, one row")
	same(t, hashes("nobody", 10), []string{}, "a component without plans")

	missing := ledger.Plan{Hash: "sha256:dddddd", Subject: api.Component("agent"), Body: ledger.Digest([]byte("missing"))}
	wantCode(t, l.SavePlan(ctx, missing), fault.Invalid, "a plan whose body is not stored could never be run")
	wantCode(t, l.SavePlan(ctx, ledger.Plan{Subject: api.Component("agent"), Body: body}), fault.Invalid, "a plan without a hash")
}
