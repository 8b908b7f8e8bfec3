package plan_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// twoHundred is a plan for two hundred clusters, and what was seen in them: each has its own name and region in its
// configuration, two have a replica more, three are as they should be, two are refused, one does not answer.
func twoHundred(t testing.TB) (*plan.Plan, *plan.Live, plan.RenderOptions) {
	t.Helper()
	groups := []*pipelines.ClusterGroup{group("e2e", "e2e"), group("canary", "canary"), group("shop", "production"), group("bank", "production")}
	var clusters []*pipelines.Cluster
	back := map[string]plan.WayBack{}
	add := func(n int, in string) {
		for i := range n {
			region := []string{"eu-west", "us-east", "ap-south", "sa-east"}[i%4]
			c := at(region, cluster(fmt.Sprintf("%s-%s-%03d", in, region, i+1), in, i%10))
			c.Spec.Size.Nodes = 10 + i
			clusters = append(clusters, c)
			back[c.Metadata.Name] = plan.WayBack{Version: "1.4.1", Target: "sha256:t", Objects: "sha256:o", Run: "agent-7"}
		}
	}
	add(2, "e2e")
	add(8, "canary")
	add(120, "shop")
	add(70, "bank")
	in := input(documents(groups, clusters), stage("e2e", "e2e"), stage("canary", "canary"), stage("production", "production", groupBy("region"), concurrency(pipelines.Percent(33))))
	in.Pipeline.Spec.Stages[2].Approvals = 2
	in.WayBack = back
	p := build(t, in)
	live := &plan.Live{Plan: plan.Hash(p)}
	texts := map[string]string{}
	n := 0
	for _, s := range p.Stages {
		for _, g := range s.Groups {
			for _, u := range g.Units {
				n++
				live.Clusters = append(live.Clusters, seenOf(u, n, texts))
			}
		}
	}
	return p, live, plan.RenderOptions{Text: func(digest string) (string, error) { return texts[digest], nil }}
}

// seenOf is what was seen in the n-th cluster of a plan.
func seenOf(u plan.Unit, n int, texts map[string]string) plan.ClusterDiff {
	c := plan.ClusterDiff{Cluster: u.Cluster}
	if n == 77 {
		c.Unreachable = "cannot reach cluster " + u.Cluster + ": connection refused"
		return c
	}
	if n%90 == 5 || n == 199 {
		return c
	}
	config := fmt.Sprintf("agent-%010x", n)
	text := fmt.Sprintf("+ ConfigMap/infra/%s\n  replaces ConfigMap/infra/agent-%010x\n  /data/agent.yaml:\n@@ -1,4 +1,4 @@\n cluster: %s\n region: %s\n-interval: 30s\n+interval: 10s\n",
		config, n+1000, u.Cluster, u.Region)
	text += fmt.Sprintf("~ DaemonSet/infra/agent\n- /spec/template/spec/containers/agent/image: \"registry/agent:1.4.1\"\n+ /spec/template/spec/containers/agent/image: \"registry/agent:1.4.2\"\n"+
		"- /spec/template/spec/volumes/config/configMap/name: \"agent-%010x\"\n+ /spec/template/spec/volumes/config/configMap/name: \"%s\"\n", n+1000, config)
	if n%100 == 42 {
		text += "~ Deployment/infra/reporter\n- /spec/replicas: 2\n+ /spec/replicas: 3\n"
		c.Objects = append(c.Objects, plan.Object{Object: "Deployment/infra/reporter", Action: "patch"})
	}
	if n%60 == 33 {
		c.Refusals = []api.Refusal{{Rule: "owned-by", Object: "DaemonSet/infra/agent", Message: "Argo CD application agents-" + u.Cluster + " owns it"}}
	}
	c.Objects = append([]plan.Object{{Object: "ConfigMap/infra/" + config, Action: "create"}, {Object: "DaemonSet/infra/agent", Action: "patch"}}, c.Objects...)
	c.Diff, c.Text = "sha256:diff-"+u.Cluster, "sha256:text-"+u.Cluster
	texts[c.Text] = text
	batches := pipelines.DefaultRules().Batches
	c.Workloads = []plan.Division{{Object: "DaemonSet/infra/agent", NodeSets: []plan.NodeSetBatch{{Name: "all", Pods: 20, Batches: plan.Batches(batches, 20)}}}}
	return c
}

func TestRenderOfTwoHundredClusters(t *testing.T) {
	p, live, opts := twoHundred(t)
	var whole, summary bytes.Buffer
	if err := plan.Render(&whole, p, live, opts); err != nil {
		t.Fatal(err)
	}
	opts.Summary = true
	opts.Warnings = []string{"run agent-8 (agent 1.4.0, by ann) moves 2 of these clusters now"}
	if err := plan.Render(&summary, p, live, opts); err != nil {
		t.Fatal(err)
	}
	golden(t, "fleet.txt", strings.Replace(summary.String(), plan.Hash(p), "HASH", 1), "the summary fits on a screen and says what speaks against the plan")
	if n := strings.Count(whole.String(), "interval: 10s"); n != 2 {
		t.Errorf("the change of the configuration is printed %d times, want once for each of two groups", n)
	}
	if n := strings.Count(whole.String(), "owned-by"); n != 1 {
		t.Errorf("a refusal that differs in the cluster's name alone is printed %d times", n)
	}
	for _, u := range live.Clusters {
		if !strings.Contains(whole.String(), u.Cluster) {
			t.Fatalf("the whole plan does not name cluster %s", u.Cluster)
		}
	}
	for i, line := range strings.Split(summary.String(), "\n") {
		if len(line) > 130 {
			t.Errorf("line %d of the summary is %d columns wide: %s", i+1, len(line), line)
		}
	}
}

func TestCount(t *testing.T) {
	p, live, _ := twoHundred(t)
	got := plan.Count(p, live)
	// Every cluster to change has a ConfigMap and a DaemonSet, and two have a Deployment.
	want := plan.Counts{Change: 192, Unchanged: 4, Refused: 3, Unreachable: 1, Objects: 2*192 + 2}
	if got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if all := got.Change + got.Unchanged + got.Refused + got.Unreachable + got.Missing; all != p.Units() {
		t.Errorf("counted %d clusters of %d", all, p.Units())
	}
	for want, c := range map[string]plan.Counts{
		"5 clusters to change, 1 unchanged, 12 objects to write":                             {Change: 5, Unchanged: 1, Objects: 12},
		"0 clusters to change, 6 unchanged, 0 objects to write":                              {Unchanged: 6},
		"1 cluster to change, 1 refused, 2 out of reach, 3 not looked at, 1 object to write": {Change: 1, Refused: 1, Unreachable: 2, Missing: 3, Objects: 1},
	} {
		if got := c.String(); got != want {
			t.Errorf("%+v reads %q, want %q", c, got, want)
		}
	}
}

func TestShare(t *testing.T) {
	p, live, opts := twoHundred(t)
	seen, err := plan.Share(p, live, opts.Text)
	if err != nil {
		t.Fatal(err)
	}
	got := []int{len(seen.Batches), len(seen.Changes), len(seen.Refusals), len(seen.Unreachable), len(seen.Unchanged), len(seen.Missing)}
	if want := []int{1, 2, 1, 1, 4, 0}; !slices.Equal(got, want) {
		t.Errorf("batches, changes, refusals, out of reach, unchanged and missing are %v, want %v", got, want)
	}
	if n := len(seen.Changes[0].Clusters) + len(seen.Changes[1].Clusters); n != 195 || strings.Contains(seen.Changes[0].Text, "\x00") {
		t.Errorf("%d clusters change, want 195: %q", n, seen.Changes[0].Text)
	}
	alone, err := plan.Share(p, live, nil)
	if err != nil || len(alone.Changes) != 195 || alone.Changes[0].Text == "" || strings.Contains(alone.Changes[0].Text, "\x00") {
		t.Errorf("%v; without diffs there are %d changes of their own, want 195", err, len(alone.Changes))
	}
}

// BenchmarkRender prints a plan for two hundred clusters whose diffs all differ in the cluster's name.
func BenchmarkRender(b *testing.B) {
	p, live, opts := twoHundred(b)
	for b.Loop() {
		if err := plan.Render(&bytes.Buffer{}, p, live, opts); err != nil {
			b.Fatal(err)
		}
	}
}
