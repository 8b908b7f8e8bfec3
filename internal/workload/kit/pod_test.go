package kit

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestFailureMode_R38_Clocks(t *testing.T) {
	now := time.Now()
	const least = 10 * time.Second
	cases := map[string]struct {
		pod    Pod
		in     time.Duration
		ready  bool
		reason string
	}{
		"not ready":            {Pod{}, 0, false, "it is not up"},
		"being deleted":        {Pod{Ready: true, Deleting: true}, 0, false, "it is on its way out"},
		"seen for long enough": {Pod{Ready: true, readySince: now, seenReady: now.Add(-least)}, 0, true, "our own clock counts"},
		"just seen":            {Pod{Ready: true, readySince: now.Add(-30 * time.Second), seenReady: now}, least, true, "the node's clock may be wrong by that"},
		"clock in the future":  {Pod{Ready: true, readySince: now.Add(time.Hour), seenReady: now.Add(-4 * time.Second)}, 6 * time.Second, true, "the node's clock does not matter"},
		"ready for hours":      {Pod{Ready: true, readySince: now.Add(-time.Hour), seenReady: now}, 0, true, "no clock is that wrong"},
	}
	for name, c := range cases {
		if in, ready := c.pod.AvailableIn(least, now); in != c.in || ready != c.ready {
			t.Errorf("%s: got %v, %v, want %v, %v: %s", name, in, ready, c.in, c.ready, c.reason)
		}
	}
}

func TestNamesOfPodsAndNodes(t *testing.T) {
	pods, nodes := Names([]Pod{{Name: "b", Node: "n1"}, {Name: "a", Node: "n1"}, {Name: "c"}})
	if !slices.Equal(pods, []string{"a", "b", "c"}) || !slices.Equal(nodes, []string{"n1"}) {
		t.Errorf("got %v on %v", pods, nodes)
	}
	var many []Pod
	for i := range mostNames + 5 {
		many = append(many, Pod{Name: fmt.Sprintf("p%03d", i), Node: fmt.Sprintf("n%03d", i)})
	}
	if pods, nodes := Names(many); len(pods) != mostNames || len(nodes) != mostNames {
		t.Errorf("%d pods and %d nodes are named", len(pods), len(nodes))
	}
}
