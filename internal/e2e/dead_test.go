package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/witness"
)

// die takes a node's kubelet away: the simulation lets go of a node whose lease another holds, and says no more that it is
// ready. It comes back at the end of the test.
func (s *site) die(cluster, node string) {
	s.t.Helper()
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	s.kubectl(cluster, "-n", "kube-node-lease", "patch", "lease", node, "--type=merge", "-p",
		`{"spec":{"holderIdentity":"nobody","leaseDurationSeconds":3600,"renewTime":"`+now+`"}}`)
	s.t.Cleanup(func() {
		s.kubectl(cluster, "-n", "kube-node-lease", "delete", "lease", node, "--ignore-not-found")
		s.kubectl(cluster, "patch", "node", node, "--subresource=status", "-p", `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Test"}]}}`)
		for range 600 { // the next test finds no dead node
			if s.kubectl(cluster, "get", "node", node, "-o", "jsonpath={.spec.taints}{.status.conditions[?(@.type=='Ready')].status}") == "True" {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		s.t.Errorf("node %s of cluster %s does not come back", node, cluster)
	})
	time.Sleep(time.Second)
	s.kubectl(cluster, "patch", "node", node, "--subresource=status", "-p", `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Test"}]}}`)
}

// on returns the nodes that have a pod of a tag.
func on(snap witness.Snapshot, tag string) []string {
	var nodes []string
	for _, p := range snap.Pods {
		if p.Tag() == tag && !p.Deleting {
			nodes = append(nodes, p.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

func TestDeadNodesHoldNobodyUp(t *testing.T) {
	s := newSiteOfOutages(t, "deadnodes")
	s.work()
	s.install()
	names := on(s.snapshot("a"), "1.0.0")
	s.declare("two-steps", `
  defaults:
    batches: [1, 100%]
    maxUnavailable: 2
    soak: {batch: 6s}
    checks: [{name: ready, gate: {cel: batch.updatedReady == batch.target}}]
  stages: [{name: canary, clusterGroups: {matchLabels: {environment: canary}}}]
`)
	s.die("a", names[0])
	s.kubectl("a", "cordon", names[3])
	s.t.Cleanup(func() { s.kubectl("a", "uncordon", names[3]) })
	run := s.start("2.0.0", "two-steps")
	s.soaking(run)
	if got := on(s.snapshot("a"), "2.0.0"); !slices.Equal(got, names[1:2]) {
		t.Errorf("the first batch moved %v, want %s alone: a dead node is no canary", got, names[1])
	}
	// The second batch goes under way; a node that dies now is lost to it, and the usual gate holds the unit.
	s.die("a", names[7])
	u := unitOf(s.until(run, "held", time.Minute, func(r api.RunStatus) bool { return phaseOf(r, "a") == api.PhaseHeld }), "a")
	if u.Failure == nil || u.Failure.Name != "max-behind" && u.Failure.Name != "ready" {
		t.Errorf("the unit is held by %+v", u.Failure)
	}
	if got := on(s.snapshot("a"), "2.0.0"); len(got) < nodes-2 {
		t.Errorf("%v have moved, want all but the dead nodes", got)
	}
	var behind []string
	for _, b := range u.Behind {
		for _, n := range b.Nodes {
			behind = append(behind, n.Name)
		}
	}
	if !slices.Equal(behind, []string{names[0], names[7]}) {
		t.Errorf("%v are behind, want the two dead nodes", behind)
	}
	s.suspects(run, names[3]+" was cordoned by kubectl", names[7]+" died: ")
	s.tell(run, api.UpdateRollback, api.Scope{})
	if end := s.ended(run, time.Minute); end.Phase != api.PhaseRolledBack {
		t.Errorf("with dead nodes the rollback ended %s", end.Phase)
	}
	for _, node := range on(s.snapshot("a"), "2.0.0") {
		if node != names[0] && node != names[7] {
			t.Errorf("node %s is alive and still has the new version", node)
		}
	}
}

// suspects waits until something in particular may have broken a run.
func (s *site) suspects(run string, want ...string) {
	s.t.Helper()
	var got []string
	for range 100 { // nobody waits for who looks at the nodes
		all, err := s.engine.Suspects(s.t.Context(), run)
		if err != nil {
			s.t.Fatal(err)
		}
		named := 0
		for _, w := range want {
			if slices.ContainsFunc(all, func(one string) bool { return strings.Contains(one, w) }) {
				named++
			}
		}
		if got = all; named == len(want) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Errorf("suspects are %q, want %q among them", got, want)
}
