package ledgertest

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testAgents(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	invited := ledger.Invitation{
		ID: "i1", Hash: [32]byte{1, 31: 2}, Agent: "eu-1", Site: "eu", By: "corp:ann", Created: at(1).UTC(), Expires: at(30).UTC(),
	}
	ok(t, l.Invite(ctx, invited))
	wantCode(t, l.Invite(ctx, invited), fault.Conflict, "an ID that is taken")
	wantCode(t, l.Invite(ctx, ledger.Invitation{ID: "i2"}), fault.Invalid, "an invitation of nobody")
	_, err := l.Enrol(ctx, "i3", func(*ledger.Invitation, *ledger.Agent) error { return nil })
	wantCode(t, err, fault.NotFound, "no such invitation")
	_, err = l.Enrol(ctx, "i1", func(i *ledger.Invitation, _ *ledger.Agent) error {
		i.Key = "somebody else's"
		return fault.New(fault.Unauthorized, "no")
	})
	wantCode(t, err, fault.Unauthorized, "who is not let in")

	come := func(key, serial string) (ledger.Agent, error) {
		return l.Enrol(ctx, "i1", func(i *ledger.Invitation, a *ledger.Agent) error {
			if err := i.Take(key, at(2)); err != nil {
				return err
			}
			*a = ledger.Agent{Site: i.Site, Enrolled: at(2).UTC(), EnrolledBy: i.By, Certificates: []string{serial}}
			return nil
		})
	}
	want := ledger.Agent{Name: "eu-1", Site: "eu", Enrolled: at(2).UTC(), EnrolledBy: "corp:ann", Certificates: []string{"s1"}}
	same(t, must[ledger.Agent](t)(come("k1", "s1")), want, "who was refused has used nothing up")
	_, err = come("k2", "s2")
	wantCode(t, err, fault.Unauthorized, "an invitation is for one")
	want.Certificates = []string{"s3"}
	same(t, must[ledger.Agent](t)(come("k1", "s3")), want, "who did not hear the answer asks again")

	_, err = l.ChangeAgent(ctx, "eu-2", func(*ledger.Agent) error { return nil })
	wantCode(t, err, fault.NotFound, "no such agent")
	seen := ledger.AgentSeen{Instance: "a", Host: "node-1", Since: at(3).UTC(), Seen: at(3).UTC(), Clusters: []ledger.AgentCluster{
		{Name: "c1", UID: "u", Version: "v1.37.2", Nodes: 3, Pods: 9, Zones: []string{"z1"}},
	}}
	beat := func(seen ledger.AgentSeen) (ledger.Agent, error) {
		return l.ChangeAgent(ctx, "eu-1", func(a *ledger.Agent) error { return a.Beat(seen) })
	}
	want.AgentSeen = seen
	same(t, must[ledger.Agent](t)(beat(seen)), want, "what it says is kept")
	second := ledger.AgentSeen{Instance: "b", Host: "node-2", Since: at(3).Add(time.Second).UTC(), Seen: at(3).Add(time.Second).UTC()}
	_, err = beat(second)
	wantCode(t, err, fault.Conflict, "a second process")
	same(t, must[[]ledger.Agent](t)(l.ListAgents(ctx)), []ledger.Agent{want}, "has changed nothing")
	second.Seen = at(3).Add(ledger.AgentBeatsWithin).UTC()
	_, err = beat(second)
	ok(t, err)

	shared := func(site, digest string) bool { t.Helper(); return must[bool](t)(l.Shared(ctx, site, digest)) }
	ok(t, l.Share(ctx, "eu"))
	ok(t, l.Share(ctx, "eu", "sha256:1", "sha256:2"))
	ok(t, l.Share(ctx, "eu", "sha256:2"))
	same(t, []bool{shared("eu", "sha256:1"), shared("eu", "sha256:3"), shared("us", "sha256:1")}, []bool{true, false, false},
		"a site reads what was shared with it")
}
