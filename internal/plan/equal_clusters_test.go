package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sightOf is what was seen in a cluster of a region: a diff, and its text to be grouped by.
func sightOf(cluster, region, diff string) *sight {
	u := &Unit{Cluster: cluster, Group: "prod", Environment: "production", Region: region}
	return &sight{ClusterDiff: &ClusterDiff{Cluster: cluster}, diff: diff, steads: steadsOf(u, diff)}
}

func diffOf(s *sight) string { return s.diff }

func TestClustersThatAreAlike(t *testing.T) {
	const (
		named   = "+ ConfigMap/infra/agent-%s\n  replaces ConfigMap/infra/agent-%s\n- /data/cluster: \"old\"\n+ /data/cluster: %q\n~ DaemonSet/infra/agent\n- /spec/volume: \"agent-%[2]s\"\n+ /spec/volume: \"agent-%[1]s\"\n"
		chart   = "~ Deployment/infra/agent\n+ /spec/template/metadata/annotations/checksum~1config: %q\n"
		secrets = "+ Secret/infra/agent-%s\n+ data:\n+   password: '***'\n"
	)
	for name, c := range map[string]struct {
		reason string
		seen   []*sight
		groups []string // the clusters of each
		text   []string // what the groups print, where that matters
	}{
		"the cluster's name in a configuration": {
			reason: "the names of objects and the digests that follow from it differ too",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", fmt.Sprintf(named, "aaaaaaaaa1", "bbbbbbbbb1", "prod-eu-1")),
				sightOf("prod-eu-2", "eu", fmt.Sprintf(named, "aaaaaaaaa2", "bbbbbbbbb2", "prod-eu-2")),
				sightOf("prod-us-1", "us", fmt.Sprintf(named, "aaaaaaaaa3", "bbbbbbbbb3", "prod-us-1")),
			},
			groups: []string{"prod-eu-1 prod-eu-2 prod-us-1"},
			text:   []string{fmt.Sprintf(named, "<digest>", "<digest before>", "<cluster>")},
		},
		"a value that is not the place's": {
			reason: "what really differs stays apart",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", "+ /data/a: \"prod-eu-1 10s\"\n"), sightOf("prod-eu-2", "eu", "+ /data/a: \"prod-eu-2 20s\"\n"),
			},
			groups: []string{"prod-eu-1", "prod-eu-2"},
		},
		"the name of another cluster": {
			reason: "a cluster that speaks of another does not speak of itself",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", "+ /data/hub: \"prod-eu-2\"\n"), sightOf("prod-eu-2", "eu", "+ /data/hub: \"prod-eu-1\"\n"),
			},
			groups: []string{"prod-eu-1", "prod-eu-2"},
		},
		"all speak of one cluster, which is one of them": {
			reason: "equal texts are one group, whatever the texts say",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", "+ /data/hub: \"prod-eu-1\"\n"), sightOf("prod-eu-2", "eu", "+ /data/hub: \"prod-eu-1\"\n"),
				sightOf("prod-eu-3", "eu", "+ /data/hub: \"prod-eu-3\"\n"),
			},
			groups: []string{"prod-eu-1 prod-eu-2", "prod-eu-3"},
			text:   []string{"+ /data/hub: \"prod-eu-1\"\n", "+ /data/hub: \"prod-eu-3\"\n"},
		},
		"a name that begins another": {
			reason: "only whole words are the place's",
			seen: []*sight{
				sightOf("prod-1", "eu", "+ /data/a: \"prod-10\"\n"), sightOf("prod-2", "eu", "+ /data/a: \"prod-20\"\n"),
			},
			groups: []string{"prod-1", "prod-2"},
		},
		"clusters that are called by numbers": {
			reason: "three replicas in cluster 3 are not the cluster's name",
			seen:   []*sight{sightOf("3", "eu", "+ /spec/replicas: 3\n"), sightOf("4", "eu", "+ /spec/replicas: 4\n")},
			groups: []string{"3", "4"},
		},
		"what all share": {
			reason: "a value is printed where it is the same for all of a group",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", "+ /data/a: \"eu/prod-eu-1\"\n"), sightOf("prod-eu-2", "eu", "+ /data/a: \"eu/prod-eu-2\"\n"),
			},
			groups: []string{"prod-eu-1 prod-eu-2"},
			text:   []string{"+ /data/a: \"eu/<cluster>\"\n"},
		},
		"a chart's checksum": {
			reason: "it follows from what is shown",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", fmt.Sprintf(chart, strings.Repeat("a", 64))), sightOf("prod-eu-2", "eu", fmt.Sprintf(chart, strings.Repeat("b", 64))),
			},
			groups: []string{"prod-eu-1 prod-eu-2"},
		},
		"a Secret": {
			reason: "its digest is all that tells that it differs",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", fmt.Sprintf(secrets, "aaaaaaaaa1")), sightOf("prod-eu-2", "eu", fmt.Sprintf(secrets, "aaaaaaaaa2")),
			},
			groups: []string{"prod-eu-1", "prod-eu-2"},
		},
		"the checksum of a Secret": {
			reason: "as above",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", "~ Secret/infra/agent\n"+fmt.Sprintf(chart, strings.Repeat("a", 64))),
				sightOf("prod-eu-2", "eu", "~ Secret/infra/agent\n"+fmt.Sprintf(chart, strings.Repeat("b", 64))),
			},
			groups: []string{"prod-eu-1", "prod-eu-2"},
		},
		"a configuration that has our word": {
			reason: "it is not taken for a cluster's name",
			seen: []*sight{
				sightOf("prod-eu-1", "eu", "+ /data/a: \"<cluster>\"\n"), sightOf("prod-eu-2", "eu", "+ /data/a: \"prod-eu-2\"\n"),
			},
			groups: []string{"prod-eu-1", "prod-eu-2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var groups, texts []string
			for _, g := range groupAlike(c.seen, diffOf) {
				groups, texts = append(groups, strings.Join(g.clusters, " ")), append(texts, g.text)
			}
			if !slices.Equal(groups, c.groups) {
				t.Errorf("groups are %q, want %q: %s", groups, c.groups, c.reason)
			}
			if c.text != nil && !slices.Equal(texts, c.text) {
				t.Errorf("they print %q, want %q: %s", texts, c.text, c.reason)
			}
		})
	}
}

// A group hides nothing: with each cluster's own values put back, its text is what that cluster's was, and clusters of
// equal texts are never told apart.
func TestAGroupHidesNothing(t *testing.T) {
	words := rapid.SampledFrom([]string{
		"prod-eu-1", "prod-eu-2", "prod", "eu", "us", "1", "10", "-", "/", " ", "\n", "<cluster>", "<", "cluster", ">", "no", "production",
		"+ ConfigMap/ns/agent-prod-eu-1-0123456789\n", "+ ConfigMap/ns/agent-0123456789\n", "  replaces ConfigMap/ns/agent-abcdefabcd\n",
		"agent-0123456789", "-<digest>", "checksum/config: " + strings.Repeat("ab", 32) + "\n",
	})
	rapid.Check(t, func(rt *rapid.T) {
		var seen []*sight
		for i := range rapid.IntRange(1, 5).Draw(rt, "clusters") {
			cluster := rapid.SampledFrom([]string{"prod-eu-1", "prod-eu-2", "eu", "1", "prod"}).Draw(rt, "cluster")
			region := rapid.SampledFrom([]string{"", "eu", "us", "prod", "no"}).Draw(rt, "region")
			text := strings.Join(rapid.SliceOfN(words, 1, 6).Draw(rt, "text"), "")
			if i > 0 && rapid.Bool().Draw(rt, "again") {
				text = seen[0].diff
			}
			seen = append(seen, sightOf(cluster, region, text))
		}
		of := map[*sight]*alike{}
		for _, g := range groupAlike(seen, diffOf) {
			for _, s := range g.members {
				of[s] = g
				if got := s.steads.out(g.text); g.differ && got != s.diff || !g.differ && g.text != s.diff {
					rt.Fatalf("the text of the group %q is %q for %s, which had %q", g.text, got, s.ClusterDiff.Cluster, s.diff)
				}
			}
		}
		if len(of) != len(seen) {
			rt.Fatalf("%d of %d clusters are in a group", len(of), len(seen))
		}
		for a := range maps.Keys(of) {
			for b := range maps.Keys(of) {
				if a.diff == b.diff && of[a] != of[b] {
					rt.Fatalf("equal texts are in two groups: %q", a.diff)
				}
			}
		}
	})
}
