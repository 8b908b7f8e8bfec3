package pipelines_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/pipelines"
)

func compileSchema(t *testing.T, name string, data []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("schema %s: %v", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource(name, document); err != nil {
		t.Fatalf("schema %s: %v", name, err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		t.Fatalf("schema %s: %v", name, err)
	}
	return schema
}

// asJSON is a YAML document as a JSON Schema validator sees it.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// context declares what the documents of the corpus refer to, so that the loader has nothing to say but about shape.
const context = `
kind: ClusterGroup
metadata: {name: g1}
spec: {environment: e2e, networkDomain: vpc}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1}
spec: {group: g1}
---
apiVersion: sluice.dev/v1alpha1
kind: Task
metadata: {name: t1}
spec: {params: [{name: x, type: int, default: 1}], steps: [{name: s, gate: {cel: "true"}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: p1}
spec: {image: a, params: [{name: x, default: 1}]}`

// TestSchemaAcceptsWhatTheLoaderAccepts changes one field of a document at a time. All changes are of shape, so that
// the schema of the kind, the combined schema and the loader have to agree.
func TestSchemaAcceptsWhatTheLoaderAccepts(t *testing.T) {
	type change struct {
		field string // what the document has instead of its %s
		good  bool
	}
	good := func(fields ...string) []change {
		var changes []change
		for _, f := range fields {
			changes = append(changes, change{f, true})
		}
		return changes
	}
	bad := func(fields ...string) []change {
		var changes []change
		for _, f := range fields {
			changes = append(changes, change{f, false})
		}
		return changes
	}
	stage := "{name: s, clusterGroups: {all: true}"
	cases := map[string]struct {
		kind    string
		text    string
		changes []change
	}{
		"Cluster": {
			kind: pipelines.KindCluster,
			text: "metadata: {name: c9}\nspec: {group: g1%s}",
			changes: append(good("", ", region: hz", ", userGrade: 10", ", role: Centre", ", size: {nodes: 0, pods: 5}", ", after: [c1]", ", context: Some_Context"),
				bad(", region: 5", ", region: Hz", ", region: null", ", userGrade: 11", ", userGrade: -1", ", userGrade: 1.5", ", userGrade: high",
					", role: unit", ", size: []", ", size: {nodes: -1}", ", size: {node: 1}", ", after: c1", ", after: []", ", after: [5]", ", Region: hz",
					", context: ''", ", context: '  '", ", labels: {}")...),
		},
		"ClusterGroup": {
			kind: pipelines.KindClusterGroup,
			text: "metadata: {name: g9%s}\nspec: {environment: e2e}",
			changes: append(good("", ", displayName: Any Thing", ", labels: {a/b: c}", ", labels: {a: ''}", ", labels: {}"),
				bad(", displayName: 5", ", displayName: ~", ", labels: {a: b c}", ", labels: {a: 1}", ", labels: {'a b': c}", ", labels: [a]", ", annotations: {}")...),
		},
		"Fleet": {
			kind: pipelines.KindFleet,
			text: "metadata: {name: f}\nspec: {environments: [e2e, test]%s}",
			changes: append(good("", ", risk: {}", ", risk: {weights: {size: 0.5, role: 1000}}", ", risk: {businessSides: {a: 0, b: 1}}"),
				bad(", risk: {weights: {speed: 1}}", ", risk: {weights: {size: -0.1}}", ", risk: {weights: {size: heavy}}", ", risk: {weights: {size: 1001}}",
					", risk: {businessSides: {a: 1.1}}", ", risk: {networkDomains: {A: 1}}", ", risk: 5", ", environment: [e2e]")...),
		},
		"Task": {
			kind: pipelines.KindTask,
			text: "metadata: {name: t9}\nspec: {steps: [{name: s, gate: {cel: 'true'}}%s}",
			changes: append(good("]", ", {name: s2, gate: {cel: 'true', message: any}}]", "], params: [{name: a_B1, type: int, default: 5}]", "], description: Any thing"),
				bad(", {name: s2, gate: {cel: 'true', mesage: any}}]", ", {name: s2, gate: {cel: 'true', message: 5}}]", ", {name: s2}]", ", {gate: {cel: 'true'}}]",
					", {name: s2, gate: {cel: 'true'}, run: {}}]", ", {name: S2, gate: {cel: 'true'}}]", "], params: [{name: 1a}]", "], description: {}")...),
		},
		"Task that asks over the network": {
			kind: pipelines.KindTask,
			text: "metadata: {name: t9}\nspec: {steps: [{name: s, %s}]}",
			changes: append(good("http: {url: 'http://a'}", "http: {target: newPods, port: 80}", "http: {target: newNodes, port: metrics, scheme: https}", "tcp: {address: 'a:1'}",
				"http: {url: 'http://a', expect: {status: [200, 2xx]}}", "http: {url: 'http://a', expect: {json: [{pointer: /a, equals: 1}]}}", "dns: {name: a, type: SRV}",
				"tcp: {address: 'a:1', tls: {}}", "certificate: {address: 'a:1', minDays: 30}", "http: {url: 'http://a', redirects: SameHost}, interval: 5s"),
				bad("http: {}, tcp: {}", "http: {url: ''}", "http: {url: 5}", "http: {target: pods, port: 80}", "http: {target: newPods, port: true}", "http: {target: newPods, port: 1.5}",
					"http: {target: newPods, port: [80]}", "http: {url: 'http://a', expect: {status: 200}}", "http: {url: 'http://a', expect: {status: []}}",
					"http: {url: 'http://a', expect: {json: [{pointer: a, equals: 1}]}}", "http: {url: 'http://a', expect: {json: [{pointer: /a, equals: {}}]}}",
					"http: {url: 'http://a', redirects: All}", "http: {url: 'http://a', scheme: ftp}", "dns: {}", "dns: {name: a, type: any}", "dns: {name: a, expect: {atLeast: 0}}",
					"tcp: {address: 'a:1', tls: {insecureBecause: ''}}", "tcp: {address: 'a:1', tls: {insecure: true}}", "certificate: {address: 'a:1', minDays: -1}",
					"certificate: {secret: {name: a}}", "certificate: {webhook: {kind: Webhook, name: a}}", "ping: {}")...),
		},
		"Task as Tekton's people write it": {
			kind: pipelines.KindTask,
			text: "metadata: {name: t9}\nspec: {steps: [{name: s, %s}]}",
			changes: append(good("image: a", "image: a, profile: node, nodeSelector: {pool: a}", "image: a, script: echo", "image: a, command: [a], args: [b], env: [{name: A, value: b}], workingDir: /tmp", "script: {name: a}",
				"image: a, computeResources: {limits: {cpu: 500m, memory: 1Gi, ephemeral-storage: 1Gi}}", "image: a, results: [{name: r, type: int}], timeout: 5m"),
				bad("script: echo", "profile: node", "args: [a]", "command: [a]", "env: [{name: A}]", "workingDir: /tmp", "results: [{name: r}]", "computeResources: {limits: {cpu: '1'}}",
					"image: 5", "image: a, script: 5", "image: a, script: {name: a}", "image: a, job: {image: a}", "image: a, gate: {cel: 'true'}", "script: {name: a}, args: [a]",
					"image: a, args: a", "image: a, computeResources: {requests: {cpu: '1'}}", "image: a, computeResources: {limits: {gpu: '1'}}", "image: a, profile: root",
					"image: a, computeResources: {limits: {cpu: lots}}", "image: a, workingDir: ''", "image: a, computeResources: {}", "image: a, computeResources: 5")...),
		},
		"Task that reads logs": {
			kind: pipelines.KindTask,
			text: "metadata: {name: t9}\nspec: {steps: [{name: s, logs: {%s}}]}",
			changes: append(good("", "panics: false", "patterns: [{name: a, regexp: b, max: 1}]", "maxErrorsPerMinute: 0.5", "rate: {maxRatio: 2, noData: Passed}",
				"containers: [a], maxPods: 200, maxBytes: 4096, maxUnreadable: 0, catchUp: 1m"),
				bad("panics: 1", "patterns: [{name: a}]", "patterns: []", "maxErrorsPerMinute: -1", "maxErrorsPerMinute: a", "rate: {}", "rate: {maxRatio: 0.9}",
					"rate: {maxRatio: 2, noData: Failed}", "containers: [A]", "maxPods: 0", "maxBytes: 1", "catchUp: 5", "panic: true")...),
		},
		"Task that looks at a workload": {
			kind: pipelines.KindTask,
			text: "metadata: {name: t9}\nspec: {steps: [{name: s, workload: {%s}}]}",
			changes: append(good("", "ready: false", "maxRestarts: -1", "waitingReasons: [CrashLoopBackOff]", "events: [{reason: BackOff, max: 1}]",
				"leader: {lease: a, within: 1m}", "webhooks: [{kind: MutatingWebhookConfiguration, name: a}]"),
				bad("ready: maybe", "maxRestarts: -2", "waitingReasons: []", "waitingReasons: ['']", "events: [{}]", "leader: {}", "webhooks: [{kind: Service, name: a}]",
					"readyWithin: 5", "webhooks: []")...),
		},
		"Pipeline": {
			kind: pipelines.KindPipeline,
			text: "metadata: {name: p9}\nspec: {stages: [" + stage + "%s}]}",
			changes: append(good("", ", batches: [1, 100%]", ", batches: [5%, 1000000, 100%]", ", maxFailures: 0", ", maxFailures: 0%", ", maxBatchFailures: 0", ", maxBatchFailures: 1000", ", maxUnreachable: 100%",
				", soak: {batch: 0s, stage: 7d}", ", soak: {batch: {first: 1h, rest: 10m}}", ", soak: {batch: {}}", ", progressDeadline: 1h30m", ", order: {by: name}", ", order: {units: [c1]}", ", groupBy: example.com/rack",
				", nodeSets: [{name: a, matchLabels: {a: b}}, {all: true}]", ", clusters: {names: [c1]}", ", clusters: {matchExpressions: [{key: a, operator: In, values: [b, '']}]}",
				", checks: []", ", checks: [{taskRef: {name: t1}, params: [{name: x, value: 5}]}]", ", checks: [{name: g, gate: {cel: 'true'}, at: [during], enforcement: Advisory}]"),
				bad(", batches: []", ", batches: [-1, 100%]", ", batches: [x, 100%]", ", batches: ['1', 100%]", ", batches: [101%]", ", batches: [01%, 100%]", ", batches: [1.5, 100%]",
					", batches: 100%", ", maxFailures: true", ", maxBatchFailures: 10%", ", maxBatchFailures: 1001", ", maxFailures: 1000001", ", maxFailures: null", ", soak: {batch: 0}", ", soak: {batch: 10}", ", soak: {batch: ten}", ", soak: {batch: -1m}",
					", soak: {minSamples: 100}", ", soak: {batch: {first: 5}}", ", soak: {batch: {first: 1h, last: 1h}}", ", soak: {batch: [1h]}",
					", soak: {firstBatch: 1h}", ", soak: 10m", ", progressDeadline: 1w", ", order: {by: size}", ", order: name", ", groupBy: a b", ", groupBy: ''",
					", nodeSets: {all: true}", ", nodeSets: []", ", clusters: {names: []}", ", clusters: {names: c1}", ", clusters: {all: 'yes'}",
					", clusters: {matchExpressions: [{operator: Exists}]}", ", clusters: {matchExpressions: [{key: a, operator: Is}]}",
					", checks: [{name: g, gate: {cel: 'true'}, at: [lunch]}]", ", checks: [{name: g, gate: {cel: 'true'}, at: []}]", ", checks: [{name: g, gate: {}}]",
					", checks: [{name: g, gate: {cel: ''}}]", ", checks: [{name: g, gate: 'true'}]", ", checks: [{taskRef: t1}]",
					", checks: [{taskRef: {name: t1}, params: [{name: x, value: [[5]]}]}]", ", checks: [{taskRef: {name: t1}, params: [{name: x}]}]",
					", checks: [{taskRef: {name: t1}, params: [{name: x, value: null}]}]", ", rules: {}")...),
		},
		"Pipeline's spec": {
			kind: pipelines.KindPipeline,
			text: "metadata: {name: p9}\nspec: {stages: [" + stage + "}]%s}",
			changes: append(good("", ", onFailure: Rollback", ", params: [{name: a, default: b}]", ", params: [{name: a, type: double, default: 1.5}]", ", defaults: {}",
				", params: [{name: a, default: [b, 1, true]}]", ", params: [{name: a, default: {b: 1.5}, properties: {b: {type: string}}}]", ", results: []",
				", exceptions: [{rule: r, object: A/b, reason: why}]", ", exceptions: []"),
				bad(", onFailure: rollback", ", params: {a: b}", ", params: [{name: a-b}]", ", params: [{name: a, type: number}]", ", params: [{name: a, default: {b: [c]}}]", ", params: [{type: int}]",
					", params: [{name: a, properties: {b: {type: int}}}]", ", params: [{name: a, properties: {'b c': {}}}]", ", results: [{name: a}]",
					", results: [{name: a, value: 5}]", ", defaults: []", ", exceptions: [{rule: r, object: A/b}]", ", exceptions: [{rule: r, object: b, reason: why}]", ", atLast: []", ", stage: []")...),
		},
		"Task's window": {
			kind: pipelines.KindTask,
			text: "metadata: {name: w9}\nspec: {steps: [{name: w, window: {%s}}]}",
			changes: append(good("timeZone: UTC, deny: [{days: Sat}]", "timeZone: UTC, allow: [{schedule: 0 9 * * *, duration: 8h}], inFlight: Finish",
				"timeZone: UTC, deny: [{holidays: [{from: '2026-12-24', to: '2026-12-26', name: x}], actions: [start, rollback], invokers: [ci]}]"),
				bad("deny: [{days: Sat}]", "timeZone: 1, deny: [{days: Sat}]", "timeZone: UTC, deny: []", "timeZone: UTC, deny: [{days: []}]",
					"timeZone: UTC, deny: [{days: Sat, actions: [go]}]", "timeZone: UTC, deny: [{days: Sat, invokers: []}]",
					"timeZone: UTC, deny: [{days: Sat}], inFlight: finish", "timeZone: UTC, deny: [{holidays: [{from: 24.12.2026}]}]")...),
		},
		"Calendar": {
			kind: pipelines.KindCalendar,
			text: "metadata: {name: k9}\nspec: {%s}",
			changes: append(good("holidays: [{from: '2026-12-25'}]", "description: d, holidays: [{name: a, from: '2026-12-25', to: '2026-12-26'}]"),
				bad("", "holidays: []", "holidays: [{name: a}]", "holidays: [{from: 1.1.2027}]", "holidays: ['2026-12-25']")...),
		},
		"Group": {
			kind: pipelines.KindGroup,
			text: "metadata: {name: g9}\nspec: {%s}",
			changes: append(good("people: [ann@example.com]", "description: d, people: [Ann Lee, b]"),
				bad("", "people: []", "people: [' ann']", "people: ['ann (unverified)']", "people: ['ann [ci]']", "people: [ann], members: [b]")...),
		},
		"Stage's approval": {
			kind: pipelines.KindPipeline,
			text: "metadata: {name: p9}\nspec: {stages: [{name: s, clusterGroups: {all: true}, approval: {%s}}]}",
			changes: append(good("", "by: [ann, bob], minApprovals: 2, expires: 24h, requireVerified: true", "minApprovals: 10"),
				bad("by: []", "by: ann", "by: ['ann (unverified)']", "groups: [A]", "minApprovals: 0", "minApprovals: 11", "expires: 24", "until: 24h")...),
		},
		"Receiver": {
			kind: pipelines.KindReceiver,
			text: "metadata: {name: r9}\nspec: {%s}",
			changes: append(good("webhook: {url: 'http://a/b'}", "slack: {urlFrom: {env: SLUICE_SECRET_A}}, events: [held, rolledBack], perMinute: 5",
				"alertmanager: {url: 'http://a:9093', labels: {team: infra}}", "email: {server: 'a.b:25', from: a@b, to: [c@d.e], tls: None}"),
				bad("slack: {}", "webhook: {url: 'http://a'}, probes: {severity: P9}", "webhook: {url: 'http://a'}, probes: {cases: []}", "slack: {urlFrom: {env: HOME}}", "webhook: {url: 'http://a'}, events: []", "webhook: {url: 'http://a'}, events: [hold]",
					"webhook: {url: 'http://a'}, perMinute: 0.5", "email: {server: a, from: a@b, to: [c@d]}", "email: {server: 'a:25', from: a, to: [c@d]}",
					"email: {server: 'a:25', from: a@b, to: []}", "alertmanager: {url: 'http://a', labels: {a-b: c}}")...),
		},
		"Policy": {
			kind: pipelines.KindPolicy,
			text: "metadata: {name: p9}\nspec: {%s}",
			changes: append(good("order: [canary, production], mustPass: [canary]", "firstBatch: 1, maxBatch: 25%, environments: [production]",
				"soak: {batch: 10m, cluster: 1h}, interval: 30m", "soak: {batch: {first: 1h, rest: 10m}}", "checks: [{steps: [metrics, logs], at: [during]}]",
				"windows: [{timeZone: UTC, deny: [{days: Sat}], at: [beforeCluster]}]", "onFailure: [Pause, Rollback], pausable: true, wayBack: true",
				"refuseUnverified: true, review: {approvals: 2, when: [FirstVersion]}", "clusters: {matchLabels: {tier: gold}}, firstGroup: 1"),
				bad("order: [canary]", "mustPass: []", "firstBatch: -1", "firstBatch: 200%", "soak: 10m", "interval: 5", "checks: []", "checks: [{steps: [metric]}]",
					"checks: [{steps: [gate], at: [later]}]", "windows: [{deny: [{days: Sat}]}]", "onFailure: [Stop]", "pausable: 1", "review: {}",
					"review: {approvals: 11}", "review: {approvals: 1, when: [Always]}", "components: []", "order: [a b, c]")...),
		},
		"Limit": {
			kind: pipelines.KindLimit,
			text: "metadata: {name: l9}\nspec: {%s}",
			changes: append(good("domain: rack, clusters: 1", "domain: topology.kubernetes.io/zone, clusters: 1000, onConflict: Supersede, description: d"),
				bad("domain: rack", "clusters: 1", "domain: rack, clusters: 0", "domain: rack, clusters: 1001", "domain: rack, clusters: 1, onConflict: Wait",
					"domain: a b, clusters: 1")...),
		},
		"Binding": {
			kind: pipelines.KindBinding,
			text: "metadata: {name: b9}\nspec: {subjects: \"subject == 'corp:ann'\", %s}",
			changes: append(good("roles: [viewer], scope: {all: true}", "rights: [view, bind], scope: {all: true}, description: d",
				"roles: [operator, approver], scope: {components: [a, b-*, '*'], environments: [e2e], namespaces: [c], clusterGroups: {matchLabels: {d: e}}}"),
				bad("roles: [viewer]", "roles: [root], scope: {all: true}", "rights: [run], scope: {all: true}", "roles: [], scope: {all: true}",
					"roles: [viewer], scope: {components: ['a?']}", "roles: [viewer], scope: {components: []}", "roles: [viewer], scope: {clusters: [a]}",
					"roles: viewer, scope: {all: true}", "roles: [viewer], scope: everything")...),
		},
		"Source": {
			kind: pipelines.KindSource,
			text: "metadata: {name: s9}\nspec: {url: 'https://git.example/a/b.git', branch: main%s}",
			changes: append(good("", ", interval: 10s", ", interval: 24h, description: d", ", paths: [a, b/c.yaml]",
				", credentials: {token: {env: SLUICE_SECRET_A}, user: u, caFile: ca.pem}",
				", credentials: {token: {file: a/b}}, forge: {kind: gitlab, repository: a/b/c, webhookSecret: {file: h}}",
				", forge: {kind: github, repository: a/b, token: {file: t}, api: 'https://git.example/api/v3'}",
				", verify: {signers: ['"+sshKey+"']}"),
				bad(", interval: soon", ", paths: []", ", paths: [/a]", ", paths: ['*.yaml']", ", credentials: {token: {env: HOME}}",
					", forge: {kind: gitea, repository: a/b}", ", forge: {kind: github, repository: a}", ", verify: {signers: []}",
					", verify: {signers: [ann]}", ", verify: {}", ", submodules: true", ", branch2: x")...),
		},
		"Source's address": {
			kind: pipelines.KindSource,
			text: "metadata: {name: s9}\nspec: {branch: b, credentials: {}, url: '%s'}",
			changes: append(good("https://git.example/b", "https://git.example:8443/a/b.git", "http://127.0.0.1:80/a"),
				bad("", "git.example", "https://git.example", "https://ann:secret@git.example/b", "file:///etc", "ext::sh -c x", "--upload-pack=x",
					"git://git.example/b", "-oProxyCommand=x@host:a", "ssh://-oProxyCommand=x/a", "git@host:-x", "https://git.example/a b")...),
		},
		"Source's branch": {
			kind:    pipelines.KindSource,
			text:    "metadata: {name: s9}\nspec: {url: 'https://git.example/b', branch: '%s'}",
			changes: append(good("main", "release/1.x", "a_b-c"), bad("", "-x", "a..", "/a", "a//b", "a:b", "a b", "a@{1}", "*", "a.lock/")...),
		},
		"Trigger": {
			kind: pipelines.KindTrigger,
			text: "metadata: {name: t9}\nspec: {source: s, %s}",
			changes: append(good("components: {all: true}", "components: {names: [a], matchLabels: {b: c}}, on: image, run: true, whileOpen: Supersede, description: d",
				"components: {all: true}, run: true, approve: by-merge, reviewers: 2", "components: {all: true}, on: merge, run: false, whileOpen: Refuse"),
				bad("on: merge", "components: {all: true}, on: push", "components: {all: true}, run: 1", "components: {all: true}, whileOpen: Wait",
					"components: {all: true}, run: true, approve: ann", "components: {all: true}, run: true, approve: by-merge, reviewers: 11",
					"components: [a]", "components: {all: true}, pipeline: 'a b'")...),
		},
		"Fuse": {
			kind: pipelines.KindFuse,
			text: "metadata: {name: f9}\nspec: {%s}",
			changes: append(good("failures: 3, of: 10, within: 1h", "failures: 1, of: 1, within: 1m, inFlight: Finish, description: d",
				"failures: 1, of: 5, within: 7d, scope: {component: a, environment: b, clusterGroup: c, clusters: [d], clusterLabels: {e: f}}"),
				bad("failures: 3, of: 10", "failures: 0, of: 1, within: 1h", "failures: 1, of: 1001, within: 1h", "of: 1, within: 1h",
					"failures: 1, of: 1, within: 1h, inFlight: Now", "failures: 1, of: 1, within: 1h, scope: {clusters: []}",
					"failures: 1, of: 1, within: 1h, scope: {digest: a}")...),
		},
		"Drill": {
			kind: pipelines.KindDrill,
			text: "metadata: {name: d9}\nspec: {component: a, version: v1, clusterGroups: {all: true}, schedule: {cron: 0 5 * * 1-5, timeZone: UTC}%s}",
			changes: append(good("", ", pipeline: p", ", expect: {stoppedBy: [ready], within: 20m, clusters: 2}"),
				bad(", expect: {within: soon}", ", expect: {clusters: 1001}", ", expect: {stoppedBy: ['a b']}", ", pipeline: 'a b'", ", clusters: 1")...),
		},
		"Probe": {
			kind: pipelines.KindProbe,
			text: "metadata: {name: p9}\nspec: {image: a%s}",
			changes: append(good("", ", params: [{name: a, default: 0.5}, {name: b}]", ", env: [{name: A, value: b}]", ", timeout: 90s, keep: 0s",
				", contract: v2, mode: Resident, severity: P0, owner: ann", ", profile: host-network, nodeSelector: {a: b}, limits: {cpu: 100m}",
				", exceptions: [{name: a, because: b, capabilities: [NET_RAW]}]", ", target: {kind: Nodes, sample: 50, labels: {a: b}}",
				", touches: [{apiGroups: ['', apps], resources: [pods, pods/exec], verbs: [create]}], objects: {pods: 0, pods.apps: 10000}"),
				bad(", hostPath: a", ", params: [{name: a, default: [b]}]", ", params: [{default: a}]", ", timeout: 1 minute", ", contract: v1",
					", mode: resident", ", severity: P5", ", profile: privileged", ", exceptions: [{name: a, because: b}]",
					", exceptions: [{name: a, because: b, capabilities: [net_raw]}]", ", target: {kind: Nodes, sample: 51}", ", target: {sample: 1}",
					", touches: [{resources: ['*'], verbs: [get]}]", ", touches: [{resources: [pods], verbs: ['*']}]", ", touches: [{resources: [pods]}]",
					", touches: [{apiGroups: [Apps], resources: [pods], verbs: [get]}]", ", objects: {Pods: 1}", ", objects: {pods: 10001}",
					", touches: []", ", owner: "+strings.Repeat("a", 251), ", owner: ' a'")...),
		},
		"ProbeSet": {
			kind: pipelines.KindProbeSet,
			text: "metadata: {name: s9}\nspec: {cases: [%s]}",
			changes: append(good("{probe: p1}", "{name: a, probe: p1, params: [{name: x, value: 5}]}"),
				bad("", "p1", "{name: a}", "{name: A, probe: p1}", "{probe: p1, params: []}", "{probe: p1, params: [{name: x}]}")...),
		},
		"ProbeBinding": {
			kind: pipelines.KindProbeBinding,
			text: "metadata: {name: b9}\nspec: {clusters: {all: true}, cases: [{probe: p1}], schedule: {every: 5m}%s}",
			changes: append(good("", ", events: [{on: Posted, names: [a]}, {on: NodeNew}]", ", freshness: 1h", ", denoise: {failures: 2, of: 3, passes: 1}",
				", enforcement: {mode: Enforcing, quietRuns: 5, environment: e2e}", ", enforcement: {mode: Enforcing, falsePositives: 5%}",
				", enforcement: {mode: Advisory}", ", description: a"),
				bad(", events: []", ", events: [{on: Moved}]", ", events: [{names: [a]}]", ", freshness: often", ", denoise: {failures: 21}",
					", enforcement: {}", ", enforcement: {mode: Always}", ", enforcement: {mode: Enforcing, falsePositives: few}", ", sets: ['A b']",
					", every: 5m")...),
		},
		"Component's probes": {
			kind:    pipelines.KindComponent,
			text:    "metadata: {name: c9}\nspec: {version: v1, template: {probes: %s}}",
			changes: append(good("a", "a/b"), bad("/a", "5", "[a]")...),
		},
		"Component": {
			kind: pipelines.KindComponent,
			text: "metadata: {name: c9}\nspec: {version: v1, template: {chart: chart}%s}",
			changes: append(good("", ", risk: High", ", images: {main: {default: 'r/a:1'}}", ", config: {fleet: {a: {b: [1, null, true, 0.5]}}}", ", config: {environments: {e2e: {}}}",
				", workloadOrder: [Deployment/a.b]", ", hooks: Skip", ", rollback: Never", ", drift: Overwrite", ", ignore: [{kind: A, fields: [/a/b]}]"),
				bad(", risk: high", ", images: {main: a}", ", images: {main: {default: 'a b'}}", ", images: {'0': {default: a}}", ", images: {a.b: {default: a}}", ", config: {fleet: 5}", ", config: {fleets: {}}",
					", config: {environments: {e2e: 5}}", ", workloadOrder: [deployment/a]", ", workloadOrder: []", ", hooks: Check", ", rollback: auto", ", drift: 1",
					", ignore: [{kind: A, fields: [a]}]", ", ignore: [{kind: A, fields: []}]", ", ignore: [{kind: a, fields: [/a]}]", ", ignore: [{fields: [/a]}]", ", version2: x")...),
		},
	}
	combined := compileSchema(t, "combined.json", pipelines.Schema())
	schemas := map[string]*jsonschema.Schema{}
	for kind, data := range pipelines.Schemas() {
		schemas[kind] = compileSchema(t, kind+".json", data)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, c := range tc.changes {
				text := fmt.Sprintf("kind: %s\n"+tc.text, tc.kind, c.field)
				_, err := pipelines.Parse(source(context, text))
				if (err == nil) != c.good {
					t.Errorf("the loader says %v of\n%s", err, text)
				}
				value := asJSON(t, "apiVersion: sluice.dev/v1alpha1\n"+text)
				if err := schemas[tc.kind].Validate(value); (err == nil) != c.good {
					t.Errorf("the schema of %s says %v of\n%s", tc.kind, err, text)
				}
				if err := combined.Validate(value); (err == nil) != c.good {
					t.Errorf("the combined schema says %v of\n%s", err, text)
				}
			}
		})
	}
}

// TestSchemaAndLoaderKnowEveryField walks the structs of the kinds: each field has a property with a description, and
// no struct has one that the loader would call unknown.
func TestSchemaAndLoaderKnowEveryField(t *testing.T) {
	kinds := map[string]reflect.Type{
		pipelines.KindPipeline: reflect.TypeFor[pipelines.Pipeline](), pipelines.KindTask: reflect.TypeFor[pipelines.Task](),
		pipelines.KindComponent: reflect.TypeFor[pipelines.Component](), pipelines.KindClusterGroup: reflect.TypeFor[pipelines.ClusterGroup](),
		pipelines.KindCluster: reflect.TypeFor[pipelines.Cluster](), pipelines.KindFleet: reflect.TypeFor[pipelines.Fleet](),
		pipelines.KindCalendar:   reflect.TypeFor[pipelines.Calendar](),
		pipelines.KindDataSource: reflect.TypeFor[pipelines.DataSource](),
		pipelines.KindReceiver:   reflect.TypeFor[pipelines.Receiver](),
		pipelines.KindPolicy:     reflect.TypeFor[pipelines.Policy](),
		pipelines.KindGroup:      reflect.TypeFor[pipelines.Group](),
		pipelines.KindFuse:       reflect.TypeFor[pipelines.Fuse](),
		pipelines.KindDrill:      reflect.TypeFor[pipelines.Drill](),
		pipelines.KindLimit:      reflect.TypeFor[pipelines.Limit](),
		pipelines.KindBinding:    reflect.TypeFor[pipelines.Binding](),
		pipelines.KindSource:     reflect.TypeFor[pipelines.GitSource](),
		pipelines.KindTrigger:    reflect.TypeFor[pipelines.Trigger](),

		pipelines.KindProbe:        reflect.TypeFor[pipelines.Probe](),
		pipelines.KindProbeSet:     reflect.TypeFor[pipelines.ProbeSet](),
		pipelines.KindProbeBinding: reflect.TypeFor[pipelines.ProbeBinding](),
	}
	if len(kinds) != len(pipelines.Kinds()) {
		t.Fatalf("the test knows %d kinds, the language has %d", len(kinds), len(pipelines.Kinds()))
	}
	for kind, root := range kinds {
		var schema map[string]any
		if err := json.Unmarshal(pipelines.Schemas()[kind], &schema); err != nil {
			t.Fatal(err)
		}
		defs, _ := schema["$defs"].(map[string]any)
		w := walker{t: t, kind: kind, defs: defs}
		w.walk(root, schema, nil)
		if w.fields < 3 {
			t.Errorf("%s: walked %d fields only", kind, w.fields)
		}
	}
}

type walker struct {
	t      *testing.T
	kind   string
	defs   map[string]any
	fields int
}

// walk visits a struct and the property that stands for it. Path holds what a document has to look like to get there.
func (w *walker) walk(t reflect.Type, schema map[string]any, path []string) {
	if either, ok := schema["anyOf"].([]any); ok { // a text, or the struct
		schema, _ = either[len(either)-1].(map[string]any)
	}
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = w.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	properties, _ := schema["properties"].(map[string]any)
	if schema["additionalProperties"] != false {
		w.t.Errorf("%s %s: the schema takes unknown fields", w.kind, strings.Join(path, "."))
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		names = append(names, name)
		w.fields++
		here := append(slices.Clone(path), name)
		property, ok := properties[name].(map[string]any)
		if !ok {
			w.t.Errorf("%s %s: the schema does not know it", w.kind, strings.Join(here, "."))
			continue
		}
		w.loader(here)
		inner, innerSchema := f.Type, property
		for stop := false; !stop; {
			switch inner.Kind() {
			case reflect.Pointer:
				inner = inner.Elem()
			case reflect.Slice:
				inner = inner.Elem()
				innerSchema, _ = innerSchema["items"].(map[string]any)
				here = append(here, "[]")
			case reflect.Map:
				inner = inner.Elem()
				innerSchema, _ = innerSchema["additionalProperties"].(map[string]any)
				here = append(here, "{}")
			default:
				stop = true
			}
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[pipelines.Amount]() {
			w.walk(inner, innerSchema, here)
		}
	}
	if t == reflect.TypeFor[pipelines.Step]() { // fields of a job that may stand here
		names = append(names, "image", "command", "args", "env", "workingDir", "computeResources", "results", "profile", "nodeSelector")
	}
	for name := range properties {
		known := len(path) == 0 && (name == "apiVersion" || name == "kind")
		if !known && !slices.Contains(names, name) {
			w.t.Errorf("%s %s: the schema has %s, the struct does not", w.kind, strings.Join(path, "."), name)
		}
	}
}

// loader asks the loader about the field at the path, with a value that is wrong for all of them but mappings: what
// it says must not be that the field is unknown.
func (w *walker) loader(path []string) {
	text := "!wrong x"
	for _, step := range slices.Backward(path) {
		switch step {
		case "[]":
			text = "[" + text + "]"
		case "{}":
			text = "{name: " + text + "}"
		default:
			text = "{" + step + ": " + text + "}"
		}
	}
	body := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	_, err := pipelines.Parse(pipelines.Source{Name: "x", Data: []byte("{apiVersion: " + pipelines.APIVersion + ", kind: " + w.kind + ", " + body + "}")})
	for _, message := range messages(err) {
		if strings.Contains(message, "unknown field") {
			w.t.Errorf("%s %s: the loader says: %s", w.kind, strings.Join(path, "."), message)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "!wrong") {
		w.t.Errorf("%s %s: the loader takes a value with a tag that there is none of: %v", w.kind, strings.Join(path, "."), err)
	}
}

func TestSchemasDescribeWhatTheCommentsSay(t *testing.T) {
	schema := string(pipelines.Schemas()[pipelines.KindPipeline])
	for _, text := range []string{
		"cumulative within a node set; default 1, 10%, 50%, 100%",
		"Selector chooses by labels, or everything where all is true.",
		"Pipeline orders units into stages and hangs checks on them.",
	} {
		if !strings.Contains(schema, text) {
			t.Errorf("the schema of Pipeline does not say: %s", text)
		}
	}
	first := pipelines.Schema()
	for range 5 {
		if !bytes.Equal(first, pipelines.Schema()) {
			t.Fatal("Schema() differs from call to call: it cannot be kept in git")
		}
	}
}

// sshKey is a public key of nobody.
const sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILpLrpvNQ+OTljTUu/q5Ev5tx0CbWrEiKEnGNwUKSc9I ann@example.com"
