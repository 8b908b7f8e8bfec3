package patch

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func TestDrift(t *testing.T) {
	pods := func(containers string) string {
		return deploymentHead + "spec: {template: {spec: {containers: [" + containers + "]}}}"
	}
	cases := map[string]struct {
		reason                 string
		recorded, live, target string
		intents                []string
		want                   []string // paths
	}{
		"nobody touched it": {
			"live is as recorded", pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:2'}"), nil, nil,
		},
		"somebody set another image": {
			"neither recorded nor rendered", pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:hotfix'}"), pods("{name: app, image: 'app:2'}"), nil,
			[]string{"/spec/template/spec/containers/app/image"},
		},
		"somebody has done already what we are about to do": {
			"live is as rendered now", pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:2'}"), pods("{name: app, image: 'app:2'}"), nil, nil,
		},
		"a field that we never rendered": {
			"defaults and what controllers add is theirs", pods("{name: app, image: 'app:1'}"),
			deploymentHead + "spec: {replicas: 7, template: {spec: {dnsPolicy: Default, containers: [{name: app, image: 'app:1', tty: true}]}}}", pods("{name: app, image: 'app:1'}"), nil, nil,
		},
		"a sidecar was injected": {
			"an element that we never rendered", pods("{name: app, image: 'app:1'}"), pods("{name: mesh, image: m}, {name: app, image: 'app:1'}"), pods("{name: app, image: 'app:1'}"), nil, nil,
		},
		"a container was taken out": {
			"the whole element is named once", pods("{name: app, image: 'app:1'}, {name: log, image: l}"), pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:1'}, {name: log, image: l}"), nil,
			[]string{"/spec/template/spec/containers/log"},
		},
		"a container was taken out that we take out too": {
			"live is as rendered now", pods("{name: app, image: 'app:1'}, {name: log, image: l}"), pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:1'}"), nil, nil,
		},
		"a quantity in another form": {
			"0.1 is 100m", pods("{name: app, resources: {limits: {cpu: 0.1, memory: 1024Mi}}}"), pods("{name: app, resources: {limits: {cpu: 100m, memory: 1Gi}}}"), pods("{name: app, resources: {limits: {cpu: 0.2}}}"), nil, nil,
		},
		"a port in another form": {
			"a number or a text that reads the same", serviceHead + "spec: {ports: [{port: 80, targetPort: '8080'}]}", serviceHead + "spec: {ports: [{port: 80, targetPort: 8080, protocol: TCP}]}",
			serviceHead + "spec: {ports: [{port: 80, targetPort: '8080'}]}", nil, nil,
		},
		"arguments in another order": {
			"the order of a list without keys matters", pods("{name: app, args: [a, b]}"), pods("{name: app, args: [b, a]}"), pods("{name: app, args: [a, b]}"), nil,
			[]string{"/spec/template/spec/containers/app/args"},
		},
		"containers in another order": {
			"the order of a keyed list does not", pods("{name: app, image: a}, {name: log, image: l}"), pods("{name: log, image: l}, {name: app, image: a}"), pods("{name: app, image: a}, {name: log, image: l}"), nil, nil,
		},
		"a list of a custom resource grew": {
			"it would be replaced whole: the new element would be lost", customHead + "spec: {list: [a]}", customHead + "spec: {list: [a, b]}", customHead + "spec: {list: [a]}", nil,
			[]string{"/spec/list"},
		},
		"a label was taken away": {
			"nothing is neither what was recorded nor what is rendered",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: '1'}}", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: '2'}}", nil,
			[]string{"/metadata/labels/x"},
		},
		"one port by TCP and UDP, as it was": {
			"a key that is not unique is no reason to see drift", serviceHead + "spec: {ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}", serviceHead + "spec: {ports: [{port: 53, protocol: UDP, targetPort: 53}, {port: 53, protocol: TCP, targetPort: 53}]}",
			serviceHead + "spec: {ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}", nil, nil,
		},
		"somebody switched on what was rendered as off": {
			"false is a value", deploymentHead + "spec: {template: {spec: {hostNetwork: false}}}", deploymentHead + "spec: {template: {spec: {hostNetwork: true}}}", deploymentHead + "spec: {template: {spec: {hostNetwork: false}}}", nil,
			[]string{"/spec/template/spec/hostNetwork"},
		},
		"somebody let every namespace in": {
			"a peer of a NetworkPolicy has no defaults: what is added there means something else",
			policyHead + "spec: {ingress: [{from: [{podSelector: {matchLabels: {a: b}}}]}]}",
			policyHead + "spec: {ingress: [{from: [{podSelector: {matchLabels: {a: b}}, namespaceSelector: {}}]}]}",
			policyHead + "spec: {ingress: [{from: [{podSelector: {matchLabels: {a: b}}}]}]}", nil,
			[]string{"/spec/ingress"},
		},
		"somebody narrowed what lets everybody in": {
			"an empty rule is not nothing", policyHead + "spec: {ingress: [{}]}", policyHead + "spec: {ingress: [{from: [{podSelector: {}}]}]}", policyHead + "spec: {ingress: [{}]}", nil,
			[]string{"/spec/ingress"},
		},
		"somebody put another selector in the place of an empty one": {
			"an empty selector is every namespace, not nothing",
			policyHead + "spec: {ingress: [{from: [{namespaceSelector: {}}]}]}", policyHead + "spec: {ingress: [{from: [{podSelector: {}}]}]}", policyHead + "spec: {ingress: [{from: [{namespaceSelector: {}}]}]}", nil,
			[]string{"/spec/ingress"},
		},
		"somebody put a folder of the host in the place of an empty volume": {
			"emptyDir: {} is not nothing",
			deploymentHead + "spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}", deploymentHead + "spec: {template: {spec: {volumes: [{name: v, hostPath: {path: /x}}]}}}", deploymentHead + "spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}", nil,
			[]string{"/spec/template/spec/volumes/v/emptyDir"},
		},
		"rules that a controller puts together": {
			"an aggregated role is rendered with no rules, and gets them from others",
			roleHead + "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: []",
			roleHead + "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: [{verbs: [get], apiGroups: [''], resources: [pods]}]",
			roleHead + "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: []", nil, nil,
		},
		"a default in a list that is replaced whole": {
			"the element says all that was recorded", customHead + "spec: {list: [{a: 1}]}", customHead + "spec: {list: [{a: 1, defaulted: true}]}", customHead + "spec: {list: [{a: 2}]}", nil, nil,
		},
		"a write of an earlier run": {
			"it was ours: that run meant 2, and we mean 3", pods("{name: app, image: 'app:1'}"), pods("{name: app, image: 'app:2'}"), pods("{name: app, image: 'app:3'}"),
			[]string{pods("{name: app, image: 'app:2'}")}, nil,
		},
		"a write of an earlier run, and somebody else's": {
			"only theirs is drift", pods("{name: app, image: 'app:1', tty: false, workingDir: /a}"), pods("{name: app, image: 'app:2', workingDir: /b}"), pods("{name: app, image: 'app:3', workingDir: /a}"),
			[]string{pods("{name: app, image: 'app:2', workingDir: /a}")},
			[]string{"/spec/template/spec/containers/app/workingDir"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := Options{}
			for _, intent := range c.intents {
				o.Intents = append(o.Intents, object(t, intent))
			}
			triple := Triple{object(t, c.recorded), object(t, c.live), object(t, c.target)}
			change := compute(t, triple, o)
			same(t, paths(change.Drift), c.want, c.reason)
			same(t, len(change.Refusals), len(c.want), "refused unless the policy says otherwise")

			o.Drift = pipelines.DriftOverwrite
			change = compute(t, triple, o)
			same(t, paths(change.Drift), c.want, "Overwrite shows it too")
			same(t, change.Refusals, []api.Refusal(nil), "Overwrite goes on")
			same(t, compute(t, Triple{triple.Target, change.Result, triple.Target}, Options{}).Action, Unchanged, "Overwrite leaves all that the target says")

			o.Drift = pipelines.DriftKeep
			change = compute(t, triple, o)
			same(t, change.Refusals, []api.Refusal(nil), "Keep goes on")
			for _, path := range c.want {
				m := shapeOf(triple.Live).merge
				same(t, lookup(change.Result.Object, parsePointer(path), m), lookup(triple.Live.Object, parsePointer(path), m), "Keep leaves what is live")
			}
		})
	}
}

func paths(changes []FieldChange) []string {
	var list []string
	for _, c := range changes {
		list = append(list, c.Path)
	}
	return list
}

// TestFailureMode_R35: a retry after a crash half-way reads its own writes as its own.
func TestFailureMode_R35(t *testing.T) {
	before := object(t, deploymentHead+"spec: {replicas: 3, template: {metadata: {labels: {v: '1'}}, spec: {containers: [{name: app, image: 'app:1'}]}}}")
	target := object(t, deploymentHead+"spec: {replicas: 3, template: {metadata: {labels: {v: '2'}}, spec: {containers: [{name: app, image: 'app:2'}]}}}")
	first := compute(t, Triple{Recorded: before, Live: before, Target: target}, Options{})
	retry := compute(t, Triple{Recorded: before, Live: first.Result, Target: target}, Options{})
	same(t, retry.Action, Unchanged, "what was written before the crash is done")
	same(t, retry.Drift, []FieldChange(nil), "and no drift")

	// The way back of a run that was stopped in the middle: half of the object is as the run wrote it.
	half := first.Result.DeepCopy()
	if err := unstructured.SetNestedField(half.Object, "1", "spec", "template", "metadata", "labels", "v"); err != nil {
		t.Fatal(err)
	}
	back := compute(t, Triple{Recorded: target, Live: half, Target: before}, Options{})
	same(t, back.Refusals, []api.Refusal(nil), "each half is one that we wrote")

	next := object(t, deploymentHead+"spec: {replicas: 3, template: {metadata: {labels: {v: '3'}}, spec: {containers: [{name: app, image: 'app:3'}]}}}")
	blind := compute(t, Triple{Recorded: before, Live: half, Target: next}, Options{})
	same(t, rules(blind), []api.Rule{api.RuleDrift}, "a later run that does not know of the earlier one's intent must not pass over it")
	knowing := compute(t, Triple{Recorded: before, Live: half, Target: next}, Options{Intents: []*unstructured.Unstructured{target}})
	same(t, knowing.Refusals, []api.Refusal(nil), "one that knows goes on")
	same(t, knowing.Action, Patch, "to its own target")
}

func TestDriftOfADeletedObject(t *testing.T) {
	recorded, target := object(t, configHead+"data: {a: '1'}"), object(t, configHead+"data: {a: '2'}")
	for policy, want := range map[pipelines.DriftPolicy]struct {
		action Action
		rules  []api.Rule
	}{
		"":                       {Create, []api.Rule{api.RuleDrift}},
		pipelines.DriftRefuse:    {Create, []api.Rule{api.RuleDrift}},
		pipelines.DriftOverwrite: {Create, []api.Rule{}},
		pipelines.DriftKeep:      {Unchanged, []api.Rule{}},
	} {
		change := compute(t, Triple{Recorded: recorded, Target: target}, Options{Drift: policy})
		same(t, change.Action, want.action, "policy "+string(policy))
		same(t, rules(change), want.rules, "policy "+string(policy))
	}
}

func TestDriftNamesTheManager(t *testing.T) {
	live := object(t, deploymentHead+"spec: {replicas: 9, template: {spec: {containers: [{name: app, image: 'app:hotfix', args: [x]}]}}}")
	if err := unstructured.SetNestedSlice(live.Object, []any{
		entry("sluice", "2026-01-01T00:00:00Z", "", map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}),
		entry("kube-controller-manager", "2026-03-01T00:00:00Z", "status", map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}),
		entry("kubectl-edit", "2026-02-01T00:00:00Z", "", map[string]any{"f:spec": map[string]any{
			"f:replicas": map[string]any{},
			"f:template": map[string]any{"f:spec": map[string]any{"f:containers": map[string]any{
				`k:{"name":"app"}`: map[string]any{"f:image": map[string]any{}, "f:args": map[string]any{}},
			}}},
		}}),
	}, "metadata", "managedFields"); err != nil {
		t.Fatal(err)
	}
	recorded := object(t, deploymentHead+"spec: {replicas: 3, template: {spec: {containers: [{name: app, image: 'app:1', args: [a, b], tty: true}]}}}")
	change := compute(t, Triple{Recorded: recorded, Live: live, Target: recorded}, Options{})
	same(t, change.Drift, []FieldChange{
		{Path: "/spec/replicas", Recorded: "3", Live: "9", Target: "3", Manager: "kubectl-edit"},
		{Path: "/spec/template/spec/containers/app/args", Recorded: `["a","b"]`, Live: `["x"]`, Target: `["a","b"]`, Manager: "kubectl-edit"},
		{Path: "/spec/template/spec/containers/app/image", Recorded: `"app:1"`, Live: `"app:hotfix"`, Target: `"app:1"`, Manager: "kubectl-edit"},
		{Path: "/spec/template/spec/containers/app/tty", Recorded: "true", Target: "true"},
	}, "who wrote it last, where the API server says so")
	same(t, change.Refusals[0].Message, "/spec/replicas was changed by kubectl-edit: 3 is now 9", "message")
	same(t, change.Refusals[3].Message, "/spec/template/spec/containers/app/tty was changed by somebody else: true is now nothing", "message")
}

func entry(manager, when, subresource string, fields map[string]any) map[string]any {
	e := map[string]any{"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": when, "fieldsType": "FieldsV1", "fieldsV1": fields}
	if subresource != "" {
		e["subresource"] = subresource
	}
	return e
}

func TestSecretsAreNeverShown(t *testing.T) {
	secretOf := func(data string) *unstructured.Unstructured {
		return object(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: ns}\ntype: Opaque\n"+data)
	}
	const recorded, live, target = "cmVjb3JkZWQ=", "bGl2ZQ==", "dGFyZ2V0"
	triple := Triple{
		secretOf("data: {password: " + recorded + ", old: " + recorded + "}"),
		secretOf("data: {password: " + live + ", old: " + recorded + "}"),
		secretOf("data: {password: " + target + "}\nstringData: {new: plain-text}"),
	}
	change := compute(t, triple, Options{})
	same(t, change.Drift, []FieldChange{{Path: "/data/password", Recorded: "***", Live: "***", Target: "***"}}, "that a key was changed is told")
	same(t, change.Diff, "+ /data/new: ***\n- /data/old: ***\n- /data/password: ***\n+ /data/password: ***\n", "which keys change is told")

	created := compute(t, Triple{Target: triple.Target}, Options{})
	renamed := compute(t, Triple{Target: triple.Target}, Options{Previous: triple.Recorded})
	for _, c := range []Change{change, created, renamed} {
		text := Text(c)
		for _, f := range append(c.Drift, c.Fields...) {
			text += f.Recorded + f.Live + f.Target
		}
		for _, r := range c.Refusals {
			text += r.Message
		}
		for _, value := range []string{recorded, live, target, "recorded", "live\"", "plain-text", "cGxhaW4tdGV4dA=="} {
			if strings.Contains(text, value) {
				t.Errorf("%q shows in\n%s", value, text)
			}
		}
	}
}
