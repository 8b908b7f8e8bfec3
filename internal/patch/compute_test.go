package patch

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// object reads YAML; nil for an empty text.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	o := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(data, &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

func compute(t *testing.T, triple Triple, o Options) Change {
	t.Helper()
	if o.Component == "" {
		o.Component = "agent"
	}
	c, err := Compute(triple, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func same(t *testing.T, got, want any, reason string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

func rules(c Change) []api.Rule {
	list := []api.Rule{}
	for _, r := range c.Refusals {
		list = append(list, r.Rule)
	}
	return slices.Compact(list)
}

const (
	deploymentHead = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n"
	clonesetHead   = "apiVersion: apps.kruise.io/v1alpha1\nkind: CloneSet\nmetadata: {name: a, namespace: ns}\n"
	serviceHead    = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns}\n"
	configHead     = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\n"
	policyHead     = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: ns}\n"
	roleHead       = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"
	customHead     = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a, namespace: ns}\n"
)

func TestMerge(t *testing.T) {
	cases := map[string]struct {
		reason                 string
		recorded, live, target string
		want                   string          // of the result; "" for the live object as it is
		kind                   types.PatchType // "" for no patch
		patch                  string          // the patch itself, where it matters
	}{
		"an image is changed in a keyed list": {
			reason:   "containers are merged by name: the sidecar that was injected, and every default, stay",
			recorded: deploymentHead + "spec: {template: {spec: {containers: [{name: app, image: 'app:1'}]}}}",
			live:     deploymentHead + "spec: {replicas: 1, template: {spec: {dnsPolicy: ClusterFirst, containers: [{name: app, image: 'app:1', imagePullPolicy: Always}, {name: sidecar, image: 'mesh:7'}]}}}",
			target:   deploymentHead + "spec: {template: {spec: {containers: [{name: app, image: 'app:2'}]}}}",
			want:     deploymentHead + "spec: {replicas: 1, template: {spec: {dnsPolicy: ClusterFirst, containers: [{name: app, image: 'app:2', imagePullPolicy: Always}, {name: sidecar, image: 'mesh:7'}]}}}",
			kind:     types.StrategicMergePatchType,
		},
		"a container is taken away": {
			reason:   "it was recorded and is no longer rendered",
			recorded: deploymentHead + "spec: {template: {spec: {containers: [{name: app, image: 'app:1'}, {name: log, image: 'log:1'}]}}}",
			live:     deploymentHead + "spec: {template: {spec: {containers: [{name: app, image: 'app:1'}, {name: log, image: 'log:1'}, {name: sidecar, image: 'mesh:7'}]}}}",
			target:   deploymentHead + "spec: {template: {spec: {containers: [{name: app, image: 'app:1'}]}}}",
			want:     deploymentHead + "spec: {template: {spec: {containers: [{name: app, image: 'app:1'}, {name: sidecar, image: 'mesh:7'}]}}}",
			kind:     types.StrategicMergePatchType,
		},
		"a strategy changes its type": {
			reason:   "$retainKeys: the parameters of the other type must go, though nobody recorded them",
			recorded: deploymentHead + "spec: {strategy: {type: RollingUpdate}}",
			live:     deploymentHead + "spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}}",
			target:   deploymentHead + "spec: {strategy: {type: Recreate}}",
			want:     deploymentHead + "spec: {strategy: {type: Recreate}}",
			kind:     types.StrategicMergePatchType,
		},
		"a union of which a part is rendered": {
			reason:   "the API server has added the type: dropping it would be a change that changes nothing",
			recorded: deploymentHead + "spec: {strategy: {rollingUpdate: {maxSurge: 1}}}",
			live:     deploymentHead + "spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}}}",
			target:   deploymentHead + "spec: {strategy: {rollingUpdate: {maxSurge: 1}}}",
		},
		"a volume changes its source": {
			reason:   "$retainKeys: a volume has one source",
			recorded: deploymentHead + "spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}",
			live:     deploymentHead + "spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}, {name: token, projected: {}}]}}}",
			target:   deploymentHead + "spec: {template: {spec: {volumes: [{name: v, hostPath: {path: /var}}]}}}",
			want:     deploymentHead + "spec: {template: {spec: {volumes: [{name: v, hostPath: {path: /var}}, {name: token, projected: {}}]}}}",
			kind:     types.StrategicMergePatchType,
		},
		"a key is taken away": {
			reason:   "what was recorded and is no longer rendered goes; what others wrote stays",
			recorded: configHead + "data: {a: '1', b: '2'}",
			live:     configHead + "data: {a: '1', b: '2', c: '3'}",
			target:   configHead + "data: {a: '1'}",
			want:     configHead + "data: {a: '1', c: '3'}",
			kind:     types.StrategicMergePatchType,
		},
		"an element leaves a list of texts that is merged": {
			reason:   "finalizers are a merged list of texts: others' stay",
			recorded: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, finalizers: [x/a, x/b]}",
			live:     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, finalizers: [x/a, x/b, y/theirs]}",
			target:   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, finalizers: [x/a]}",
			want:     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, finalizers: [x/a, y/theirs]}",
			kind:     types.StrategicMergePatchType,
		},
		"a list of texts without keys": {
			reason:   "arguments are replaced whole",
			recorded: deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: [a, b]}]}}}",
			live:     deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: [a, b]}]}}}",
			target:   deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: [b, c, a]}]}}}",
			want:     deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: [b, c, a]}]}}}",
			kind:     types.StrategicMergePatchType,
		},
		"null where something is": {
			reason: "null takes away, as with kubectl apply",
			live:   deploymentHead + "spec: {minReadySeconds: 5, template: {spec: {nodeSelector: {a: b}}}}",
			target: deploymentHead + "spec: {minReadySeconds: 5, template: {spec: {nodeSelector: null}}}",
			want:   deploymentHead + "spec: {minReadySeconds: 5, template: {spec: {}}}",
			kind:   types.StrategicMergePatchType,
		},
		"null where nothing is": {
			reason: "there is nothing to take away",
			live:   deploymentHead + "spec: {minReadySeconds: 5}",
			target: deploymentHead + "spec: {minReadySeconds: 5, template: null}",
		},
		"what the API server has defaulted": {
			reason: "a default is no difference",
			live:   deploymentHead + "spec: {progressDeadlineSeconds: 600, template: {spec: {restartPolicy: Always, containers: [{name: app, terminationMessagePath: /dev/termination-log, resources: {}}]}}}",
			target: deploymentHead + "spec: {template: {spec: {containers: [{name: app}]}}}",
		},
		"what the API server writes another way": {
			reason: "0.1 is 100m, 1024Mi is 1Gi, an empty list is none: nothing would change",
			live:   deploymentHead + "spec: {template: {spec: {containers: [{name: app, resources: {limits: {cpu: 100m, memory: 1Gi}}}]}}}",
			target: deploymentHead + "spec: {template: {spec: {nodeSelector: {}, hostNetwork: false, containers: [{name: app, args: [], resources: {limits: {cpu: 0.1, memory: 1024Mi}}}]}}}",
		},
		"stringData that is there already": {
			reason: "the API server folds it into data",
			live:   "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: Opaque\ndata: {k: aGVsbG8=}",
			target: "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: hello}",
		},
		"a port by TCP and UDP": {
			reason:   "the merge key is not unique; both ports have to be there afterwards",
			recorded: serviceHead + "spec: {ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}",
			live:     serviceHead + "spec: {clusterIP: 10.0.0.1, ports: [{name: dns, port: 53, protocol: UDP, targetPort: 53}, {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}]}",
			target:   serviceHead + "spec: {ports: [{name: dns, port: 53, protocol: UDP, targetPort: 1053}, {name: dns-tcp, port: 53, protocol: TCP, targetPort: 1053}]}",
			want:     serviceHead + "spec: {clusterIP: 10.0.0.1, ports: [{name: dns, port: 53, protocol: UDP, targetPort: 1053}, {name: dns-tcp, port: 53, protocol: TCP, targetPort: 1053}]}",
			kind:     types.MergePatchType,
		},
		"finalizers where a port is served by TCP and UDP": {
			reason:   "the other way of merging leaves others' finalizers too",
			recorded: "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns, finalizers: [x/a, x/b]}\nspec: {ports: [{name: u, port: 53, protocol: UDP}, {name: t, port: 53, protocol: TCP}]}",
			live:     "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns, finalizers: [x/a, x/b, service.kubernetes.io/load-balancer-cleanup]}\nspec: {ports: [{name: u, port: 53, protocol: UDP}, {name: t, port: 53, protocol: TCP}]}",
			target:   "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns, finalizers: [x/a]}\nspec: {ports: [{name: u, port: 53, protocol: UDP, targetPort: 1}, {name: t, port: 53, protocol: TCP, targetPort: 1}]}",
			want:     "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns, finalizers: [x/a, service.kubernetes.io/load-balancer-cleanup]}\nspec: {ports: [{name: u, port: 53, protocol: UDP, targetPort: 1}, {name: t, port: 53, protocol: TCP, targetPort: 1}]}",
			kind:     types.MergePatchType,
		},
		"a union changes where a port is served by TCP and UDP": {
			reason:   "the other way of merging knows unions too",
			recorded: deploymentHead + "spec: {strategy: {type: RollingUpdate}, template: {spec: {volumes: [{name: v, emptyDir: {}}], containers: [{name: dns, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53, protocol: TCP}]}]}}}",
			live:     deploymentHead + "spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}, template: {spec: {volumes: [{name: v, emptyDir: {}}, {name: t, projected: {}}], containers: [{name: dns, tty: true, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53, protocol: TCP}]}, {name: sidecar}]}}}",
			target:   deploymentHead + "spec: {strategy: {type: Recreate}, template: {spec: {volumes: [{name: v, hostPath: {path: /v}}], containers: [{name: dns, ports: [{containerPort: 53, name: udp, protocol: UDP}, {containerPort: 53, name: tcp, protocol: TCP}]}]}}}",
			want:     deploymentHead + "spec: {strategy: {type: Recreate}, template: {spec: {volumes: [{name: v, hostPath: {path: /v}}, {name: t, projected: {}}], containers: [{name: dns, tty: true, ports: [{containerPort: 53, name: udp, protocol: UDP}, {containerPort: 53, name: tcp, protocol: TCP}]}, {name: sidecar}]}}}",
			kind:     types.MergePatchType,
		},
		"defaults in a list that is replaced whole": {
			reason: "the API server has added apiVersion and defaultMode: replacing the list would be a change that changes nothing",
			live:   deploymentHead + "spec: {template: {spec: {volumes: [{name: v, downwardAPI: {defaultMode: 420, items: [{path: labels, fieldRef: {apiVersion: v1, fieldPath: metadata.labels}}]}}]}}}",
			target: deploymentHead + "spec: {template: {spec: {volumes: [{name: v, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]}}}",
		},
		"defaults in a list of a custom resource": {
			reason:   "as with any list",
			recorded: customHead + "spec: {list: [{a: 1}]}",
			live:     customHead + "spec: {list: [{a: 1, defaulted: true}]}",
			target:   customHead + "spec: {list: [{a: 1}]}",
		},
		"a key of an element in a list that is replaced whole is taken away": {
			reason:   "it was recorded: it is no default",
			recorded: customHead + "spec: {list: [{a: 1, b: 2}]}",
			live:     customHead + "spec: {list: [{a: 1, b: 2}]}",
			target:   customHead + "spec: {list: [{a: 1}]}",
			want:     customHead + "spec: {list: [{a: 1}]}",
			kind:     types.MergePatchType,
		},
		"no rules at all": {
			reason: "the API server stores an empty list as null, also where the field is always written",
			live:   roleHead + "rules: null",
			target: roleHead + "rules: []",
		},
		"rules that a controller puts together": {
			reason:   "an aggregated role keeps them",
			recorded: roleHead + "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: []",
			live:     roleHead + "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: [{verbs: [get], apiGroups: [''], resources: [pods]}]",
			target:   roleHead + "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: []",
		},
		"an empty list where something is": {
			reason:   "no arguments is a difference there",
			recorded: deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: [a]}]}}}",
			live:     deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: [a]}]}}}",
			target:   deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: []}]}}}",
			want:     deploymentHead + "spec: {template: {spec: {containers: [{name: app, args: []}]}}}",
			kind:     types.StrategicMergePatchType,
		},
		"false where true is": {
			reason: "no host network is a difference there",
			live:   deploymentHead + "spec: {template: {spec: {hostNetwork: true}}}",
			target: deploymentHead + "spec: {template: {spec: {hostNetwork: false}}}",
			want:   deploymentHead + "spec: {template: {spec: {hostNetwork: false}}}",
			kind:   types.StrategicMergePatchType,
		},
		"an empty source of a volume": {
			reason:   "emptyDir: {} is not nothing",
			recorded: deploymentHead + "spec: {template: {spec: {volumes: [{name: v, hostPath: {path: /v}}]}}}",
			live:     deploymentHead + "spec: {template: {spec: {volumes: [{name: v, hostPath: {path: /v, type: ''}}]}}}",
			target:   deploymentHead + "spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}",
			want:     deploymentHead + "spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}",
			kind:     types.StrategicMergePatchType,
		},
		"a CloneSet with an injected sidecar": {
			reason:   "its pod template is merged like any other, and sent whole since the API server cannot merge it",
			recorded: clonesetHead + "spec: {replicas: 3, updateStrategy: {partition: 0}, template: {spec: {containers: [{name: app, image: 'app:1'}]}}}",
			live:     clonesetHead + "spec: {replicas: 3, updateStrategy: {partition: 0, maxUnavailable: 20%}, template: {spec: {dnsPolicy: ClusterFirst, containers: [{name: app, image: 'app:1', imagePullPolicy: Always}, {name: sidecar, image: 'mesh:7'}]}}}",
			target:   clonesetHead + "spec: {replicas: 3, updateStrategy: {partition: 0}, template: {spec: {containers: [{name: app, image: 'app:2'}]}}}",
			want:     clonesetHead + "spec: {replicas: 3, updateStrategy: {partition: 0, maxUnavailable: 20%}, template: {spec: {dnsPolicy: ClusterFirst, containers: [{name: app, image: 'app:2', imagePullPolicy: Always}, {name: sidecar, image: 'mesh:7'}]}}}",
			kind:     types.MergePatchType,
			patch:    `{"spec":{"template":{"spec":{"containers":[{"image":"app:2","imagePullPolicy":"Always","name":"app"},{"image":"mesh:7","name":"sidecar"}]}}}}`,
		},
		"a port by TCP and UDP, and a field that is rendered no more": {
			reason:   "what is merged here takes away what was recorded and is not said any more, too",
			recorded: serviceHead + "spec: {externalName: old, ports: [{name: dns, port: 53, protocol: TCP}]}",
			live:     serviceHead + "spec: {externalName: old, theirs: 1, ports: [{name: dns, port: 53, protocol: TCP}]}",
			target:   serviceHead + "spec: {ports: [{name: dns, port: 53, protocol: TCP}, {name: udp, port: 53, protocol: UDP}]}",
			want:     serviceHead + "spec: {theirs: 1, ports: [{name: dns, port: 53, protocol: TCP}, {name: udp, port: 53, protocol: UDP}]}",
			kind:     types.MergePatchType,
		},
		"a list in a custom resource": {
			reason:   "without a schema it is replaced whole; keys beside it that others wrote stay",
			recorded: customHead + "spec: {list: [{name: x, v: 1}], old: 1}",
			live:     customHead + "spec: {list: [{name: x, v: 1}], old: 1, theirs: 1}",
			target:   customHead + "spec: {list: [{name: x, v: 2}, {name: z, v: 1}]}",
			want:     customHead + "spec: {list: [{name: x, v: 2}, {name: z, v: 1}], theirs: 1}",
			kind:     types.MergePatchType,
			patch:    `{"spec":{"list":[{"name":"x","v":2},{"name":"z","v":1}],"old":null}}`,
		},
		"a field that this program does not know": {
			reason: "a cluster may be newer than Sluice: the field is sent all the same",
			live:   deploymentHead + "spec: {template: {spec: {containers: [{name: app}]}}}",
			target: deploymentHead + "spec: {fromTheFuture: {list: [{a: 1}]}, template: {spec: {containers: [{name: app, alsoNew: true}]}}}",
			want:   deploymentHead + "spec: {fromTheFuture: {list: [{a: 1}]}, template: {spec: {containers: [{name: app, alsoNew: true}]}}}",
			kind:   types.StrategicMergePatchType,
		},
		"status and the server's metadata in a template": {
			reason: "people render what kubectl get printed",
			live:   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: u1, resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z'}\ndata: {a: '1'}",
			target: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: u0, resourceVersion: '1', creationTimestamp: null}\ndata: {a: '1'}\nstatus: {x: 1}",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			triple := Triple{Recorded: object(t, c.recorded), Live: object(t, c.live), Target: object(t, c.target)}
			change := compute(t, triple, Options{})
			want := object(t, c.want)
			if want == nil {
				want = object(t, c.live)
			}
			same(t, change.Result.Object, want.Object, c.reason)
			same(t, change.PatchType, c.kind, "patch type")
			same(t, change.Action == Unchanged, c.kind == "", "action is "+string(change.Action))
			if c.patch != "" {
				same(t, string(change.Patch), c.patch, "patch")
			}
			same(t, change.Refusals, []api.Refusal(nil), "nothing speaks against it")
			again := compute(t, Triple{Recorded: triple.Target, Live: change.Result, Target: triple.Target}, Options{})
			same(t, again.Action, Unchanged, "once it is done, nothing is left to do: "+again.Diff)
		})
	}
}

func TestInputsAreNotChanged(t *testing.T) {
	triple := Triple{
		Recorded: object(t, deploymentHead+"spec: {replicas: 1, template: {spec: {containers: [{name: app, image: 'app:1'}]}}}"),
		Live:     object(t, deploymentHead+"spec: {replicas: 5, template: {spec: {containers: [{name: app, image: 'app:0'}]}}}\nstatus: {replicas: 1}"),
		Target:   object(t, deploymentHead+"spec: {replicas: 2, template: {spec: {containers: [{name: app, image: 'app:2'}]}}}"),
	}
	was := []*unstructured.Unstructured{triple.Recorded.DeepCopy(), triple.Live.DeepCopy(), triple.Target.DeepCopy()}
	compute(t, triple, Options{Drift: pipelines.DriftKeep, Leave: []string{"/spec/replicas"}})
	same(t, []*unstructured.Unstructured{triple.Recorded, triple.Live, triple.Target}, was, "inputs")
}

func TestLeftFields(t *testing.T) {
	deployment := func(replicas, annotation, image string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns, annotations: {" + annotation + "}}\n" +
			"spec: {" + replicas + " template: {spec: {containers: [{name: app, image: '" + image + "'}]}}}"
	}
	replicas := pipelines.IgnoreRule{Kind: "Deployment", Fields: []string{"/spec/replicas"}}
	cases := map[string]struct {
		reason                 string
		recorded, live, target string
		options                Options
		want                   string // "" for unchanged
	}{
		"an autoscaler's replicas": {
			reason:   "the component says that the field is not its own",
			recorded: deployment("replicas: 2,", "", "app:1"), live: deployment("replicas: 9,", "", "app:1"), target: deployment("replicas: 3,", "", "app:2"),
			options: Options{Ignore: []pipelines.IgnoreRule{replicas}},
			want:    deployment("replicas: 9,", "", "app:2"),
		},
		"replicas that are not rendered any more": {
			reason:   "to leave a field alone is not to take it away",
			recorded: deployment("replicas: 2,", "", "app:1"), live: deployment("replicas: 9,", "", "app:1"), target: deployment("", "", "app:1"),
			options: Options{Ignore: []pipelines.IgnoreRule{replicas}},
		},
		"a rule for another name": {
			reason:   "it is not about this object",
			recorded: deployment("replicas: 9,", "", "app:1"), live: deployment("replicas: 9,", "", "app:1"), target: deployment("replicas: 3,", "", "app:1"),
			options: Options{Ignore: []pipelines.IgnoreRule{{Kind: "Deployment", Name: "b", Fields: []string{"/spec/replicas"}}}},
			want:    deployment("replicas: 3,", "", "app:1"),
		},
		"an element by its name": {
			reason:   "an ignore rule reads as the paths that plan prints",
			recorded: deployment("", "", "app:1"), live: deployment("", "", "app:hotfix"), target: deployment("", "", "app:2"),
			options: Options{Ignore: []pipelines.IgnoreRule{{Kind: "Deployment", Fields: []string{"/spec/template/spec/containers/app/image"}}}},
		},
		"every element": {
			reason:   "* stands for all",
			recorded: deployment("", "", "app:1"), live: deployment("", "", "app:hotfix"), target: deployment("", "", "app:2"),
			options: Options{Ignore: []pipelines.IgnoreRule{{Kind: "Deployment", Fields: []string{"/spec/template/spec/containers/*/image"}}}},
		},
		"what controllers annotate": {
			reason:   "the deployment controller's own notes are not ours, even where a chart renders them",
			recorded: deployment("", "deployment.kubernetes.io/revision: '1'", "app:1"),
			live:     deployment("", "deployment.kubernetes.io/revision: '7', sluice.dev/held: '{}'", "app:1"),
			target:   deployment("", "deployment.kubernetes.io/revision: '1', sluice.dev/held: ''", "app:1"),
		},
		"what a driver holds": {
			reason:   "the driver has stretched the strategy while it moves pods; the patch must not give it back",
			recorded: deployment("strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}, minReadySeconds: 5,", "", "app:1"),
			live:     deployment("strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}, minReadySeconds: 2147483646,", "", "app:1"),
			target:   deployment("strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}, minReadySeconds: 5,", "", "app:2"),
			options:  Options{Leave: []string{"/spec/strategy", "/spec/minReadySeconds"}},
			want:     deployment("strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}, minReadySeconds: 2147483646,", "", "app:2"),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			change := compute(t, Triple{object(t, c.recorded), object(t, c.live), object(t, c.target)}, c.options)
			same(t, change.Refusals, []api.Refusal(nil), c.reason)
			if c.want == "" {
				same(t, change.Action, Unchanged, c.reason+": "+change.Diff)
				return
			}
			same(t, change.Result.Object, object(t, c.want).Object, c.reason)
		})
	}
	t.Run("a left field is written as rendered where the object is new", func(t *testing.T) {
		change := compute(t, Triple{Target: object(t, deployment("replicas: 3,", "", "app:1"))}, Options{Ignore: []pipelines.IgnoreRule{replicas}})
		same(t, at(change.Result.Object, "spec", "replicas"), any(int64(3)), "replicas")
	})
}

func TestCertificateBundles(t *testing.T) {
	hook := func(bundle string) *unstructured.Unstructured {
		return object(t, "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: a}\n"+
			"webhooks: [{name: v.example.com, failurePolicy: Ignore, clientConfig: {service: {name: s, namespace: ns}"+bundle+"}}]")
	}
	cases := map[string]struct {
		reason                 string
		recorded, live, target string
		want                   Action
	}{
		"injected, not rendered":         {"a certificate manager owns it", "", ", caBundle: QUJD", "", Unchanged},
		"injected over a placeholder":    {"charts put a line feed there", ", caBundle: Cg==", ", caBundle: QUJD", ", caBundle: Cg==", Unchanged},
		"injected over what is the same": {"the chart does not change it", ", caBundle: QQ==", ", caBundle: QUJD", ", caBundle: QQ==", Unchanged},
		"rendered anew":                  {"the chart means it", ", caBundle: QQ==", ", caBundle: QQ==", ", caBundle: Qg==", Patch},
	}
	for name, c := range cases {
		change := compute(t, Triple{hook(c.recorded), hook(c.live), hook(c.target)}, Options{})
		same(t, change.Action, c.want, name+": "+c.reason)
		same(t, change.Drift, []FieldChange(nil), name+": no drift")
	}
}

// TestFailureMode_R21: what a render no longer has is never deleted for that reason.
func TestFailureMode_R21(t *testing.T) {
	live := object(t, configHead+"data: {a: '1'}")
	edited := Triple{Recorded: object(t, configHead+"data: {a: '0', gone: '0'}"), Live: live}
	for reason, triple := range map[string]Triple{
		"it is there":                  {Recorded: live, Live: live},
		"it is there, and was changed": edited,
		"it is there, unrecorded":      {Live: live},
		"it is gone":                   {Recorded: live},
	} {
		change := compute(t, triple, Options{Drift: pipelines.DriftOverwrite})
		same(t, change.Action, Unchanged, reason)
		same(t, change.Absent, true, reason)
		same(t, change.Object, "ConfigMap/ns/a", reason)
		same(t, len(change.Patch), 0, reason)
		same(t, Text(change), "", reason)
		same(t, rules(change), []api.Rule{}, reason)
	}
	change := compute(t, edited, Options{})
	same(t, paths(change.Drift), []string{"/data/a", "/data/gone"}, "an edit of what is left behind is seen")
	same(t, rules(change), []api.Rule{api.RuleDrift}, "and not passed over: its next version may go under another name")
	change = compute(t, edited, Options{Ignore: []pipelines.IgnoreRule{{Kind: "ConfigMap", Fields: []string{"/data/*"}}}})
	same(t, rules(change), []api.Rule{}, "unless the component says that others may")
	same(t, compute(t, Triple{}, Options{}).Action, Unchanged, "nothing at all is nothing to do")
}

func TestCreate(t *testing.T) {
	change := compute(t, Triple{Target: object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, creationTimestamp: null, labels: null}\ndata: {a: '1', b: null}\nstatus: {}")}, Options{})
	same(t, change.Action, Create, "it is not there")
	same(t, change.Result.Object, object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\ndata: {a: '1'}").Object, "without nulls and without the server's fields")
	same(t, Text(change), "+ ConfigMap/ns/a\n+ apiVersion: v1\n+ data:\n+   a: \"1\"\n+ kind: ConfigMap\n+ metadata:\n+   name: a\n+   namespace: ns\n", "text")
}

func TestGeneratedNamespace(t *testing.T) {
	target := object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: infra, annotations: {sluice.dev/generated: 'true', sluice.dev/component: agent}}")
	same(t, compute(t, Triple{Target: target}, Options{}).Action, Create, "a cluster that has it not gets it")
	live := object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: infra, labels: {team: x, kustomize.toolkit.fluxcd.io/name: base}}")
	change := compute(t, Triple{Live: live, Target: target}, Options{})
	same(t, change.Action, Unchanged, "one that is there belongs to somebody, and stays as it is")
	same(t, change.Refusals, []api.Refusal(nil), "whoever that is")
}

func TestUnreadableTarget(t *testing.T) {
	_, err := Compute(Triple{Target: object(t, deploymentHead+"spec: {replicas: many}")}, Options{})
	if err == nil || !strings.Contains(err.Error(), "cannot read target of Deployment/ns/a as apps/v1, Kind=Deployment") {
		t.Errorf("got %v", err)
	}
	_, err = Compute(Triple{Target: object(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: hunter2!}")}, Options{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret shows in %v", err)
	}
}

func TestAdopts(t *testing.T) {
	live, target := configHead+"data: {a: '1'}", configHead+"data: {a: '2'}"
	same(t, compute(t, Triple{Live: object(t, live), Target: object(t, target)}, Options{}).Adopts, true, "nobody recorded it")
	same(t, compute(t, Triple{Recorded: object(t, live), Live: object(t, live), Target: object(t, target)}, Options{}).Adopts, false, "it is ours")
}

func TestWithVersion(t *testing.T) {
	got, err := WithVersion([]byte(`{"metadata":{"labels":{"a":"b"}},"spec":{"replicas":3}}`), "77")
	if err != nil {
		t.Fatal(err)
	}
	same(t, string(got), `{"metadata":{"labels":{"a":"b"},"resourceVersion":"77"},"spec":{"replicas":3}}`, "patch")
}

func TestWithoutFields(t *testing.T) {
	o := object(t, deploymentHead+"spec: {replicas: 3, strategy: {type: Recreate}, template: {spec: {containers: [{name: app, image: x}]}}}")
	got := WithoutFields(o, "/spec/strategy", "/spec/template/spec/containers/app/image", "/spec/none/at/all")
	same(t, got.Object, object(t, deploymentHead+"spec: {replicas: 3, template: {spec: {containers: [{name: app}]}}}").Object, "fields are taken out")
	same(t, at(o.Object, "spec", "strategy", "type"), any("Recreate"), "of a copy")
}

func TestChangeIsJSON(t *testing.T) {
	change := compute(t, Triple{Live: object(t, configHead+"data: {a: '1'}"), Target: object(t, configHead+"data: {a: '2'}")}, Options{})
	data, err := json.Marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	var again Change
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	same(t, again.Digest(), change.Digest(), "a change that was stored keeps its text")
}
