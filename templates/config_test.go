package templates

import (
	"strings"
	"testing"
)

const podOfEveryReference = `
apiVersion: %KIND%
metadata: {name: w}
spec:
  template:
    spec:
      imagePullSecrets: [{name: pull}]
      volumes:
      - {name: v1, configMap: {name: config}}
      - {name: v2, secret: {secretName: secret}}
      - {name: v3, projected: {sources: [{configMap: {name: config}}, {secret: {name: secret}}]}}
      - {name: v4, csi: {driver: d, nodePublishSecretRef: {name: secret}}}
      - {name: v5, configMap: {name: elsewhere}}
      initContainers:
      - {name: i, envFrom: [{configMapRef: {name: config}}, {secretRef: {name: secret}}]}
      containers:
      - name: c
        env:
        - {name: A, valueFrom: {configMapKeyRef: {name: config, key: k}}}
        - {name: B, valueFrom: {secretKeyRef: {name: secret, key: k}}}
        - {name: C, value: config}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {k: "%VALUE%"}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {k: v}
---
apiVersion: v1
kind: Secret
metadata: {name: pull}
type: kubernetes.io/dockerconfigjson
data: {.dockerconfigjson: e30=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: unused}
`

func renderPod(t *testing.T, kind, value string) *Rendered {
	t.Helper()
	text := strings.NewReplacer("%KIND%", kind, "%VALUE%", value).Replace(podOfEveryReference)
	return render(t, input(t, Manifests, "-- a.yaml --"+text))
}

// TestFailureMode_R30: a changed configuration is a changed pod template, so that it goes batch by batch, and the old one
// stays for the pods that still run.
func TestFailureMode_R30(t *testing.T) {
	for _, kind := range []string{"apps/v1\nkind: DaemonSet", "apps.kruise.io/v1alpha1\nkind: CloneSet"} {
		one, two := renderPod(t, kind, "1"), renderPod(t, kind, "2")
		nameOf := func(r *Rendered, base string) string {
			for _, o := range r.Objects {
				if o.GetAnnotations()[BaseNameAnnotation] == base {
					return o.GetName()
				}
			}
			t.Fatalf("%s kept its name in %v", base, ids(r))
			return ""
		}
		config, secret, pull := nameOf(one, "config"), nameOf(one, "secret"), nameOf(one, "pull")
		if len(config) != len("config-")+10 || !strings.HasPrefix(config, "config-") {
			t.Errorf("got name %q", config)
		}
		if config == nameOf(two, "config") {
			t.Error("another content has another name")
		}
		same(t, nameOf(two, "secret"), secret, "the same content has the same name")
		same(t, config, nameOf(renderPod(t, kind, "1"), "config"), "every time")

		spec := podSpec(one.Phases[1].Objects[0])
		got := map[string]int{}
		for _, r := range podReferences(spec) {
			got[r.kind+" "+r.name()]++
		}
		same(t, got, map[string]int{"ConfigMap " + config: 4, "Secret " + secret: 5, "Secret " + pull: 1, "ConfigMap elsewhere": 1},
			"every reference follows; what is not rendered here stays")
		env := items(items(spec, "containers")[0], "env")
		same(t, env[2]["value"], any("config"), "a text that happens to read the same stays")
		same(t, one.ReachesAtOnce, []ReachesAtOnce{{Object: "ConfigMap/infra/unused", Reason: unnamed, Unnamed: true}},
			"what no pod template names may be read through the API")
		same(t, ids(one)[1], "/ConfigMap/infra/"+config, "configuration is written before the workload")
		if !strings.Contains(strings.Join(ids(one), " "), "/ConfigMap/infra/unused") {
			t.Errorf("what no pod uses keeps its name: %v", ids(one))
		}
	}
}

func TestNamesThatAreKept(t *testing.T) {
	pod := `-- pod.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: w}
spec: {template: {spec: {serviceAccountName: s, volumes: [{name: v, secret: {secretName: tls}}, {name: c, configMap: {name: tls}}], containers: [{name: tls, image: tls}]}}}
---
apiVersion: v1
kind: Secret
metadata: {name: tls%ANNOTATION%}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: tls}
-- other.yaml --
`
	cases := map[string]struct {
		reason     string
		annotation string
		other      string
		want       string // why; "" where it is renamed
	}{
		"nobody else names it": {"it moves with the pods", "", "apiVersion: v1\nkind: Service\nmetadata: {name: tls}\nspec: {selector: {app: tls}}", ""},
		"its author says so": {
			"it is watched through the API, say", ", annotations: {sluice.dev/keep-name: 'true'}", "", "annotation sluice.dev/keep-name",
		},
		"an Ingress names it": {
			"the Ingress would find nothing under the old name", "",
			"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {tls: [{hosts: [a], secretName: tls}]}",
			"Ingress/infra/i names it outside a pod template",
		},
		"a ServiceAccount names it": {
			"the account's pods would find nothing", "", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s}\nimagePullSecrets: [{name: tls}]",
			"ServiceAccount/infra/s names it outside a pod template",
		},
		"a Role names it": {
			"a right on one name", "", "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [secrets], resourceNames: [tls], verbs: [get]}]",
			"Role/infra/r names it outside a pod template",
		},
		"a Role for another kind": {
			"it is about ConfigMaps of that name, which is another object", "", "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [pods], resourceNames: [tls], verbs: [get]}]", "",
		},
		"a custom resource names it": {
			"as most of them write it", "", "apiVersion: example.com/v1\nkind: Agent\nmetadata: {name: a, namespace: infra}\nspec: {auth: {secretRef: {name: tls, key: k}}}",
			"Agent/infra/a names it outside a pod template",
		},
		"a custom resource names it by a key of its own": {
			"charts say existingSecret, and custom resources have learned it", "", "apiVersion: example.com/v1\nkind: Agent\nmetadata: {name: a, namespace: infra}\nspec: {auth: {existingSecret: tls}}",
			"Agent/infra/a names it outside a pod template",
		},
		"a custom resource names it by its kind": {
			"as Flux and the Gateway API write it", "", "apiVersion: example.com/v1\nkind: Agent\nmetadata: {name: a, namespace: infra}\nspec: {valuesFrom: [{kind: Secret, name: tls}]}",
			"Agent/infra/a names it outside a pod template",
		},
		"a bare Pod names it": {
			"a Pod cannot be changed", "", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {volumes: [{name: v, secret: {secretName: tls}}], containers: [{name: c}]}",
			"Pod/infra/p names it outside a pod template",
		},
		"an Ingress of another namespace": {
			"it names another Secret", "", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: other}\nspec: {tls: [{secretName: tls}]}", "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := render(t, input(t, Manifests, strings.Replace(pod, "%ANNOTATION%", c.annotation, 1)+c.other+"\n"))
			var want []ReachesAtOnce
			if c.want != "" {
				want = []ReachesAtOnce{{Object: "Secret/infra/tls", Reason: c.want}}
			}
			same(t, r.ReachesAtOnce, want, c.reason)
			secret := find(t, r, "Secret").GetName()
			same(t, secret == "tls", c.want != "", c.reason)
			volumes := items(find(t, r, "Deployment").Object, "spec", "template", "spec", "volumes")
			same(t, field(volumes[0], "secret", "secretName"), any(secret), "the pod template names what is there")
			if field(volumes[1], "configMap", "name") == "tls" {
				t.Error("the ConfigMap of the same name is another object, and moves")
			}
		})
	}
}

// Everything of a configuration that a pod can see is in its name.
func TestAllContentIsInTheDigest(t *testing.T) {
	const mounted = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: main, image: registry.example/agent:1}]
      volumes: [{name: config, configMap: {name: config}}, {name: secret, secret: {secretName: secret}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, labels: {a: "1"}}
%CONFIG%
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
%SECRET%
`
	names := func(config, secret string) (string, string) {
		text := strings.NewReplacer("%CONFIG%", config, "%SECRET%", secret).Replace(mounted)
		var found [2]string
		for _, o := range render(t, input(t, Manifests, "-- a.yaml --"+text)).Objects {
			switch o.GetKind() {
			case "ConfigMap":
				found[0] = o.GetName()
			case "Secret":
				found[1] = o.GetName()
			}
		}
		return found[0], found[1]
	}
	config, secret := names("data: {a: one}", "stringData: {a: one}")
	for _, other := range []string{"data: {a: two}", "binaryData: {a: b25l}", "data: {a: one}\nbinaryData: {b: b25l}", "data: {a: one}\nimmutable: true"} {
		if now, _ := names(other, "stringData: {a: one}"); now == config {
			t.Errorf("%q has the name of another content", other)
		}
	}
	one, _ := names("binaryData: {a: b25l}", "data: {}")
	if two, _ := names("binaryData: {a: dHdv}", "data: {}"); one == two {
		t.Error("another binary content has the same name")
	}
	for _, other := range []string{"stringData: {a: two}", "data: {a: b25l}", "stringData: {a: one}\ntype: example.org/token"} {
		if _, now := names("data: {a: one}", other); now == secret {
			t.Errorf("%q has the name of another secret", other)
		}
	}
}

func TestNameThatIsTooLong(t *testing.T) {
	long := strings.Repeat("a", 250)
	in := input(t, Manifests, "-- a.yaml --\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {template: {spec: {volumes: [{name: v, configMap: {name: "+long+"}}], containers: [{name: c}]}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+long+"}\n")
	_, err := Render(in)
	if err == nil || !strings.Contains(err.Error(), "the name is too long to take a digest: 242 characters at most") {
		t.Errorf("got %v", err)
	}
}
