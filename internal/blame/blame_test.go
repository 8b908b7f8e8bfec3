package blame_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func ago(minutes int) time.Time { return noon.Add(-time.Duration(minutes) * time.Minute) }

// TestTheMostLikelyIsFirst: each row goes before all that stand below it, whatever their order was.
func TestTheMostLikelyIsFirst(t *testing.T) {
	agent, proxy := api.Component("agent"), api.Component("proxy")
	scene := blame.Scene{At: noon, Run: "agent-2", Component: agent, Cluster: "c1", Nodes: []string{"n1", "n2"}}
	run := func(name string, of api.Subject, cluster string, from, until int, nodes ...string) blame.Touch {
		b := blame.Touch{Kind: blame.Run, Run: name, Component: of, Cluster: cluster, At: ago(from), Nodes: nodes}
		if until >= 0 {
			b.Until = ago(until)
		}
		return b
	}
	domain := run("proxy-9", proxy, "c2", 10, 1)
	domain.Domain = "rack=r7"
	rows := []struct {
		touch blame.Touch
		why   string
	}{
		{run("agent-2", agent, "c1", 20, -1, "n1"), "it is the run's own change; under way since 20m0s before"},
		{run("agent-1", agent, "c1", 90, 80, "n2", "n9"), "same component, same nodes: n2; 1h20m0s before"},
		{run("proxy-4", proxy, "c1", 119, -1, "n1", "n2"), "another component, same nodes: n1, n2; under way since 1h59m0s before"},
		{blame.Touch{Kind: blame.Node, Cluster: "c1", Nodes: []string{"n1"}, At: ago(2), Until: ago(2)}, "no component, same nodes: n1; 2m0s before"},
		{run("proxy-3", proxy, "c1", 9, 5, "n1"), "another component, same nodes: n1; 5m0s before"},
		{blame.Touch{Kind: blame.Drift, Component: agent, Cluster: "c1", At: ago(1), Until: ago(1)}, "same component and cluster; 1m0s before"},
		{run("agent-0", agent, "c1", 9, 7, "n8"), "same component and cluster, other nodes; 7m0s before"},
		{run("dns-2", api.Component("dns"), "c1", 8, 0), "same cluster, another component; under way then"},
		{run("dns-3", api.Component("dns"), "c1", 60, -1), "same cluster, another component; under way since 1h0m0s before"},
		{run("dns-1", api.Component("dns"), "c1", 8, 6), "same cluster, another component; 6m0s before"},
		{domain, "same failure domain: rack=r7; 1m0s before"},
	}
	var touches []blame.Touch
	var want, got []string
	for _, r := range rows {
		touches, want = append(touches, r.touch), append(want, r.why)
	}
	slices.Reverse(touches)
	suspects, more := blame.Rank(scene, touches)
	for _, s := range suspects {
		got = append(got, s.Why)
	}
	if diff := cmp.Diff(want, got); diff != "" || more != 0 {
		t.Errorf("%d more (-want +got):\n%s", more, diff)
	}
}

func TestWhatCannotHaveBrokenItIsNotNamed(t *testing.T) {
	scene := blame.Scene{At: noon, Run: "agent-2", Component: api.Component("agent"), Cluster: "c1"}
	for reason, touch := range map[string]blame.Touch{
		"it began afterwards":             {Cluster: "c1", At: noon.Add(time.Second)},
		"it was over long before":         {Cluster: "c1", At: ago(200), Until: noon.Add(-blame.LookBack - time.Second)},
		"it was in a cluster far from it": {Cluster: "c2", At: ago(2), Until: ago(1)},
	} {
		if got, _ := blame.Rank(scene, []blame.Touch{touch}); len(got) != 0 {
			t.Errorf("%s: %v", reason, got)
		}
	}
	if got, _ := blame.Rank(scene, []blame.Touch{{Cluster: "c1", At: ago(300)}}); len(got) != 1 {
		t.Error("what began long before and goes on is not named")
	}
}

func TestSuspectsAreBounded(t *testing.T) {
	var many []blame.Touch
	for i := range blame.Most + 5 {
		many = append(many, blame.Touch{Kind: blame.Drift, Cluster: "c1", At: ago(i), Until: ago(i), What: fmt.Sprint(i)})
	}
	got, more := blame.Rank(blame.Scene{At: noon, Cluster: "c1"}, many)
	if len(got) != blame.Most || more != 5 || got[0].What != "0" {
		t.Errorf("it names %d and %d more, first %v", len(got), more, got[0])
	}
}

func TestASuspectIsOneLine(t *testing.T) {
	s := blame.Suspect{Why: "same cluster", Touch: blame.Touch{
		Kind: blame.Run, Run: "proxy-3", Component: api.Component("proxy"), Version: "1.2", Cluster: "c1", What: "prod/c1: Moving",
	}}
	if got := s.String(); got != "proxy-3 (proxy 1.2) in c1: prod/c1: Moving; same cluster" {
		t.Error(got)
	}
	s.Run, s.Kind, s.What = "", blame.Node, "n1 was cordoned"
	if got := s.String(); !strings.HasPrefix(got, "node in c1: n1 was cordoned; ") {
		t.Error(got)
	}
}
