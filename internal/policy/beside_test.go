package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

// seen is what a look found in a cluster: one workload of so many pods, divided as a pipeline says.
func seen(cluster string, pods int, whole string, batches ...pipelines.Amount) plan.ClusterDiff {
	return plan.ClusterDiff{Cluster: cluster, Workloads: []plan.Division{{
		Object: "DaemonSet/infra/agent", Whole: whole, NodeSets: []plan.NodeSetBatch{{Name: "all", Pods: pods, Batches: plan.Batches(batches, pods)}},
	}}}
}

// TestBatchesOfPodsThatWereSeen: where a count is to be held against a percentage, the pods decide; without them it is not let through.
func TestBatchesOfPodsThatWereSeen(t *testing.T) {
	cases := map[string]struct {
		reason, policy, batches string
		live                    func(batches []pipelines.Amount) []plan.ClusterDiff
		want                    []string
	}{
		"a count within a percentage": {
			reason: "4 of 40 are 10%", policy: "firstBatch: 10%", batches: "[4, 100%]",
			live: func(b []pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{seen("staging-1", 40, "", b...)}
			},
		},
		"a count beyond a percentage": {
			reason: "4 of 39 are more", policy: "firstBatch: 10%", batches: "[4, 100%]",
			live: func(b []pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{seen("staging-1", 39, "", b...)}
			},
			want: []string{"firstBatch: stage staging: wanted is at most 10%, found is 4 of 39 pods of DaemonSet/infra/agent (batch 4) in staging-1"},
		},
		"one pod is never too much": {
			reason: "1% of 10 is below one pod, and a percentage is never less than that: such a policy can be met",
			policy: "firstBatch: 1%", batches: "[1, 100%]",
			live: func(b []pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{seen("staging-1", 10, "", b...)}
			},
		},
		"a percentage beyond a count": {
			reason: "half of 100 are 50", policy: "maxBatch: 40", batches: "[1, 50%, 100%]",
			live: func(b []pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{seen("staging-1", 100, "", b...)}
			},
			want: []string{"maxBatch: stage staging: wanted is at most 40, found is 49 of 100 pods of DaemonSet/infra/agent (batch 50%) in staging-1"},
		},
		"what nobody has seen": {
			reason: "no verdict is not a pass", policy: "firstBatch: 10%", batches: "[4, 100%]",
			live: func([]pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{{Cluster: "staging-1", Unreachable: "no route"}}
			},
			want: []string{"firstBatch: stage staging: wanted is at most 10%, found is [4 100%], of pods that nobody has seen in staging-1"},
		},
		"what is written is enough": {
			reason: "a percentage within a percentage is so for any number of pods", policy: "firstBatch: 10%", batches: "[10%, 100%]",
			live: func([]pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{{Cluster: "staging-1", Unreachable: "no route"}}
			},
		},
		"created whole": {
			reason: "no old pod suffers", policy: "firstBatch: 1", batches: "[1, 100%]",
			live: func([]pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{seen("staging-1", 10, plan.CreatedWhole, pipelines.Percent(100))}
			},
		},
		"taken down at once": {
			reason: "whatever is written, its owner knows no batches", policy: "firstBatch: 1", batches: "[1, 100%]",
			live: func([]pipelines.Amount) []plan.ClusterDiff {
				return []plan.ClusterDiff{seen("staging-1", 10, plan.TakenDown, pipelines.Percent(100))}
			},
			want: []string{
				"firstBatch: stage staging: wanted is at most 1, found is 10 of 10 pods of DaemonSet/infra/agent (all at once: strategy Recreate) in staging-1",
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			docs := load(t, stagesOf(", batches: "+c.batches, "staging"), c.policy)
			p := planned(t, docs, nil)
			live := &plan.Live{Clusters: c.live(p.Stages[0].Rules.Batches)}
			if diff := cmp.Diff(c.want, judged(policy.Case{Plan: p, Live: live}, docs)); diff != "" {
				t.Errorf("%s: -want +got:\n%s", c.reason, diff)
			}
		})
	}
}

// TestWhomAPolicyConcerns: by component, environment and label.
func TestWhomAPolicyConcerns(t *testing.T) {
	for spec, want := range map[string]int{
		"onFailure: [Rollback]":                                                  1,
		"onFailure: [Rollback], components: [agent, other]":                      1,
		"onFailure: [Rollback], components: [other]":                             0,
		"onFailure: [Rollback], environments: [production]":                      1,
		"onFailure: [Rollback], environments: [staging]":                         0,
		"onFailure: [Rollback], clusters: {matchLabels: {tier: gold}}":           1,
		"onFailure: [Rollback], clusters: {matchLabels: {region: north}}":        0,
		"soak: {batch: 1m}, environments: [canary]":                              1,
		"soak: {batch: {rest: 1m}}":                                              2,
		"soak: {cluster: 1m}, clusters: {all: true}":                             2,
		"firstGroup: 1, clusters: {matchLabels: {tier: gold}}":                   0, // one of four in its group is concerned
		"environments: [canary], clusters: {names: [prod-1]}, soak: {stage: 1h}": 0, // no cluster is both
	} {
		docs := load(t, stagesOf("", "canary", "production"), spec)
		got := judged(policy.Case{Plan: planned(t, docs, nil)}, docs)
		stages := map[string]bool{}
		for _, b := range policy.Judge(policy.Case{Plan: planned(t, docs, nil)}, []*pipelines.Policy{docs.Policies["floor"]}) {
			stages[b.Stage] = true
		}
		if len(stages) != want {
			t.Errorf("%s: %q, in %d places, not %d", spec, got, len(stages), want)
		}
	}
}

// TestLeftOutClusters: a run that is narrowed past an earlier environment undercuts its order, unless the version has passed there.
func TestLeftOutClusters(t *testing.T) {
	docs := load(t, stagesOf("", "canary", "production"), "order: [canary, production], mustPass: [canary]")
	narrow := func(passed map[string]string) func(*plan.Input) {
		return func(in *plan.Input) { in.Only, in.Passed = plan.Only{Groups: []string{"production"}}, passed }
	}
	p := planned(t, docs, narrow(nil))
	want := []string{
		"order: stage production: wanted is canary, then production, found is canary-1 (canary) is left out, and this version has not passed there",
		"mustPass: stage production: wanted is canary before production, found is no cluster of canary before production (prod-1)",
	}
	if diff := cmp.Diff(want, judged(policy.Case{Plan: p}, docs)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	passed := map[string]string{}
	for _, out := range p.Stages[0].LeftOut {
		passed[out.Cluster] = out.Target
	}
	if got := judged(policy.Case{Plan: planned(t, docs, narrow(passed))}, docs); got != nil {
		t.Errorf("canary has passed, and yet %q", got)
	}
}

// TestPercentagesAreOfTheWholeStage: a retry of a few clusters is held against what its pipeline was held against, by whatever stage it is
// narrowed in, the last one too.
func TestPercentagesAreOfTheWholeStage(t *testing.T) {
	rules := ", maxFailures: 1, maxUnreachable: 1, maxConcurrency: 2"
	docs := load(t, stagesOf(rules, "production"), "maxFailures: 25%, maxUnreachable: 25%, maxConcurrency: 50%")
	for _, only := range [][]string{nil, {"prod-1", "prod-3"}, {"prod-2"}} {
		p := planned(t, docs, func(in *plan.Input) { in.Only = plan.Only{Clusters: only} })
		if got := judged(policy.Case{Plan: p}, docs); got != nil {
			t.Errorf("narrowed to %v it breaks %q", only, got)
		}
	}
	docs = load(t, stagesOf(rules, "production"), "maxFailures: 24%, maxConcurrency: 49%, firstGroup: 49%")
	p := planned(t, docs, func(in *plan.Input) { in.Only = plan.Only{Clusters: []string{"prod-1", "prod-3"}} })
	want := []string{
		"firstGroup: stage production: wanted is at most 49% of 4 clusters, found is 2 clusters",
		"maxConcurrency: stage production: wanted is at most 49% of 4 clusters, found is 2 at once",
		"maxFailures: stage production: wanted is at most 24% of 4 clusters, found is 1",
	}
	if diff := cmp.Diff(want, judged(policy.Case{Plan: p}, docs)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestReviewOfWhatIsNew: a first version and another template are reviewed; the same template is not, and one that nobody knows is.
func TestReviewOfWhatIsNew(t *testing.T) {
	docs := load(t, stagesOf("", "staging"), "review: {approvals: 1, when: [FirstVersion, TemplateChange]}")
	first := planned(t, docs, func(in *plan.Input) { in.WayBack = nil })
	next := planned(t, docs, nil)
	for name, c := range map[string]struct {
		c    policy.Case
		want []string
	}{
		"first": {policy.Case{Plan: first}, []string{
			"review: stage staging: wanted is 1 approval before it starts, since no version of agent is on record in staging-1, found is 0"}},
		"the same template":    {policy.Case{Plan: next, Templates: map[string]string{"staging-1": "sha256:new"}}, nil},
		"another template":     {policy.Case{Plan: next, Templates: map[string]string{"staging-1": "sha256:older"}}, []string{other}},
		"a template not known": {policy.Case{Plan: next}, []string{other}},
		"a draft":              {policy.Case{Plan: first, Draft: true}, nil},
	} {
		if diff := cmp.Diff(c.want, judged(c.c, docs)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

const other = "review: stage staging: wanted is 1 approval before it starts, since the template of agent in staging-1 is another one, found is 0"

// TestWhoAndWhetherBack: what the plan says of people and of the way back.
func TestWhoAndWhetherBack(t *testing.T) {
	docs := load(t, stagesOf("", "staging"), "refuseUnverified: true, wayBack: true")
	p := planned(t, docs, func(in *plan.Input) { in.Component.Spec.Rollback = pipelines.RollbackNever })
	back := "wayBack: the run: wanted is a way back, found is rollback: Never of component agent"
	for by, want := range map[string][]string{
		"ann":              {back},
		"ann (unverified)": {back, "refuseUnverified: the run: wanted is a verified identity, found is ann (unverified)"},
	} {
		if diff := cmp.Diff(want, judged(policy.Case{Plan: p, By: []string{"bob", by}}, docs)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestPoliciesLeaveAPlanAsItIs: a plan's hash is what approvals are bound to.
func TestPoliciesLeaveAPlanAsItIs(t *testing.T) {
	docs := load(t, stagesOf("", "canary", "staging", "production"), "soak: {stage: 1h}, order: [production, canary]")
	p := planned(t, docs, nil)
	before := plan.Hash(p)
	judged(policy.Case{Plan: p}, docs)
	bare := load(t, stagesOf("", "canary", "staging", "production"), "wayBack: true")
	if after := plan.Hash(p); after != before || plan.Hash(planned(t, bare, nil)) != before {
		t.Error("a policy has changed the hash of a plan")
	}
}
