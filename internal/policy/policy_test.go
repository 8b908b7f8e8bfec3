package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

const header = "apiVersion: sluice.dev/v1alpha1\n"

// fleet is three environments: two clusters of canary in two regions, one of staging, four of production in two regions.
func fleet() string {
	var b strings.Builder
	for _, g := range []string{"canary", "staging", "production"} {
		fmt.Fprintf(&b, "---\n%skind: ClusterGroup\nmetadata: {name: %s}\nspec: {environment: %s}\n", header, g, g)
	}
	for _, c := range [][3]string{
		{"canary-1", "canary", "east"}, {"canary-2", "canary", "west"}, {"staging-1", "staging", "east"},
		{"prod-1", "production", "east"}, {"prod-2", "production", "east"}, {"prod-3", "production", "west"}, {"prod-4", "production", "west"},
	} {
		fmt.Fprintf(&b, "---\n%skind: Cluster\nmetadata: {name: %s, labels: {tier: %s}}\nspec: {group: %s, region: %s}\n",
			header, c[0], map[bool]string{true: "gold", false: "iron"}[c[0] == "prod-4"], c[1], c[2])
	}
	return b.String()
}

// tasks are what pipelines of the tests refer to.
const tasks = `---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: healthy}
spec: {steps: [{name: rule, gate: {cel: workload.unavailable == 0}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: quiet}
spec: {steps: [{name: look, logs: {}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: hours}
spec:
  params: [{name: zone, default: Europe/Berlin}]
  steps:
  - name: open
    window:
      timeZone: $(params.zone)
      allow: [{name: work, days: Mon-Fri, from: "09:00", to: "17:00"}]
      deny: [{holidays: [{from: 2026-12-24, to: 2026-12-26}, {from: 2027-01-01}]}, {days: Sat}]
`

func load(t *testing.T, pipeline, spec string) *pipelines.Documents {
	t.Helper()
	text := fmt.Sprintf("%s%s---\n%skind: Pipeline\nmetadata: {name: p}\nspec: {%s}\n---\n%skind: Policy\nmetadata: {name: floor}\nspec: {%s}\n",
		fleet(), tasks, header, pipeline, header, spec)
	docs, err := pipelines.Parse(pipelines.Source{Name: "test.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return docs
}

// planned is what a pipeline plans for a component that runs everywhere already.
func planned(t *testing.T, docs *pipelines.Documents, change func(*plan.Input)) *plan.Plan {
	t.Helper()
	in := plan.Input{
		Documents: docs, Pipeline: docs.Pipelines["p"], Template: "sha256:new",
		Component: &pipelines.Component{
			Metadata: pipelines.Metadata{Name: "agent"}, Spec: pipelines.ComponentSpec{Version: "2", Template: pipelines.Template{Chart: "chart"}},
		},
		Values:  func(pipelines.Place) (string, error) { return "sha256:values", nil },
		WayBack: map[string]plan.WayBack{},
	}
	for name := range docs.Clusters {
		in.WayBack[name] = plan.WayBack{Version: "1", Target: "sha256:old", Objects: "sha256:objects", Run: "agent-1"}
	}
	if change != nil {
		change(&in)
	}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func judged(c policy.Case, docs *pipelines.Documents) []string {
	var got []string
	for _, b := range policy.Judge(c, []*pipelines.Policy{docs.Policies["floor"]}) {
		got = append(got, strings.TrimPrefix(b.String(), "policy floor, "))
	}
	return got
}

// stagesOf are a stage for each environment, with the same rules.
func stagesOf(rules string, environments ...string) string {
	var all []string
	for _, e := range environments {
		all = append(all, fmt.Sprintf("{name: %s, clusterGroups: {matchLabels: {environment: %s}}%s}", e, e, rules))
	}
	return "stages: [" + strings.Join(all, ", ") + "]"
}

const everywhere = "name: all, clusterGroups: {all: true}"

// TestEachRule has for each rule of a policy a pipeline that just meets it, and one that just undercuts it.
func TestEachRule(t *testing.T) {
	long := func(rules string) string { return stagesOf(", "+rules, "production") }
	cases := map[string]struct {
		policy, meets, undercuts string
		want                     []string // of the one that undercuts
	}{
		"order": {
			policy: "order: [canary, staging, production]",
			meets:  stagesOf("", "canary", "staging", "production"), undercuts: stagesOf("", "canary", "production", "staging"),
			want: []string{"order: stage production: wanted is canary, then staging, then production, found is " +
				"prod-1 (production) goes before or beside staging-1 (staging)"},
		},
		"order within a stage": {
			policy:    "order: [canary, production]",
			meets:     "stages: [{" + everywhere + ", groupBy: environment, order: {units: [canary-1, canary-2, staging-1]}}]",
			undercuts: "stages: [{" + everywhere + ", order: {units: [canary-1, canary-2]}}]",
			want:      []string{"order: stage all: wanted is canary, then production, found is prod-1 (production) goes before or beside canary-2 (canary)"},
		},
		"mustPass": {
			policy: "order: [canary, staging, production], mustPass: [canary]",
			meets:  stagesOf("", "canary", "production"), undercuts: stagesOf("", "staging", "production"),
			want: []string{
				"mustPass: stage staging: wanted is canary before staging, found is no cluster of canary before staging (staging-1)",
				"mustPass: stage production: wanted is canary before production, found is no cluster of canary before production (prod-1)",
			},
		},
		"firstGroup": {
			policy: "firstGroup: 2", meets: long("groupBy: region"), undercuts: long("groupBy: environment"),
			want: []string{"firstGroup: stage production: wanted is at most 2 of 4 clusters, found is 4 clusters"},
		},
		"maxConcurrency": {
			policy: "maxConcurrency: 25%", meets: long("maxConcurrency: 1"), undercuts: long("maxConcurrency: 2"),
			want: []string{"maxConcurrency: stage production: wanted is at most 25% of 4 clusters, found is 2 at once"},
		},
		"firstBatch": {
			policy: "firstBatch: 10%", meets: long("batches: [10%, 100%]"), undercuts: long("batches: [11%, 100%]"),
			want: []string{"firstBatch: stage production: wanted is at most 10%, found is 11% (batches [11% 100%])"},
		},
		"firstBatch as a count": {
			policy: "firstBatch: 2", meets: long("batches: [2, 100%]"), undercuts: long("batches: [3, 100%]"),
			want: []string{"firstBatch: stage production: wanted is at most 2, found is 3 (batches [3 100%])"},
		},
		"maxBatch": {
			policy: "maxBatch: 50%", meets: long("batches: [1, 10%, 50%, 100%]"), undercuts: long("batches: [10%, 49%, 100%]"),
			want: []string{"maxBatch: stage production: wanted is at most 50%, found is 51% (batches [10% 49% 100%])"},
		},
		"soak after a batch": {
			policy: "soak: {batch: 10m}", meets: long("soak: {batch: 10m}"), undercuts: long("soak: {batch: {first: 599s, rest: 10m}}"),
			want: []string{"soak.batch.first: stage production: wanted is at least 10m, found is 9m59s"},
		},
		"soak after the rest": {
			policy: "soak: {batch: {first: 1h, rest: 10m}}", meets: long("soak: {batch: {first: 1h, rest: 10m}}"),
			undercuts: long("soak: {batch: {first: 1h, rest: 9m}}"),
			want:      []string{"soak.batch.rest: stage production: wanted is at least 10m, found is 9m"},
		},
		"soak after the others": {
			policy: "soak: {cluster: 1m, group: 1h, stage: 24h}", meets: long("soak: {cluster: 1m, group: 1h, stage: 24h}"),
			undercuts: long("soak: {cluster: 59s, group: 59m, stage: 23h}"),
			want: []string{
				"soak.cluster: stage production: wanted is at least 1m, found is 59s",
				"soak.group: stage production: wanted is at least 1h, found is 59m",
				"soak.stage: stage production: wanted is at least 1d, found is 23h",
			},
		},
		"interval": {
			policy: "interval: 30m", meets: long("soak: {cluster: 30m}"), undercuts: long("soak: {cluster: 29m, group: 1h, stage: 1h}"),
			want: []string{"interval: stage production: wanted is at least 30m, found is 29m between clusters"},
		},
		"interval between stages": {
			policy: "interval: 30m, environments: [staging]", meets: "defaults: {soak: {cluster: 10m, stage: 20m}}, " + stagesOf("", "staging", "canary"),
			undercuts: "defaults: {soak: {cluster: 10m, stage: 19m}}, " + stagesOf("", "staging", "canary"),
			want:      []string{"interval: stage staging: wanted is at least 30m, found is 29m between this stage and the next"},
		},
		"mustPass of a stage that stops nothing": {
			policy: "order: [canary, production], mustPass: [canary]",
			meets:  stagesOf(", maxFailures: 1", "canary", "production"), undercuts: stagesOf(", maxFailures: 100%", "canary", "production"),
			want: []string{"mustPass: stage production: wanted is canary before production, found is a stage of canary that goes on whatever fails in it"},
		},
		"a check that bears whatever comes": {
			policy: "checks: [{steps: [logs]}]", meets: long("checks: [{name: x, taskSpec: {steps: [{name: look, logs: {}}]}}]"),
			undercuts: long("checks: [{name: x, at: [during], taskSpec: {steps: [{name: look, interval: 1s, failureLimit: 1000, logs: {}}]}}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check with logs, found is x/look, which bears 1000 failures"},
		},
		"maxFailures": {
			policy: "maxFailures: 25%", meets: long("maxFailures: 1"), undercuts: long("maxFailures: 2"),
			want: []string{"maxFailures: stage production: wanted is at most 25% of 4 clusters, found is 2"},
		},
		"maxUnreachable": {
			policy: "maxUnreachable: 0", meets: long("maxUnreachable: 0"), undercuts: long("maxUnreachable: 1"),
			want: []string{"maxUnreachable: stage production: wanted is at most 0 of 4 clusters, found is 1"},
		},
		"maxBatchFailures": {
			policy: "maxBatchFailures: 1", meets: long("maxBatchFailures: 1"), undercuts: long("maxBatchFailures: 2"),
			want: []string{"maxBatchFailures: stage production: wanted is at most 1, found is 2"},
		},
		"a check that goes on looking": {
			policy:    "checks: [{steps: [logs], at: [during]}]",
			meets:     long("checks: [{name: x, at: [during], taskSpec: {steps: [{name: look, logs: {}}]}}]"),
			undercuts: long("checks: [{name: x, at: [during], taskSpec: {steps: [{name: look, count: 1, logs: {}}]}}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check with logs at during, found is x, which looks once"},
		},
		"a check by its Task": {
			policy: "checks: [{task: healthy}]", meets: long("checks: [{name: x, taskRef: {name: healthy}}]"),
			undercuts: long("checks: [{name: healthy, gate: {cel: workload.unavailable == 0}}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check of Task healthy, found is no such check"},
		},
		"a check that is enforcing": {
			policy: "checks: [{task: healthy}]", meets: long("checks: [{taskRef: {name: healthy}, enforcement: Enforcing}]"),
			undercuts: long("checks: [{taskRef: {name: healthy}, enforcement: Advisory}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check of Task healthy, found is healthy, which is Advisory"},
		},
		"a check at its points": {
			policy: "checks: [{task: healthy, at: [during, afterBatch]}]", meets: long("checks: [{taskRef: {name: healthy}, at: [during, afterBatch]}]"),
			undercuts: long("checks: [{taskRef: {name: healthy}, at: [afterBatch]}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check of Task healthy at during, found is healthy, at afterBatch only"},
		},
		"a check by its kind": {
			policy: "checks: [{steps: [metrics, logs], at: [during]}]", meets: long("checks: [{taskRef: {name: quiet}, at: [during]}]"),
			undercuts: long("checks: [{taskRef: {name: healthy}, at: [during]}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check with metrics or logs at during, found is no such check"},
		},
		"a check that bears everything": {
			policy: "checks: [{steps: [logs]}]", meets: long("checks: [{name: l, taskSpec: {steps: [{name: a, failureLimit: 3, logs: {}}]}}]"),
			undercuts: long("checks: [{name: l, taskSpec: {steps: [{name: a, failureLimit: -1, logs: {}}]}}]"),
			want:      []string{"checks: stage production: wanted is an enforcing check with logs, found is l/a, which bears any number of failures"},
		},
		"a check that bears not knowing": {
			policy: "checks: [{steps: [logs]}]", meets: long("checks: [{name: l, taskSpec: {steps: [{name: a, inconclusiveLimit: 3, logs: {}}]}}]"),
			undercuts: long("checks: [{name: l, taskSpec: {steps: [{name: a, inconclusiveLimit: -1, logs: {}}]}}]"),
			want: []string{
				"checks: stage production: wanted is an enforcing check with logs, found is l/a, which bears any number of inconclusive measurements",
			},
		},
		"a check of the run": {
			policy: "checks: [{steps: [gate], at: [afterRun]}]",
			meets:  "defaults: {checks: [{name: g, at: [afterRun], gate: {cel: 'true'}}]}, " + stagesOf("", "production"), undercuts: stagesOf("", "production"),
			want: []string{"checks: the run: wanted is an enforcing check with gate at afterRun, found is no such check"},
		},
		"a window": {
			policy:    "windows: [{timeZone: Europe/Berlin, deny: [{days: Sat}, {holidays: [{from: 2027-01-01}]}]}]",
			meets:     "defaults: {checks: [{taskRef: {name: hours}}]}, " + stagesOf("", "production"),
			undercuts: "defaults: {checks: [{taskRef: {name: hours}, params: [{name: zone, value: Asia/Tokyo}]}]}, " + stagesOf("", "production"),
			want: []string{
				"windows: stage production: wanted is window Europe/Berlin, deny Sat, deny holidays at beforeBatch, found is hours/open, in Asia/Tokyo",
				"windows: stage production: wanted is window Europe/Berlin, deny Sat, deny holidays at beforeCluster, found is hours/open, in Asia/Tokyo",
				"windows: the run: wanted is window Europe/Berlin, deny Sat, deny holidays at beforeRun, found is hours/open, in Asia/Tokyo",
			},
		},
		"a window that allows": {
			policy: "windows: [{timeZone: UTC, allow: [{days: Mon-Fri, from: '09:00', to: '17:00'}], at: [beforeBatch]}]",
			meets: long("checks: [{name: w, taskSpec: {steps: [{name: a, window: " +
				"{timeZone: UTC, allow: [{name: n, days: Mon-Fri, from: '09:00', to: '17:00'}], deny: [{days: Fri}]}}]}}]"),
			undercuts: long("checks: [{name: w, taskSpec: {steps: [{name: a, window: " +
				"{timeZone: UTC, allow: [{days: Mon-Fri, from: '09:00', to: '17:00'}, {name: late, days: Fri}]}}]}}]"),
			want: []string{
				"windows: stage production: wanted is window UTC, allow Mon-Fri 09:00-17:00 at beforeBatch, found is w/a, which allows late too",
			},
		},
		"a window that denies to all": {
			policy:    "windows: [{timeZone: UTC, deny: [{days: Sat}], at: [beforeBatch]}]",
			meets:     long("checks: [{name: w, taskSpec: {steps: [{name: a, window: {timeZone: UTC, deny: [{days: Sat}]}}]}}]"),
			undercuts: long("checks: [{name: w, taskSpec: {steps: [{name: a, window: {timeZone: UTC, deny: [{days: Sat, invokers: [ci]}]}}]}}]"),
			want:      []string{"windows: stage production: wanted is window UTC, deny Sat at beforeBatch, found is w/a, which does not deny Sat"},
		},
		"a window at a boundary": {
			policy:    "windows: [{timeZone: UTC, deny: [{days: Sat}], at: [beforeBatch]}]",
			meets:     long("checks: [{name: w, taskSpec: {steps: [{name: a, window: {timeZone: UTC, deny: [{days: Sat}], inFlight: PauseAtBoundary}}]}}]"),
			undercuts: long("checks: [{name: w, taskSpec: {steps: [{name: a, window: {timeZone: UTC, deny: [{days: Sat}], inFlight: Finish}}]}}]"),
			want:      []string{"windows: stage production: wanted is window UTC, deny Sat at beforeBatch, found is w/a, with inFlight: Finish"},
		},
		"onFailure": {
			policy: "onFailure: [Pause, Rollback]", meets: "onFailure: Rollback, " + stagesOf("", "production"),
			undercuts: "onFailure: Continue, " + stagesOf("", "production"),
			want:      []string{"onFailure: the run: wanted is Pause or Rollback, found is Continue"},
		},
		"pausable": {
			policy: "pausable: true", meets: long("batches: [1, 100%]"), undercuts: long("batches: [100%]"),
			want: []string{"pausable: stage production: wanted is that a pause stops it part-way, found is one batch of everything"},
		},
		"pausable without exceptions": {
			policy:    "pausable: true",
			meets:     "exceptions: [{rule: drift, object: ConfigMap/a, reason: r}], " + stagesOf("", "production"),
			undercuts: "exceptions: [{rule: reaches-at-once, object: ConfigMap/a, reason: r}], " + stagesOf("", "production"),
			want:      []string{"pausable: the run: wanted is that a pause stops it part-way, found is an exception that lets reaches-at-once through for ConfigMap/a"},
		},
		"review": {
			policy: "review: {approvals: 2}, environments: [production]",
			meets:  stagesOf(", approvals: 2", "canary", "production"), undercuts: stagesOf(", approvals: 1", "canary", "production"),
			want: []string{"review: stage production: wanted is 2 approvals before it starts, since all of it is reviewed, found is 1"},
		},
		"review by people who are known": {
			policy: "review: {approvals: 1, verified: true}", meets: long("approval: {minApprovals: 1, requireVerified: true}"),
			undercuts: long("approval: {minApprovals: 1}"),
			want:      []string{"review: stage production: wanted is 1 verified approval before it starts, since all of it is reviewed, found is 0"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			docs := load(t, c.meets, c.policy)
			if got := judged(policy.Case{Plan: planned(t, docs, nil)}, docs); got != nil {
				t.Errorf("what just meets it is said to undercut it: %q", got)
			}
			docs = load(t, c.undercuts, c.policy)
			if diff := cmp.Diff(c.want, judged(policy.Case{Plan: planned(t, docs, nil)}, docs)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
