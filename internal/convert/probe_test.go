package convert_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/convert"
	"sluice.dev/sluice/pipelines"
)

// checks are one check in each dialect, with a place for fields of its container and of its pod.
const (
	khCheck = `
apiVersion: comcast.github.io/v1
kind: KuberhealthyCheck
metadata: {name: dns, namespace: probes}
spec:
  runInterval: 2m
  timeout: 1m
  podSpec: {containers: [{name: main, image: "registry.example/dns-probe:1"CONTAINER}]POD}
`
	healthCheck = `
apiVersion: kuberhealthy.github.io/v2
kind: HealthCheck
metadata: {name: dns, namespace: probes}
spec:
  runInterval: 2m
  podSpec:
    spec: {restartPolicy: Never, containers: [{name: main, image: "registry.example/dns-probe:1"CONTAINER}]POD}
`
	erda = `
apiVersion: kubeprober.erda.cloud/v1
kind: Probe
metadata: {name: dns}
spec:
  policy: {runInterval: 5}
  template: {restartPolicy: Never, containers: [{name: main, image: "registry.example/dns-probe:1"CONTAINER}]POD}
`
)

func filledCheck(text, container, pod string) string {
	return strings.NewReplacer("CONTAINER", container, "POD", pod).Replace(text)
}

// TestChecksBecomeProbes compares what is written of whole checks, and has the language load it.
func TestChecksBecomeProbes(t *testing.T) {
	const binding = `---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata:
  name: dns
spec:
  clusters:
    all: true
  cases:
  - probe: dns
`
	const probe = `apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata:
  name: dns
spec:
  image: registry.example/dns-probe:1
`
	for _, c := range []struct{ reason, from, want, left string }{
		{
			reason: "a check of version 2 reports at its own path", from: filledCheck(khCheck, "", ""),
			want: probe + "  contract: v2\n  timeout: 1m\n" + binding + "  schedule:\n    every: 2m\n",
		},
		{
			reason: "version 3 has a template of a pod, and another timeout", from: filledCheck(healthCheck, "", ""),
			want: probe + "  contract: v3\n  timeout: 30s\n" + binding + "  schedule:\n    every: 2m\n",
		},
		{
			reason: "minutes of KubeProber, and a program that nobody hears", from: filledCheck(erda, "", ""),
			want: probe + "  timeout: 1m\n" + binding + "  schedule:\n    every: 5m\n", left: "KUBEPROBER_STATUS_REPORT_URL",
		},
		{
			reason: "all that a profile gives",
			from: filledCheck(healthCheck, `, command: [/dns], args: [-v], env: [{name: HOSTNAME, value: "kubernetes.default"}],
      resources: {requests: {cpu: 10m}, limits: {cpu: 100m, memory: 50Mi}}, imagePullPolicy: Always,
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [CAP_NET_RAW]}}`,
				`, nodeSelector: {pool: edge}, tolerations: [{operator: Exists}], terminationGracePeriodSeconds: 5`),
			want: probe + `  command:
  - /dns
  args:
  - -v
  env:
  - name: HOSTNAME
    value: kubernetes.default
  contract: v3
  timeout: 30s
  profile: node
  exceptions:
  - name: as-converted
    because: the HealthCheck it comes from has it
    capabilities:
    - NET_RAW
  nodeSelector:
    pool: edge
  limits:
    cpu: 100m
    memory: 50Mi
` + binding + "  schedule:\n    every: 2m\n",
		},
		{
			reason: "its own timeout would be longer than its interval",
			from:   strings.Replace(filledCheck(khCheck, "", ""), "  timeout: 1m\n", "", 1),
			want:   probe + "  contract: v2\n  timeout: 2m\n" + binding + "  schedule:\n    every: 2m\n",
			left:   "timeout is 15m and longer than its interval: it is made 2m",
		},
		{
			reason: "what runs once runs by hand",
			from:   strings.Replace(filledCheck(healthCheck, "", ""), "  runInterval: 2m", "  singleRunOnly: true", 1),
			want:   probe + "  contract: v3\n  timeout: 30s\n" + binding, left: "it runs once",
		},
		{
			reason: "what it knows of its pod, and the files that it reads",
			from: filledCheck(khCheck, `, volumeMounts: [{name: tls, mountPath: /etc/tls/, readOnly: true}, {name: conf, mountPath: /conf}],
      env: [{name: NODE_NAME, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}}]`,
				`, volumes: [{name: conf, configMap: {name: dns}}, {name: tls, secret: {secretName: dns-tls}}, {name: unread, secret: {secretName: a}}]`),
			want: probe + `  env:
  - name: NODE_NAME
    field: spec.nodeName
  mounts:
  - secret: dns-tls
    at: /etc/tls
  - configMap: dns
    at: /conf
` + "  contract: v2\n  timeout: 1m\n" + binding + "  schedule:\n    every: 2m\n",
		},
		{
			reason: "a text that is written once, and named again",
			from:   strings.Replace(filledCheck(khCheck, ", env: [{name: LIMIT, value: *limit }]", ""), "timeout: 1m", "timeout: &limit 1m", 1),
			want:   probe + "  env:\n  - name: LIMIT\n    value: 1m\n  contract: v2\n  timeout: 1m\n" + binding + "  schedule:\n    every: 2m\n",
		},
		{
			reason: "the namespace that it was in",
			from:   filledCheck(khCheck, ", env: [{name: POD_NAMESPACE, value: probes}]", ""),
			want:   probe + "  env:\n  - name: POD_NAMESPACE\n    value: probes\n  contract: v2\n  timeout: 1m\n" + binding + "  schedule:\n    every: 2m\n",
			left:   "POD_NAMESPACE is probes, where the check was",
		},
		{
			reason: "the first name of a check of version 3, and its bare pod",
			from:   strings.NewReplacer("comcast.github.io/v1", "kuberhealthy.github.io/v2").Replace(filledCheck(khCheck, "", "")),
			want:   probe + "  contract: v3\n  timeout: 1m\n" + binding + "  schedule:\n    every: 2m\n",
		},
		{
			reason: "rights come of what is said, not of a name", from: filledCheck(khCheck, "", ", serviceAccountName: dns-admin"),
			want: probe + "  contract: v2\n  timeout: 1m\n" + binding + "  schedule:\n    every: 2m\n",
			left: "dns.yaml:8:80: KuberhealthyCheck dns: ServiceAccount dns-admin",
		},
	} {
		got, err := convert.File("dns.yaml", []byte(c.from))
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		text, err := convert.YAML(got.Probes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s%v", c.reason, diff, got.Left)
		}
		if (c.left == "") != (len(got.Left) == 0) || len(got.Left) > 0 && !strings.Contains(got.Left.Error(), c.left) {
			t.Errorf("%s: left out %v, want %q", c.reason, got.Left, c.left)
		}
		if _, err := pipelines.Parse(pipelines.Source{Name: "probes.yaml", Data: text}); err != nil {
			t.Errorf("%s: the language does not load it: %v", c.reason, err)
		}
	}
}

// TestRightsComeFromTheFile has what bindings of the same file give become what the case touches, and says what does not.
func TestRightsComeFromTheFile(t *testing.T) {
	const roles = `---
apiVersion: v1
kind: ServiceAccount
metadata: {name: dns-admin, namespace: probes}
`
	bound := func(kind, namespace, role, rules string) string {
		of := strings.TrimSuffix(kind, "Binding")
		return "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: " + of + "\nmetadata: {name: " + role + ", namespace: " + namespace + "}\nrules:\n" + rules +
			"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: b, namespace: " + namespace + "}\n" +
			"roleRef: {kind: " + of + ", name: " + role + "}\nsubjects: [{kind: ServiceAccount, name: dns-admin, namespace: probes}]\n"
	}
	check := filledCheck(khCheck, "", ", serviceAccountName: dns-admin")
	pods := "- {apiGroups: [\"\"], resources: [pods], verbs: [get, list]}\n"
	for _, c := range []struct {
		reason, file string
		touches      []convert.Touch
		left         []string
	}{
		{"a Role of its namespace", check + roles + bound("RoleBinding", "probes", "r", pods),
			[]convert.Touch{{Resources: []string{"pods"}, Verbs: []string{"get", "list"}}}, nil},
		{"wherever they stand in the file", strings.TrimPrefix(roles, "---\n") + bound("RoleBinding", "probes", "r", pods) + "---" + check,
			[]convert.Touch{{Resources: []string{"pods"}, Verbs: []string{"get", "list"}}}, nil},
		{"a ClusterRole is everywhere", check + roles + bound("ClusterRoleBinding", "", "r", "- {apiGroups: [apps], resources: [daemonsets], verbs: [create]}\n"),
			[]convert.Touch{{APIGroups: []string{"apps"}, Resources: []string{"daemonsets"}, Verbs: []string{"create"}, Everywhere: true}}, nil},
		{"what it makes is counted", check + roles + bound("RoleBinding", "probes", "r", "- {apiGroups: [\"\"], resources: [pods], verbs: [create]}\n"),
			[]convert.Touch{{Resources: []string{"pods"}, Verbs: []string{"create"}}}, []string{"10 of each"}},
		{"of one other namespace it is said", check + roles + bound("RoleBinding", "kube-system", "r", pods), nil, []string{"in namespace kube-system"}},
		{"what no case is given", check + roles + bound("RoleBinding", "probes", "r",
			"- {apiGroups: [\"*\"], resources: [pods], verbs: [get]}\n- {apiGroups: [\"\"], resources: [pods], verbs: [get, \"*\"]}\n- {nonResourceURLs: [/healthz], verbs: [get]}\n"),
			[]convert.Touch{{Resources: []string{"pods"}, Verbs: []string{"get"}}}, []string{"* is no resource", "verb *", "/healthz"}},
		{"names do not bound what is created", check + roles + bound("RoleBinding", "probes", "r",
			"- {apiGroups: [\"\"], resources: [pods], resourceNames: [a], verbs: [get, create]}\n"),
			[]convert.Touch{{Resources: []string{"pods"}, ResourceNames: []string{"a"}, Verbs: []string{"get"}}}, nil},
		{"a role that is elsewhere", check + roles + strings.Replace(bound("RoleBinding", "probes", "r", pods), "roleRef: {kind: Role, name: r}", "roleRef: {kind: ClusterRole, name: view}", 1),
			nil, []string{"ClusterRole view is not in this file", "Role r: no check of this file"}},
		{"a role that is made of others", check + roles + strings.Replace(bound("ClusterRoleBinding", "", "r", "  []\n"), "rules:",
			"aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules:", 1), nil, []string{"aggregationRule"}},
		{"how its image is pulled", check + strings.Replace(roles, "metadata:", "imagePullSecrets: [{name: registry}]\nmetadata:", 1) +
			bound("RoleBinding", "probes", "r", pods),
			[]convert.Touch{{Resources: []string{"pods"}, Verbs: []string{"get", "list"}}}, []string{"imagePullSecrets of ServiceAccount dns-admin"}},
		{"another's account", check + strings.ReplaceAll(roles+bound("RoleBinding", "probes", "r", pods), "namespace: probes}]", "namespace: other}]"),
			nil, []string{"say in touches", "RoleBinding b: no check", "Role r: no check"}},
	} {
		got, err := convert.File("dns.yaml", []byte(c.file))
		if err != nil || len(got.Probes) != 2 {
			t.Errorf("%s: %d documents, %v, left out:\n%v", c.reason, len(got.Probes), err, got.Left)
			continue
		}
		if diff := cmp.Diff(c.touches, got.Probes[0].Spec.(convert.ProbeSpec).Touches); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
		if len(got.Left) != len(c.left) {
			t.Errorf("%s: left out:\n%v", c.reason, got.Left)
		}
		for _, left := range c.left {
			if !strings.Contains(got.Left.Error(), left) {
				t.Errorf("%s: it does not say %q:\n%v", c.reason, left, got.Left)
			}
		}
	}
}

// TestChecksAreRefusedByName has nothing written of a check that would run otherwise, and says why.
func TestChecksAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ reason, container, pod, left string }{
		{reason: "files of the node", pod: ", volumes: [{name: etc, hostPath: {path: /etc}}]", left: "volumes (hostPath): only a whole Secret or ConfigMap is mounted"},
		{reason: "a volume of any kind", pod: ", volumes: [{name: a, emptyDir: {}}]", left: "volumes (emptyDir)"},
		{reason: "a place without a volume", container: ", volumeMounts: [{name: etc, mountPath: /etc}]", left: `volumeMounts: there is no volume "etc"`},
		{reason: "a key of a Secret", pod: ", volumes: [{name: a, secret: {secretName: b, items: [{key: c, path: d}]}}]", left: "items: it is mounted whole"},
		{reason: "a Secret that may not be there", pod: ", volumes: [{name: a, secret: {secretName: b, optional: true}}]", left: "optional"},
		{reason: "a file of a volume", container: ", volumeMounts: [{name: a, mountPath: /a, subPath: b}]",
			pod: ", volumes: [{name: a, secret: {secretName: b}}]", left: "subPath"},
		{reason: "a token of its own", pod: ", volumes: [{name: a, projected: {sources: []}}]", left: "volumes (projected)"},
		{reason: "a limit as a variable", container: ", env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]", left: "resourceFieldRef"},
		{reason: "a label of its pod", container: ", env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}]",
			left: "no program is told metadata.labels['app'] of its pod"},
		{reason: "privileged", container: ", securityContext: {privileged: true}", left: "privileged: no profile gives it"},
		{reason: "as good as privileged", container: ", securityContext: {capabilities: {add: [SYS_ADMIN]}}", left: "capability SYS_ADMIN"},
		{reason: "root", container: ", securityContext: {runAsUser: 0}", left: "runAsUser: 0 is root"},
		{reason: "what begins before", pod: ", initContainers: [{name: a, image: b}]", left: "initContainers: no profile gives it"},
		{reason: "processes of the node", pod: ", hostPID: true", left: "hostPID"},
		{reason: "a Secret as a variable", container: ", env: [{name: A, valueFrom: {secretKeyRef: {name: b, key: c}}}]", left: "a variable is read from secretKeyRef"},
		{reason: "many variables", container: ", envFrom: [{secretRef: {name: b}}]", left: "envFrom"},
		{reason: "a variable in an argument", container: ", args: [$(HOSTNAME)]", left: "$(HOSTNAME) stands for a variable"},
	} {
		for _, text := range []string{khCheck, healthCheck, erda} {
			got, err := convert.File("dns.yaml", []byte(filledCheck(text, c.container, c.pod)))
			if err != nil || len(got.Probes) > 0 || !strings.Contains(got.Left.Error(), "dns is left out: ") || !strings.Contains(got.Left.Error(), c.left) {
				t.Errorf("%s: %d documents, %v, left out:\n%v", c.reason, len(got.Probes), err, got.Left)
			}
		}
	}
	for _, c := range []struct{ reason, from, left string }{
		{"several programs", strings.Replace(filledCheck(khCheck, "", ""), "]}", ", {name: b, image: c}]}", 1), "several containers"},
		{"an old KubeProber", strings.Replace(filledCheck(erda, "", ""), "  template:", "  probeList: [{name: a}]\n  template:", 1), "several programs in one probe"},
		{"checkers of one pod", strings.Replace(filledCheck(erda, "", ""), "  template:", "  configs: [{name: a}]\n  template:", 1), "configs"},
		{"no pod", "apiVersion: comcast.github.io/v1\nkind: KuberhealthyJob\nmetadata: {name: a}\nspec: {timeout: 1m}", "it has no podSpec"},
		{"no image", strings.Replace(filledCheck(khCheck, "", ""), `image: "registry.example/dns-probe:1"`, "tty: true", 1), "no container with an image"},
		{"no duration", strings.Replace(filledCheck(khCheck, "", ""), "2m", "often", 1), "runInterval"},
		{"no minutes", strings.Replace(filledCheck(erda, "", ""), "runInterval: 5", "runInterval: 5m", 1), "no number of minutes"},
		{"no name", strings.Replace(filledCheck(khCheck, "", ""), "name: dns, ", "", 1), "it has no name"},
		{"no spec", "apiVersion: comcast.github.io/v1\nkind: KuberhealthyCheck\nmetadata: {name: a}", "has no spec"},
		{"its state", "apiVersion: comcast.github.io/v1\nkind: KuberhealthyState\nmetadata: {name: a}\nspec: {}", "KuberhealthyState"},
	} {
		got, err := convert.File("dns.yaml", []byte(c.from))
		if err != nil || len(got.Probes) > 0 || !strings.Contains(got.Left.Error(), c.left) {
			t.Errorf("%s: %d documents, %v, left out:\n%v", c.reason, len(got.Probes), err, got.Left)
		}
	}
}
