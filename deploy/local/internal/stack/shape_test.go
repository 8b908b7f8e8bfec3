package stack

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParsePools(t *testing.T) {
	tests := map[string]struct {
		text   string
		want   []Pool
		fails  string
		reason string
	}{
		"None":       {text: "", reason: "an empty text puts every node into general"},
		"Two":        {text: "canary=4, edge=2", want: []Pool{{"canary", 4}, {"edge", 2}}, reason: "order is kept: the first nodes are the first pool's"},
		"NoNumber":   {text: "canary", fails: "NAME=NODES", reason: "a pool without a size means nothing"},
		"NotANumber": {text: "canary=many", fails: `"many"`, reason: "the message quotes what was typed"},
		"Negative":   {text: "canary=-1", fails: "number of nodes", reason: "a pool cannot have fewer than no nodes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePools(tc.text)
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%s: error %v, want %q in it", tc.reason, err, tc.fails)
				}
				return
			}
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("%s: got %v, %v, want %v", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestDefaultPools(t *testing.T) {
	for nodes, want := range map[int]int{1: 1, 9: 1, 10: 1, 40: 4} {
		if got := DefaultPools(nodes); len(got) != 1 || got[0] != (Pool{"canary", want}) {
			t.Errorf("%d nodes have pools %v, want %d canaries", nodes, got, want)
		}
	}
	if got := DefaultPools(0); got != nil {
		t.Errorf("no nodes have pools %v", got)
	}
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		shape Shape
		fails []string
	}{
		"Defaults":      {shape: Shape{Clusters: DefaultNames(5), Nodes: 40, Pools: DefaultPools(40)}},
		"TemporalAlone": {shape: Shape{}},
		"TwoAlike":      {Shape{Clusters: []string{"a", "a"}}, []string{"given twice"}},
		"Everything": {
			Shape{Clusters: append(DefaultNames(MaxClusters), "B_", strings.Repeat("x", 41)), Nodes: MaxNodes + 1, Pools: []Pool{{GeneralPool, 3000}}},
			[]string{"at most 48", `"B_"`, "xxx", "2000", `"general"`, "3000 nodes into pools"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := tc.shape.Validate()
			if (err != nil) != (len(tc.fails) > 0) {
				t.Fatalf("error %v, want %v", err, tc.fails)
			}
			for _, want := range tc.fails {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestNodesOf(t *testing.T) {
	shape := Shape{Nodes: 5, Pools: []Pool{{"canary", 1}, {"edge", 2}}}
	nodes := shape.NodesOf("hz", 0)
	var got []string
	for _, n := range nodes {
		got = append(got, n.Name+" "+n.Pool+" "+n.Zone)
	}
	want := []string{"hz-node-01 canary a", "hz-node-02 edge b", "hz-node-03 edge c", "hz-node-04 general a", "hz-node-05 general b"}
	if !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
}

func TestPodRangesDoNotOverlap(t *testing.T) {
	shape := Shape{Nodes: MaxNodes}
	seen := map[netip.Prefix]bool{}
	addresses := map[string]bool{}
	services := netip.MustParsePrefix("172.30.0.0/16")
	for _, slot := range []int{0, 1, MaxClusters - 1} {
		for _, n := range shape.NodesOf("c", slot) {
			prefix := netip.MustParsePrefix(n.PodCIDR)
			if prefix != prefix.Masked() || seen[prefix] || !netip.MustParsePrefix("10.0.0.0/8").Contains(prefix.Addr()) {
				t.Fatalf("node %s of slot %d has range %s, which is taken, unaligned or not ours", n.Name, slot, prefix)
			}
			if addresses[n.IP] || services.Contains(netip.MustParseAddr(n.IP)) {
				t.Fatalf("node %s of slot %d has address %s, which is taken", n.Name, slot, n.IP)
			}
			seen[prefix], addresses[n.IP] = true, true
		}
	}
}
