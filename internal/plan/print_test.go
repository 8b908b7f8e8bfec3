package plan_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRender(t *testing.T) {
	cases := map[string]struct {
		reason string
		file   string
		plan   func(*testing.T) (*plan.Plan, *plan.Live)
	}{
		"a plan that nobody has looked at clusters for": {
			reason: "everything that the files alone decide is printed",
			file:   "unseen.txt",
			plan: func(t *testing.T) (*plan.Plan, *plan.Live) {
				in := whole()
				in.Pipeline.Spec.Exceptions = []pipelines.Exception{{Rule: "scale-to-zero", Object: "Deployment/old", Reason: "it is retired"}}
				in.Pipeline.Spec.Defaults.Checks[0].Enforcement = pipelines.Advisory
				in.Pipeline.Spec.Stages = append(in.Pipeline.Spec.Stages, mayBeEmpty(stage("canary", "canary"))...)
				return build(t, in), nil
			},
		},
		"a plan of what is rare": {
			reason: "every rule that bites is printed, also the rare ones",
			file:   "rare.txt",
			plan: func(t *testing.T) (*plan.Plan, *plan.Live) {
				clusters := []*pipelines.Cluster{
					at("", cluster("a", "prod", 1)), at("north", cluster("b", "prod", 2)), at("north", cluster("c", "prod", 3)),
					at("north", cluster("d", "prod", 4)), cluster("e", "e2e", 5),
				}
				s := stage("production", "production", groupBy("region"), orderBy("name", "c", "gone"), concurrency(pipelines.Percent(70)))
				s.MaxFailures, s.MaxUnreachable = new(pipelines.Percent(30)), new(pipelines.Percent(10))
				s.NodeSets = []pipelines.NodeSet{{Selector: pipelines.Selector{MatchLabels: map[string]string{"pool": "canary"}}}, {Name: "rest", Selector: pipelines.Selector{All: true}}}
				s.Soak = &pipelines.Soak{Batch: &pipelines.BatchSoak{First: new(pipelines.Duration(time.Hour)), Rest: new(pipelines.Duration(10 * time.Minute)), MinSamples: 100}}
				s.Checks = []pipelines.Check{{Name: "quick", At: []pipelines.Point{pipelines.During}, TaskSpec: logsEvery(0)}, {
					Name: "logs", At: []pipelines.Point{pipelines.During}, TaskSpec: logsEvery(30 * time.Second),
				}}
				s.Approvals, s.MaxBatchFailures = 2, new(1)
				in := input(documents([]*pipelines.ClusterGroup{group("prod", "production"), group("e2e", "e2e")}, clusters), s, stage("late", "e2e"))
				in.Component.Spec.Rollback = pipelines.RollbackNever
				first := build(t, in)
				target := first.Stages[0].Groups[0].Units[0]
				in.WayBack[target.Cluster] = plan.WayBack{Version: "1.4.2", Target: target.Target, Objects: "sha256:o"}
				return build(t, in), nil
			},
		},
		"a plan with what was seen": {
			reason: "equal changes are printed once, and refusals come last",
			file:   "seen.txt",
			plan: func(t *testing.T) (*plan.Plan, *plan.Live) {
				p := build(t, whole())
				return p, live(p)
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, live := tc.plan(t)
			var out bytes.Buffer
			err := plan.Render(&out, p, live, plan.RenderOptions{
				Origin: "https://git.example/fleet at 0123456789ab, components/node-agent",
				Text: func(digest string) (string, error) {
					return "--- " + digest + "\n-  image: agent:1.4.1\n+  image: agent:1.4.2\n", nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.file, strings.Replace(out.String(), plan.Hash(p), "HASH", 1), tc.reason)
		})
	}
}

func golden(t *testing.T, name, got, reason string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
	for i, line := range strings.Split(got, "\n") {
		if line != strings.TrimRight(line, " \t") {
			t.Errorf("line %d ends in blanks: %q", i+1, line)
		}
	}
}

// live is what was seen for the plan of whole: three clusters answer, one does not, one was not looked at.
func live(p *plan.Plan) *plan.Live {
	workloads := func(canary, all int) []plan.Division {
		batches := pipelines.DefaultRules().Batches
		return []plan.Division{{
			Object: "DaemonSet/node-agent/agent",
			NodeSets: []plan.NodeSetBatch{
				{Name: "canary", Pods: canary, Batches: plan.Batches(batches, canary)},
				{Name: "all", Pods: all, Batches: plan.Batches(batches, all)},
			},
		}}
	}
	created := func(pods int) []plan.Division {
		return []plan.Division{{
			Object: "DaemonSet/node-agent/agent", Whole: plan.CreatedWhole,
			NodeSets: []plan.NodeSetBatch{{Name: "all", Pods: pods, Batches: plan.Batches([]pipelines.Amount{pipelines.Percent(100)}, pods)}},
		}}
	}
	objects := []plan.Object{
		{Object: "ConfigMap/node-agent/agent-8f2", Action: "create"},
		{Object: "DaemonSet/node-agent/agent", Action: "patch"},
		{Object: "Service/node-agent/agent", Action: "unchanged"},
	}
	drifted := append([]plan.Object{}, objects...)
	drifted[2] = plan.Object{Object: "Service/node-agent/agent", Action: "unchanged", Drift: []string{"/spec/ports/0/port"}}
	return &plan.Live{
		Plan: plan.Hash(p),
		Clusters: []plan.ClusterDiff{
			{Cluster: "c", WayBack: plan.Removed, Objects: objects, Diff: "sha256:one", Text: "sha256:text", Workloads: append(workloads(0, 40), created(2)...), Notes: []string{"hooks are skipped: post-install"}},
			{Cluster: "a", Objects: objects, Diff: "sha256:one", Text: "sha256:text", Workloads: workloads(4, 100), Notes: []string{"hooks are skipped: post-install"}},
			{Cluster: "b", Objects: drifted, Workloads: workloads(4, 100), Refusals: []api.Refusal{
				{Rule: "drift", Object: "Service/node-agent/agent", Message: "somebody changed /spec/ports/0/port"},
				{Rule: "owner", Message: "Argo CD tracks this namespace"},
			}},
			{Cluster: "d", Unreachable: "connection refused"},
		},
	}
}

// logsEvery is a task that reads logs; 0 is as often as where nothing is said.
func logsEvery(interval time.Duration) *pipelines.TaskSpec {
	look := pipelines.Step{Name: "look", StepKinds: pipelines.StepKinds{Logs: &pipelines.Logs{}}}
	if interval > 0 {
		look.Interval = new(pipelines.Duration(interval))
	}
	return &pipelines.TaskSpec{Steps: []pipelines.Step{look}}
}

func TestRenderRefusesWhatWasSeenForAnotherPlan(t *testing.T) {
	p := build(t, whole())
	err := plan.Render(&bytes.Buffer{}, p, &plan.Live{Plan: "other"}, plan.RenderOptions{})
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("got %v, want it refused: the batches would be another plan's", err)
	}
}

func TestRenderReportsAMissingDiff(t *testing.T) {
	p := build(t, whole())
	gone := errors.New("blob is gone")
	err := plan.Render(&bytes.Buffer{}, p, live(p), plan.RenderOptions{Text: func(string) (string, error) { return "", gone }})
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), "cannot read the diff of cluster a") {
		t.Errorf("got %v, want it to name the cluster and the cause", err)
	}
}
