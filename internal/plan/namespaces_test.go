package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/api"
)

// twoClusters is a plan of the clusters a and b.
var twoClusters = &Plan{Stages: []StagePlan{{Groups: []Group{{Units: []Unit{{Cluster: "a"}}}, {Units: []Unit{{Cluster: "b"}}}}}}}

// sees is what was seen in a cluster.
func sees(cluster string, objects ...string) ClusterDiff {
	c := ClusterDiff{Cluster: cluster}
	for _, o := range objects {
		c.Objects = append(c.Objects, Object{Object: o, Action: "unchanged"})
	}
	return c
}

func TestNamespacesOfAPlan(t *testing.T) {
	away, refuses := ClusterDiff{Cluster: "b", Unreachable: "no route"}, sees("b", "ConfigMap/x/a")
	refuses.Refusals = []api.Refusal{{Rule: api.RuleRender}}
	refusesOne := sees("b", "ConfigMap/x/a")
	refusesOne.Refusals = []api.Refusal{{Rule: api.RuleDriver, Object: "CloneSet/y/a"}}
	beside, besideNone := sees("b", "ConfigMap/x/a"), sees("b", "ConfigMap/x/a")
	beside.Beside, besideNone.Beside = []string{"old"}, []string{""}
	for name, c := range map[string]struct {
		reason string
		live   *Live
		want   []string
	}{
		"nobody looked":        {"it may be any", nil, nil},
		"of all clusters":      {"each once, sorted", &Live{Clusters: []ClusterDiff{sees("a", "ConfigMap/x/a", "Secret/x/b"), sees("b", "ConfigMap/w/a")}}, []string{"w", "x"}},
		"nothing in one":       {"nothing goes anywhere there", &Live{Clusters: []ClusterDiff{sees("a"), sees("b", "ConfigMap/x/a")}}, []string{"x"}},
		"nothing at all":       {"an empty list would be about nothing", &Live{Clusters: []ClusterDiff{sees("a"), sees("b")}}, nil},
		"a cluster is missing": {"nobody knows what goes there", &Live{Clusters: []ClusterDiff{sees("a", "ConfigMap/x/a")}}, nil},
		"another cluster": {
			"it is none of the plan's", &Live{Clusters: []ClusterDiff{sees("a", "ConfigMap/x/a"), sees("b", "ConfigMap/x/a"), sees("c", "ConfigMap/y/a")}},
			[]string{"x"},
		},
		"a cluster is away": {"nobody knows what goes there", &Live{Clusters: []ClusterDiff{sees("a", "ConfigMap/x/a"), away}}, nil},
		"a cluster refuses an object": {
			"whoever may look at it is to read why", &Live{Clusters: []ClusterDiff{sees("a"), refusesOne}}, []string{"x", "y"},
		},
		"a cluster refuses all":      {"nobody knows what goes there", &Live{Clusters: []ClusterDiff{sees("a", "ConfigMap/x/a"), refuses}}, nil},
		"in no namespace":            {"namespaces do not hold it", &Live{Clusters: []ClusterDiff{sees("a", "ConfigMap/x/a"), sees("b", "ClusterRole/a")}}, nil},
		"beside the objects":         {"a way back goes there", &Live{Clusters: []ClusterDiff{sees("a"), beside}}, []string{"old", "x"}},
		"beside, in no namespace":    {"a way back goes there", &Live{Clusters: []ClusterDiff{sees("a"), besideNone}}, nil},
		"a name with too many parts": {"nobody knows what it is", &Live{Clusters: []ClusterDiff{sees("a"), sees("b", "A/x/b/c")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, twoClusters.Namespaces(c.live)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestOutsideOfNamespaces(t *testing.T) {
	c := sees("a", "ConfigMap/x/a", "Secret/y/b", "ClusterRole/c")
	c.Beside = []string{"x", "old", ""}
	if no := c.Outside(nil); no != nil {
		t.Errorf("where everything is allowed it refuses %v", no)
	}
	var got []string
	for _, no := range c.Outside([]string{"x"}) {
		if no.Rule != api.RuleNamespace {
			t.Errorf("it refuses by %s", no.Rule)
		}
		got = append(got, no.Object)
	}
	if diff := cmp.Diff([]string{"Secret/y/b", "ClusterRole/c", "", ""}, got); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if no := c.Outside([]string{}); len(no) != 6 {
		t.Errorf("where nothing is allowed it lets something through: %v", no)
	}
}

// TestWhatWasSeenIsNotOutside holds that a run is refused nothing that it was asked about.
func TestWhatWasSeenIsNotOutside(t *testing.T) {
	objects := []string{"ConfigMap/x/a", "Secret/y/b", "ConfigMap/z/c", "ClusterRole/d"}
	rapid.Check(t, func(t *rapid.T) {
		live := &Live{}
		for _, name := range []string{"a", "b"} {
			c := sees(name, rapid.SliceOfN(rapid.SampledFrom(objects), 0, 3).Draw(t, "objects")...)
			c.Beside = rapid.SliceOfN(rapid.SampledFrom([]string{"x", "w", ""}), 0, 1).Draw(t, "beside")
			live.Clusters = append(live.Clusters, c)
		}
		all := twoClusters.Namespaces(live)
		for i := range live.Clusters {
			if no := live.Clusters[i].Outside(all); len(no) > 0 {
				t.Fatalf("of %v it refuses %v", all, no)
			}
		}
		other := sees("a", "ConfigMap/elsewhere/a")
		if all != nil && (slices.Contains(all, "") || len(other.Outside(all)) != 1) {
			t.Fatalf("%v lets through what is elsewhere", all)
		}
	})
}
