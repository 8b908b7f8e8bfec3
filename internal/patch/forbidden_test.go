package patch

import (
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func TestForbidden(t *testing.T) {
	statefulSet := "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a, namespace: ns}\n"
	budget := "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a, namespace: ns}\n"
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n"
	hook := "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: a}\n"
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a, namespace: ns}\n"
	schema := func(s string) string {
		return crd + "spec: {group: example.com, scope: Namespaced, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: " + s + "}}]}"
	}
	cases := map[string]struct {
		reason       string
		live, target string
		want         []api.Rule
	}{
		"a selector changes": {
			"pods would be orphaned",
			deploymentHead + "spec: {selector: {matchLabels: {app: a}}, template: {spec: {containers: [{name: x}]}}}",
			deploymentHead + "spec: {selector: {matchLabels: {app: b}}, template: {spec: {containers: [{name: x}]}}}",
			[]api.Rule{api.RuleImmutableSelector},
		},
		"a CloneSet's selector changes": {
			"custom workloads too",
			clonesetHead + "spec: {selector: {matchLabels: {app: a}}, template: {spec: {containers: [{name: x}]}}}",
			clonesetHead + "spec: {selector: {matchLabels: {app: b}}, template: {spec: {containers: [{name: x}]}}}",
			[]api.Rule{api.RuleImmutableSelector},
		},
		"a Service's selector changes": {
			"that is how traffic is moved", serviceHead + "spec: {selector: {app: a}}", serviceHead + "spec: {selector: {app: b}}", nil,
		},
		"claim templates change": {
			"claims do not follow",
			statefulSet + "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 1Gi}}}}]}",
			statefulSet + "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 2Gi}}}}]}",
			[]api.Rule{api.RuleVolumeClaimTemplates},
		},
		"claim templates come to be": {
			"pods that are there have no claims", statefulSet + "spec: {replicas: 1}",
			statefulSet + "spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {resources: {requests: {storage: 1Gi}}}}]}",
			[]api.Rule{api.RuleVolumeClaimTemplates},
		},
		"claim templates in another form": {
			"1024Mi is 1Gi",
			statefulSet + "spec: {serviceName: s, volumeClaimTemplates: [{metadata: {name: d}, spec: {volumeMode: Filesystem, resources: {requests: {storage: 1Gi}}}, status: {phase: Pending}}]}",
			statefulSet + "spec: {serviceName: s, volumeClaimTemplates: [{metadata: {name: d}, spec: {volumeMode: Filesystem, resources: {requests: {storage: 1024Mi}}}, status: {phase: Pending}}]}",
			nil,
		},
		"a StatefulSet's service changes": {
			"the API server refuses it", statefulSet + "spec: {serviceName: s}", statefulSet + "spec: {serviceName: t}", []api.Rule{api.RuleImmutableField},
		},
		"an address changes": {
			"clients hold on to it", serviceHead + "spec: {clusterIP: 10.0.0.1}", serviceHead + "spec: {clusterIP: None}", []api.Rule{api.RuleClusterIP},
		},
		"an address is given up for a name": {
			"the API server frees it, though it is not rendered",
			serviceHead + "spec: {type: ClusterIP, clusterIP: 10.0.0.1}", serviceHead + "spec: {type: ExternalName, externalName: db.example.com, clusterIP: 10.0.0.1}", []api.Rule{api.RuleClusterIP},
		},
		"an address that was never rendered": {
			"it is not rendered, so it stays", serviceHead + "spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1]}", serviceHead + "spec: {selector: {a: b}}", nil,
		},
		"replicas go to 0": {
			"nobody is left to serve", deploymentHead + "spec: {replicas: 3}", deploymentHead + "spec: {replicas: 0}", []api.Rule{api.RuleScaleToZero},
		},
		"replicas come from 0": {
			"that is an installation", deploymentHead + "spec: {replicas: 0}", deploymentHead + "spec: {replicas: 3}", nil,
		},
		"a new workload with 0 replicas": {
			"it was never up", "", deploymentHead + "spec: {replicas: 0}", nil,
		},
		"a version of a CRD is taken away": {
			"objects are stored in it",
			crd + "spec: {versions: [{name: v1alpha1, served: true}, {name: v1, served: true}]}\nstatus: {storedVersions: [v1alpha1, v1]}",
			crd + "spec: {versions: [{name: v1, served: true}]}",
			[]api.Rule{api.RuleCRDVersion},
		},
		"a version of a CRD is added": {
			"nobody loses anything",
			crd + "spec: {versions: [{name: v1, served: true}]}\nstatus: {storedVersions: [v1]}",
			crd + "spec: {versions: [{name: v1, served: true}, {name: v2, served: true}]}", nil,
		},
		"a version is no longer served": {
			"clients read it", crd + "spec: {versions: [{name: v1, served: true}]}", crd + "spec: {versions: [{name: v1, served: false}]}", []api.Rule{api.RuleCRDVersion},
		},
		"a CRD changes its scope": {
			"the API server refuses it", crd + "spec: {scope: Namespaced}", crd + "spec: {scope: Cluster}", []api.Rule{api.RuleImmutableField},
		},
		"a field of a CRD is taken away": {
			"it is pruned from what is stored",
			schema("{type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {type: string}}}}}"),
			schema("{type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}"),
			[]api.Rule{api.RuleCRDSchema},
		},
		"a field of a CRD is now required": {
			"objects without it could not be updated any more",
			schema("{type: object, properties: {a: {type: string}}}"), schema("{type: object, required: [a], properties: {a: {type: string}}}"), []api.Rule{api.RuleCRDSchema},
		},
		"a field of a CRD is added, an enum grows, a bound is loosened": {
			"everything that was valid still is",
			schema("{type: object, properties: {a: {type: string, enum: [x], maxLength: 5}}}"),
			schema("{type: object, properties: {a: {type: string, enum: [x, y], maxLength: 9}, b: {type: string}}}"), nil,
		},
		"an enum shrinks": {
			"an object may have the value",
			schema("{type: object, properties: {l: {type: array, items: {type: string, enum: [x, y]}}}}"),
			schema("{type: object, properties: {l: {type: array, items: {type: string, enum: [x]}}}}"), []api.Rule{api.RuleCRDSchema},
		},
		"a rule over a field of a CRD": {
			"an object that is there may break it",
			schema("{type: object, properties: {a: {type: string}}}"),
			schema("{type: object, properties: {a: {type: string, x-kubernetes-validations: [{rule: self.size() < 9}]}}}"), []api.Rule{api.RuleCRDSchema},
		},
		"a rule over a field of a CRD is dropped": {
			"everything that was valid still is",
			schema("{type: object, properties: {a: {type: string, x-kubernetes-validations: [{rule: self.size() < 9}]}}}"),
			schema("{type: object, properties: {a: {type: string}}}"), nil,
		},
		"a budget that allows nothing": {
			"no node could be drained", "", budget + "spec: {maxUnavailable: 0}", []api.Rule{api.RuleNeverAllows},
		},
		"a budget that comes to allow nothing": {
			"no node could be drained", budget + "spec: {minAvailable: 50%}", budget + "spec: {minAvailable: 100%}", []api.Rule{api.RuleNeverAllows},
		},
		"a budget that allows one": {
			"that is what it is for", "", budget + "spec: {maxUnavailable: 1}", nil,
		},
		"a webhook fails closed": {
			"every write would wait for it",
			hook + "webhooks: [{name: a.x, failurePolicy: Ignore, rules: [{apiGroups: [apps], resources: [deployments]}]}]",
			hook + "webhooks: [{name: a.x, failurePolicy: Fail, rules: [{apiGroups: [apps], resources: [deployments]}]}]",
			[]api.Rule{api.RuleWebhookFailClosed},
		},
		"a webhook loses its namespace selector": {
			"it would reach kube-system",
			hook + "webhooks: [{name: a.x, failurePolicy: Fail, namespaceSelector: {matchLabels: {a: b}}, rules: [{apiGroups: [apps], resources: [deployments]}]}]",
			hook + "webhooks: [{name: a.x, failurePolicy: Fail, namespaceSelector: {matchLabels: null}, rules: [{apiGroups: [apps], resources: [deployments]}]}]",
			[]api.Rule{api.RuleWebhookScope},
		},
		"a new webhook for everything": {
			"one that does not answer stops the cluster", "",
			hook + "webhooks: [{name: a.x, rules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]}]",
			[]api.Rule{api.RuleWebhookScope},
		},
		"a new webhook for one kind": {
			"that is what it is for", "", hook + "webhooks: [{name: a.x, rules: [{apiGroups: [apps], resources: [deployments]}]}]", nil,
		},
		"a role for everything": {
			"an agent does not need it", role + "rules: [{verbs: [get], resources: ['*'], apiGroups: ['*']}]", role + "rules: [{verbs: ['*'], resources: ['*'], apiGroups: ['*']}]", []api.Rule{api.RuleAllowsEverything},
		},
		"a binding of cluster-admin": {
			"it gives the same, without a rule of its own", "", strings.Replace(role, "ClusterRole", "ClusterRoleBinding", 1) + "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}", []api.Rule{api.RuleAllowsEverything},
		},
		"a binding of another role": {
			"that is what it is for", "", strings.Replace(role, "ClusterRole", "ClusterRoleBinding", 1) + "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}", nil,
		},
		"a volume shrinks": {
			"it cannot", claim + "spec: {resources: {requests: {storage: 2Gi}}}", claim + "spec: {resources: {requests: {storage: 1Gi}}}", []api.Rule{api.RuleVolumeShrinks},
		},
		"a volume grows": {
			"it can", claim + "spec: {resources: {requests: {storage: 1Gi}}}", claim + "spec: {resources: {requests: {storage: 2Gi}}}", nil,
		},
		"data that must not change": {
			"its author said so", configHead + "immutable: true\ndata: {a: '1'}", configHead + "immutable: true\ndata: {a: '2'}", []api.Rule{api.RuleImmutableField},
		},
		"an object that is being deleted": {
			"what is written now is gone in a moment",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, deletionTimestamp: '2026-01-01T00:00:00Z'}", configHead + "data: {a: '2'}", []api.Rule{api.RuleTerminating},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			triple := Triple{Live: object(t, c.live), Target: object(t, c.target)}
			if triple.Live != nil && !strings.Contains(name, "never rendered") {
				triple.Recorded = triple.Live.DeepCopy()
			}
			change := compute(t, triple, Options{})
			same(t, rules(change), append([]api.Rule{}, c.want...), c.reason)

			var exceptions []pipelines.Exception
			for _, rule := range c.want {
				exceptions = append(exceptions, pipelines.Exception{Rule: string(rule), Object: change.Object, Reason: "ticket 7"})
			}
			change = compute(t, triple, Options{Exceptions: exceptions})
			same(t, change.Refusals, []api.Refusal(nil), "an exception lets it through")
			same(t, len(change.Excepted) >= len(c.want), true, "and is kept")
		})
	}
}

func TestExceptionsAreNarrow(t *testing.T) {
	triple := Triple{Live: object(t, deploymentHead+"spec: {replicas: 3}"), Target: object(t, deploymentHead+"spec: {replicas: 0}")}
	for exception, refused := range map[pipelines.Exception]bool{
		{Rule: "scale-to-zero", Object: "Deployment/ns/a", Reason: "r"}:  false,
		{Rule: "scale-to-zero", Object: "Deployment/a", Reason: "r"}:     false,
		{Rule: "scale-to-zero", Object: "Deployment/m/a", Reason: "r"}:   true,
		{Rule: "scale-to-zero", Object: "StatefulSet/ns/a", Reason: "r"}: true,
		{Rule: "drift", Object: "Deployment/ns/a", Reason: "r"}:          true,
	} {
		change := compute(t, triple, Options{Exceptions: []pipelines.Exception{exception}})
		same(t, len(change.Refusals) > 0, refused, exception.Rule+" "+exception.Object)
	}
}

func TestReachesAtOnce(t *testing.T) {
	why := Options{ReachesAtOnce: "annotation sluice.dev/keep-name"}
	live, target := object(t, configHead+"data: {a: '1'}"), object(t, configHead+"data: {a: '2'}")
	same(t, rules(compute(t, Triple{Live: live, Target: target}, why)), []api.Rule{api.RuleReachesAtOnce}, "every pod reads the new content at once")
	same(t, rules(compute(t, Triple{Live: live, Target: live}, why)), []api.Rule{}, "nothing changes")
	same(t, rules(compute(t, Triple{Target: target}, why)), []api.Rule{}, "no pod reads it yet")
	labelled := object(t, configHead+"data: {a: '1'}")
	labelled.SetLabels(map[string]string{"helm.sh/chart": "agent-2.0.0"})
	same(t, rules(compute(t, Triple{Live: live, Target: labelled}, why)), []api.Rule{}, "a label that names the chart's version is not what programs read")
	bytes := object(t, configHead+"data: {a: '1'}\nbinaryData: {b: Yg==}")
	same(t, rules(compute(t, Triple{Live: live, Target: bytes}, why)), []api.Rule{api.RuleReachesAtOnce}, "bytes are read as well")
	why.Exceptions = []pipelines.Exception{{Rule: "reaches-at-once", Object: "ConfigMap/a", Reason: "hotfix"}}
	change := compute(t, Triple{Live: live, Target: target}, why)
	same(t, change.Excepted[0].Reason, "hotfix", "an exception with its reason")
}

func TestWhatMovingPodsCosts(t *testing.T) {
	head := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n"
	costs := Options{Costs: []Cost{{Rule: api.RuleTakesAllDown, Why: "its strategy is Recreate"}}}
	live, target := object(t, head+"spec: {replicas: 2, template: {spec: {hostNetwork: false}}}"), object(t, head+"spec: {replicas: 2, template: {spec: {hostNetwork: true}}}")
	more := object(t, head+"spec: {replicas: 3, template: {spec: {hostNetwork: false}}}")
	same(t, rules(compute(t, Triple{Live: live, Target: target}, costs)), []api.Rule{api.RuleTakesAllDown}, "its pods move")
	same(t, rules(compute(t, Triple{Live: live, Target: more}, costs)), []api.Rule{}, "no pod moves")
	same(t, rules(compute(t, Triple{Target: target}, costs)), []api.Rule{}, "it is created")
	costs.Exceptions = []pipelines.Exception{{Rule: "takes-all-down", Object: "Deployment/a", Reason: "one writer"}}
	change := compute(t, Triple{Live: live, Target: target}, costs)
	same(t, change.Excepted[0].Reason, "one writer", "an exception with its reason")
	same(t, rules(change), []api.Rule{}, "it is let through")
}

func TestPlacementOfADaemonSet(t *testing.T) {
	head := "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a, namespace: ns}\n"
	affinity := func(how, terms string) string {
		return "affinity: {nodeAffinity: {" + how + ": " + terms + "}}"
	}
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	cases := map[string]struct {
		reason       string
		live, target string // of the pod's spec
		field        string // that is refused, "" for none
	}{
		"a selector narrows":           {"pods go at once", "", "nodeSelector: {pool: a}", "nodeSelector"},
		"a selector widens":            {"pods come at once", "nodeSelector: {pool: a}", "nodeSelector: null", "nodeSelector"},
		"a selector that is empty":     {"empty and none are the same", "", "nodeSelector: {}", ""},
		"a node's name":                {"all other nodes lose their pods", "", "nodeName: node-1", "nodeName"},
		"another image only":           {"that goes batch by batch", "nodeSelector: {pool: a}", "nodeSelector: {pool: a}", ""},
		"an affinity that is required": {"the controller goes by it", "", affinity(required, "{nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [a]}]}]}"), required},
		"an affinity that is preferred": {
			"only the scheduler reads it", "", affinity(preferred, "[{weight: 1, preference: {matchExpressions: [{key: pool, operator: In, values: [a]}]}}]"), "",
		},
		"an affinity in another order": {
			"terms, expressions and values are sets",
			affinity(required, "{nodeSelectorTerms: [{matchExpressions: [{key: x, operator: Exists}, {key: pool, operator: In, values: [a, b]}]}, {matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}"),
			affinity(required, "{nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}, {matchExpressions: [{key: pool, operator: In, values: [b, a, a]}, {key: x, operator: Exists}]}]}"),
			"",
		},
		"another value in an affinity": {
			"another pool", affinity(required, "{nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [a]}]}]}"),
			affinity(required, "{nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [b]}]}]}"), required,
		},
		"an affinity to pods":             {"the controller does not read it", "", "affinity: {podAffinity: {" + required + ": [{topologyKey: zone}]}}", ""},
		"a toleration more":               {"tainted nodes get pods at once", "tolerations: [{key: a, operator: Exists}]", "tolerations: [{key: a, operator: Exists}, {key: b, operator: Exists}]", "tolerations"},
		"a toleration less":               {"NoExecute takes their pods away", "tolerations: [{key: a, operator: Exists}, {key: b, operator: Exists}]", "tolerations: [{key: a, operator: Exists}]", "tolerations"},
		"another value of a taint":        {"another pool", "tolerations: [{key: a, value: x}]", "tolerations: [{key: a, value: 'y'}]", "tolerations"},
		"a toleration of one effect only": {"nodes that have the others lose their pods", "tolerations: [{key: a, operator: Exists}]", "tolerations: [{key: a, operator: Exists, effect: NoSchedule}]", "tolerations"},
		"tolerations in another order":    {"they are a set", "tolerations: [{key: a, operator: Exists}, {key: b, value: x}]", "tolerations: [{key: b, operator: Equal, value: x}, {key: a, operator: Exists}]", ""},
		"a toleration for a while":        {"that is for those who evict", "tolerations: [{key: a, operator: Exists, effect: NoExecute}]", "tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 60}]", ""},
		"a taint that only asks":          {"the controller does not read it", "", "tolerations: [{key: a, operator: Exists, effect: PreferNoSchedule}]", ""},
		"what everything covers":          {"it says nothing more", "tolerations: [{operator: Exists}]", "tolerations: [{operator: Exists}, {key: a, operator: Exists}]", ""},
		"what the controller adds":        {"it says nothing more", "", "tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute}]", ""},
	}
	for name, c := range cases {
		shape := func(kind, image, spec string) string {
			if spec != "" {
				spec += ", "
			}
			return kind + "spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {" + spec + "containers: [{name: x, image: '" + image + "'}]}}}"
		}
		found := compute(t, Triple{Live: object(t, shape(head, "a:1", c.live)), Target: object(t, shape(head, "a:2", c.target)), Recorded: object(t, shape(head, "a:1", c.live))}, Options{})
		if c.field == "" {
			same(t, rules(found), []api.Rule{}, name+": "+c.reason)
		} else if same(t, rules(found), []api.Rule{api.RuleReachesAtOnce}, name+": "+c.reason); !strings.Contains(found.Refusals[0].Message, c.field+" changes") {
			t.Errorf("%s: the message %q does not name %s", name, found.Refusals[0].Message, c.field)
		}
		same(t, rules(compute(t, Triple{Target: object(t, shape(head, "a:2", c.target))}, Options{})), []api.Rule{}, name+": a new DaemonSet has no pods yet")
		deployment := compute(t, Triple{Live: object(t, shape(deploymentHead, "a:1", c.live)), Target: object(t, shape(deploymentHead, "a:2", c.target))}, Options{})
		same(t, rules(deployment), []api.Rule{}, name+": the scheduler places a Deployment's pods one by one")
	}
}

func TestExceptionForANameWithADigest(t *testing.T) {
	target := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-0123456789, namespace: ns, annotations: {sluice.dev/base-name: a}}")
	recorded := target.DeepCopy()
	o := Options{Exceptions: []pipelines.Exception{{Rule: "drift", Object: "ConfigMap/ns/a", Reason: "r"}}}
	same(t, compute(t, Triple{Recorded: recorded, Target: target}, o).Refusals, []api.Refusal(nil), "people know the name in the template")
}

func TestFailureMode_R39_AnotherOwnerIsNamed(t *testing.T) {
	live := func(labels, annotations string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, labels: {" + labels + "}, annotations: {" + annotations + "}}\ndata: {a: '1'}"
	}
	cases := map[string]struct {
		reason, live, owner string // owner "" where nobody objects
	}{
		"nobody's":             {"it can be taken", live("", ""), ""},
		"ours":                 {"it is ours", live("", "sluice.dev/component: agent"), ""},
		"another component's":  {"both would write it", live("", "sluice.dev/component: proxy"), "component proxy"},
		"Argo CD's":            {"self-heal would write back for ever", live("", "argocd.argoproj.io/tracking-id: 'web:/ConfigMap:n/a'"), "Argo CD (tracking-id web:/ConfigMap:n/a)"},
		"Argo CD's by label":   {"an older way of tracking", live("argocd.argoproj.io/instance: web", ""), "Argo CD (application web)"},
		"Argo CD's, and ours":  {"our annotation does not stop self-heal", live("", "sluice.dev/component: agent, argocd.argoproj.io/tracking-id: x"), "Argo CD (tracking-id x)"},
		"a Kustomization's":    {"it reconciles", live("kustomize.toolkit.fluxcd.io/name: base, kustomize.toolkit.fluxcd.io/namespace: flux", ""), "Flux (Kustomization flux/base)"},
		"a HelmRelease's":      {"it reconciles", live("helm.toolkit.fluxcd.io/name: web, helm.toolkit.fluxcd.io/namespace: flux", ""), "Flux (HelmRelease flux/web)"},
		"a Helm release's":     {"the next helm upgrade would write it", live("", "meta.helm.sh/release-name: web, meta.helm.sh/release-namespace: ns"), "Helm (release ns/web)"},
		"an adopted release's": {"our annotation says that it was taken over", live("", "sluice.dev/component: agent, meta.helm.sh/release-name: web"), ""},
		"an instance label":    {"many charts write it; it says nothing", live("app.kubernetes.io/instance: web", ""), ""},
	}
	for name, c := range cases {
		change := compute(t, Triple{Live: object(t, c.live), Target: object(t, configHead+"data: {a: '2'}")}, Options{})
		i := slices.IndexFunc(change.Refusals, func(r api.Refusal) bool { return r.Rule == api.RuleOwnedBy })
		if c.owner == "" {
			same(t, i, -1, name+": "+c.reason)
			continue
		}
		if i < 0 || !strings.HasPrefix(change.Refusals[i].Message, c.owner+" keeps it: ") {
			t.Errorf("%s: %s: got %v", name, c.reason, change.Refusals)
		}
	}
}

func TestRulesHaveReasons(t *testing.T) {
	seen := map[api.Rule]bool{}
	for _, r := range Rules() {
		if r.Reason == "" || seen[r.Rule] {
			t.Errorf("rule %q has no reason or is there twice", r.Rule)
		}
		seen[r.Rule] = true
	}
}
