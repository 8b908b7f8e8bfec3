package markdown_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write the golden files anew")

// small is a plan of three clusters in two stages, as it was seen.
func small() markdown.Planned {
	unit := func(name, group, environment string, score float64) plan.Unit {
		return plan.Unit{
			Path: group + "/" + name, Cluster: name, Group: group, Environment: environment, Score: score,
			Reasons: []plan.Reason{{Name: "size", Value: "12 nodes", Points: 6.62}, {Name: "component", Value: "Medium", Points: score - 6.62}},
		}
	}
	check := pipelines.ResolvedCheck{Name: "ready", At: []pipelines.Point{pipelines.AfterBatch, pipelines.AfterCluster}}
	quiet := pipelines.ResolvedCheck{Name: "panics", At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Advisory}
	p := &plan.Plan{
		Format: plan.Format, Subject: api.Component("node-agent"), Version: "2.0.0", Pipeline: "careful", Risk: pipelines.Medium,
		OnFailure: pipelines.Pause, Rollback: pipelines.RollbackAuto, Drift: pipelines.DriftRefuse,
		Exceptions: []pipelines.Exception{{Rule: "scale-to-zero", Object: "Deployment/old", Reason: "it is retired"}},
		Stages: []plan.StagePlan{
			{Name: "e2e", Rules: plan.StageRules{Checks: []pipelines.ResolvedCheck{check}}, Groups: []plan.Group{{Units: []plan.Unit{unit("e2e-1", "e2e", "e2e", 20.5)}}}},
			{Name: "staging", Skipped: "selects no cluster"},
			{
				Name: "production", Approvals: 2, Rules: plan.StageRules{Checks: []pipelines.ResolvedCheck{check, quiet}},
				Groups: []plan.Group{{Units: []plan.Unit{unit("eu-1", "shop", "production", 51), unit("us-1", "shop", "production", 62.5)}}},
			},
		},
		Notes: []string{"nothing was recorded before in 1 of 3 clusters: it goes back to what is found there"},
	}
	const diff = "patch  DaemonSet/infra/agent\n~ DaemonSet/infra/agent\n- /spec/template/spec/containers/agent/image: \"agent:1.4.1\"\n" +
		"+ /spec/template/spec/containers/agent/image: \"agent:2.0.0\"\n"
	return markdown.Planned{
		Hash: strings.Repeat("3f70e56d0c23", 5), Plan: p, State: "refused", Looked: true, Program: "sluice --server https://sluice.example.org",
		Origin: "https://git.example/fleet at 0123456789ab, components/node-agent",
		Counts: plan.Counts{Change: 2, Refused: 1, Objects: 2},
		Refused: []string{
			"policy floor, soak.batch.first: stage production: wanted is at least 10m, found is 0s",
		},
		Warnings: []string{"may pass freeze-3 by the word of eve@example.org"},
		Seen: plan.Seen{
			Refusals: []plan.Shared{{Clusters: []string{"us-1"}, Text: "owned-by DaemonSet/infra/agent: Argo CD application agents owns it"}},
			Batches: []plan.Shared{{
				Clusters: []string{"e2e-1", "eu-1"}, Text: "DaemonSet/infra/agent\n  node set  pods  updated after each batch\n  all       20    1, 2, 10, 20\n",
			}},
			Changes: []plan.Shared{{Clusters: []string{"e2e-1", "eu-1"}, Own: []string{"<region>"}, Text: diff}},
			Notes:   []plan.Shared{{Clusters: []string{"eu-1"}, Text: "hooks are skipped: post-install"}},
			Drift:   []plan.Shared{{Clusters: []string{"us-1"}, Text: "DaemonSet/infra/agent  /spec/minReadySeconds"}},
		},
	}
}

// large is a plan of many clusters and objects, of which each is different in every third cluster.
func large(clusters, objects int) markdown.Planned {
	p := small()
	p.State, p.Refused, p.Warnings, p.Seen = "ready", nil, nil, plan.Seen{}
	p.Counts = plan.Counts{Change: clusters, Objects: clusters * objects}
	g := &p.Plan.Stages[2].Groups[0]
	g.Units = nil
	three := make([]plan.Shared, 3)
	for i := range three {
		var text strings.Builder
		for j := range objects {
			fmt.Fprintf(&text, "patch  ConfigMap/infra/config-%d\n", j)
		}
		for j := range objects {
			fmt.Fprintf(&text, "~ ConfigMap/infra/config-%d\n- /data/key: \"%d\"\n+ /data/key: \"%d\"\n", j, i, i+j)
		}
		three[i].Text = text.String()
	}
	for i := range clusters {
		name := fmt.Sprintf("prod-eu-%04d", i)
		g.Units = append(g.Units, plan.Unit{Path: "shop/" + name, Cluster: name, Environment: "production", Score: 50})
		three[i%3].Clusters = append(three[i%3].Clusters, name)
	}
	p.Seen.Changes = three
	return p
}

func TestPlan(t *testing.T) {
	got := markdown.Plan(small(), markdown.GitHubComment)
	path := filepath.Join("testdata", "plan.md")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("go test ./internal/markdown -update writes it anew (-want +got):\n%s", diff)
	}
	if strings.Index(got, "Refused") > strings.Index(got, "pipeline") {
		t.Error("what speaks against the plan does not come first")
	}
}

func TestNoTextIsLongerThanItMayBe(t *testing.T) {
	for _, c := range []struct {
		reason            string
		clusters, objects int
		limit             int
		has               []string
		lacks             []string
	}{
		{
			"all of a plan of 600 objects goes into a step summary", 600, 600, markdown.GitHubSummary,
			[]string{"config-599\n", "prod-eu-0599", "All of it: `sluice"}, []string{"Left out"},
		},
		{
			"a comment has of each part as much as there is room for", 600, 600, markdown.GitHubComment,
			[]string{"**Left out here: ", " rows", " objects", "prod-eu-0000", "~ ConfigMap/infra/config-0\n", "`sluice --server https://sluice.example.org get 3f70e56d0c23 --full`"},
			[]string{"prod-eu-0599"},
		},
		{
			"what fits is whole, whatever else does not", 3, 600, 30_000,
			[]string{"prod-eu-0002", "objects"}, []string{" rows"},
		},
		{"a limit that says nothing counts as the least", 600, 600, 1, []string{"This plan can run", "**Left out here: "}, nil},
	} {
		p := large(c.clusters, c.objects)
		got := markdown.Plan(p, c.limit)
		if most := max(c.limit, markdown.Least); len(got) > most {
			t.Errorf("%s: it has %d bytes of %d", c.reason, len(got), most)
		}
		for _, word := range c.has {
			if !strings.Contains(got, word) {
				t.Errorf("%s: it lacks %q", c.reason, word)
			}
		}
		for _, word := range c.lacks {
			if strings.Contains(got, word) {
				t.Errorf("%s: it has %q", c.reason, word)
			}
		}
		if open, closed := strings.Count(got, "<details"), strings.Count(got, "</details>"); open != closed {
			t.Errorf("%s: %d folds are opened, %d closed", c.reason, open, closed)
		}
		if used := len(got) * 10; strings.Contains(got, "Left out") && used < c.limit*7 {
			t.Errorf("%s: of %d bytes it uses %d, and leaves something out", c.reason, c.limit, len(got))
		}
	}
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	p := large(600, 1)
	got := markdown.Plan(p, 20_000)
	shown := strings.Count(got, "| `shop/prod-eu-")
	if want := fmt.Sprintf("Left out here: %d rows", 602-shown-2); shown < 50 || !strings.Contains(got, want) {
		t.Errorf("of 600 clusters %d are shown, and it does not say %q:\n%s", shown, want, got[len(got)-300:])
	}
}

func TestAPlanOfManyClustersIsWrittenInNoTime(t *testing.T) {
	p := large(2500, 200)
	began := time.Now()
	markdown.Plan(p, markdown.GitHubComment)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestDiffsThatNobodyMayRead(t *testing.T) {
	p := small()
	p.Untold = "ann may not view: no binding that binds you gives it"
	if got := markdown.Plan(p, markdown.GitHubComment); !strings.Contains(got, "Diffs are not shown: `ann may not view") {
		t.Error("it does not say why there are none")
	}
}
