package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// member has an agent be known, which says something of clusters.
func (b *bench) member(name, site string, seen time.Time, clusters ...ledger.AgentCluster) {
	b.t.Helper()
	ctx := b.t.Context()
	err := b.ledger.Invite(ctx, ledger.Invitation{ID: name, Agent: name, Site: site, By: "ann", Created: noon, Expires: noon.Add(time.Hour)})
	if err == nil {
		_, err = b.ledger.Enrol(ctx, name, func(_ *ledger.Invitation, a *ledger.Agent) error {
			*a = ledger.Agent{Site: site, Certificates: []string{"1"}, AgentSeen: ledger.AgentSeen{
				Instance: "process", Host: "node-1", Seen: seen, Clusters: clusters,
			}}
			return nil
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Every agent of a site reaches all of its clusters, or nothing is planned for it. A cluster that none reaches is out of reach, which is
// for the run's own budget.
func TestASiteWhereAnAgentReachesNotAll(t *testing.T) {
	well := ledger.AgentCluster{Name: "c1"}
	down := ledger.AgentCluster{Name: "c1", Problem: "connection refused", Down: true}
	unknown := ledger.AgentCluster{Name: "c1", Problem: "there is no context c1"}
	for _, c := range []struct {
		reason string
		agents func(b *bench)
		says   string // "" where it is planned
	}{
		{"nobody knows of any agent", func(*bench) {}, ""},
		{"its only agent reaches it", func(b *bench) { b.member("eu", "eu", noon, well) }, ""},
		{"nobody reaches it", func(b *bench) { b.member("eu", "eu", noon, down) }, ""},
		{"one of two does not", func(b *bench) { b.member("eu", "eu", noon, well); b.member("eu-b", "eu", noon, down) },
			"agent eu-b on node-1 does not reach cluster c1, and agent eu does: connection refused"},
		{"its agent lacks what it takes", func(b *bench) { b.member("eu", "eu", noon, unknown) },
			"agent eu on node-1 does not reach cluster c1: there is no context c1"},
		{"an agent that is not there", func(b *bench) { b.member("eu", "eu", noon.Add(-time.Hour), unknown) }, ""},
		{"an agent of another site", func(b *bench) { b.member("us", "us", noon, ledger.AgentCluster{Name: "x", Problem: "no context"}) }, ""},
		{"a revoked agent", func(b *bench) {
			b.member("eu", "eu", noon, unknown)
			if _, err := b.RevokeAgent(t.Context(), "eu", "ann", "it is gone"); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		b := newBench(t)
		b.write("fleet.yaml", strings.Replace(fleet, "spec: {group: prod}", "spec: {group: prod, site: eu}", 1))
		c.agents(b)
		_, err := b.Plan(t.Context(), engine.PlanRequest{Files: engine.Files{Paths: []string{b.dir}}, Component: "agent", By: "ann"})
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		wants(t, err, fault.Refused, "cannot plan for site eu", c.says)
	}
}

// What agents count stands for a size that the fleet does not say, and a node more does not make another plan.
func TestAnAgentSaysHowLargeAClusterIs(t *testing.T) {
	b := newBench(t)
	before := b.plan().Hash
	b.member("eu", "eu", noon.Add(-time.Hour), ledger.AgentCluster{Name: "c1", Nodes: 4999})
	b.member("eu-b", "eu", noon, ledger.AgentCluster{Name: "c1", Nodes: 4031}, ledger.AgentCluster{Name: "c2", Nodes: 9, Problem: "no"})
	planned := b.plan()
	said := map[string]string{}
	for _, u := range planned.Plan.AllUnits() {
		for _, r := range u.Reasons {
			if r.Name == "size" {
				said[u.Cluster] = r.Value
			}
		}
	}
	if said["c1"] != "about 4000 nodes, as its agent says" || said["c2"] != "not said" || planned.Hash == before {
		t.Errorf("sizes are %q", said)
	}
	b.member("eu-c", "eu", noon, ledger.AgentCluster{Name: "c1", Nodes: 4032})
	if again := b.plan().Hash; again != planned.Hash {
		t.Error("one node more makes another plan")
	}
}

func TestAgentsAreListedByWhetherTheyAreThere(t *testing.T) {
	b := newBench(t)
	b.member("a", "eu", noon)
	b.member("b", "eu", noon.Add(-ledger.AgentBeatsWithin))
	b.member("c", "eu", noon)
	for range 2 {
		gone, err := b.RevokeAgent(t.Context(), "c", "ann", "it was stolen")
		if err != nil || gone.RevokedBy != "ann (unverified)" || len(gone.Certificates) > 0 {
			t.Errorf("%+v (%v)", gone, err)
		}
	}
	all, err := b.Agents(t.Context())
	if err != nil || len(all) != 3 || all[0].State != engine.AgentThere || all[1].State != engine.AgentSilent || all[2].State != engine.AgentRevoked {
		t.Errorf("%+v (%v)", all, err)
	}
	entries, err := b.Audit(t.Context(), "agent c", 10)
	if err != nil || len(entries) != 1 || entries[0].Reason != "it was stolen" {
		t.Errorf("the audit says once who turned it out: %+v (%v)", entries, err)
	}
	_, err = b.RevokeAgent(t.Context(), "d", "ann", "it was stolen")
	wants(t, err, fault.NotFound)
	_, err = b.RevokeAgent(t.Context(), "a", "ann", "")
	wants(t, err, fault.Invalid)
}

// A cluster that has moved to another site is as large as the agents of that one say, whatever was last heard of the old one.
func TestAClusterThatHasLeftASite(t *testing.T) {
	b := newBench(t)
	b.member("eu", "eu", noon, ledger.AgentCluster{Name: "c1", Nodes: 10})
	b.write("fleet.yaml", strings.Replace(fleet, "spec: {group: prod}", "spec: {group: prod, site: us}", 1))
	moved := theFleet()
	moved[1] = fmt.Sprintf(aCluster, "c1", "prod", ", site: us")
	if err := b.keeps(moved...); err != nil {
		t.Fatal(err)
	}
	for _, u := range b.plan().Plan.AllUnits() {
		for _, r := range u.Reasons {
			if u.Cluster == "c1" && r.Name == "size" && r.Value != "not said" {
				t.Errorf("it is %s", r.Value)
			}
		}
	}
}
