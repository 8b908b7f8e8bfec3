package templates

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/pipelines"
)

// folder writes a txtar archive into a folder and returns it.
func folder(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func pack(t *testing.T, archive string) []byte {
	t.Helper()
	source, err := Pack(folder(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func input(t *testing.T, kind Kind, archive string) Input {
	return Input{
		Source: pack(t, archive), Kind: kind, Component: "agent", Version: "1.2.0", Namespace: "infra",
		Place:       pipelines.Place{Cluster: "cn-hz-1", Group: "production-vpc", Environment: "production"},
		KubeVersion: "v1.33.2", APIVersions: []string{"v1", "apps/v1"},
	}
}

const chartHead = `-- Chart.yaml --
apiVersion: v2
name: agent
version: 0.1.0
`

func render(t *testing.T, in Input) *Rendered {
	t.Helper()
	rendered, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func ids(r *Rendered) []string {
	list := []string{}
	for _, object := range r.Objects {
		list = append(list, ID(object.Unstructured))
	}
	return list
}

func find(t *testing.T, r *Rendered, kind string) Object {
	t.Helper()
	i := slices.IndexFunc(r.Objects, func(o Object) bool { return o.GetKind() == kind })
	if i < 0 {
		t.Fatalf("no %s in %v", kind, ids(r))
	}
	return r.Objects[i]
}

func same(t *testing.T, got, want any, reason string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

func TestRenderChart(t *testing.T) {
	in := input(t, Chart, chartHead+`-- values.yaml --
port: 8080
labels: {team: infra, tier: node}
-- templates/_helpers.tpl --
{{- define "agent.labels" -}}
app: {{ .Release.Name }}
{{- end -}}
-- templates/daemonset.yaml --
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ .Release.Name }}
  labels: {{- toYaml .Values.labels | nindent 4 }}
spec:
  selector: {matchLabels: {{ include "agent.labels" . | fromYaml | toJson }}}
  template:
    metadata: {labels: {{ include "agent.labels" . | fromYaml | toJson }}}
    spec:
      containers:
      - name: agent
        image: {{ .Values.images.agent }}
        ports: [{containerPort: {{ .Values.port }}}]
---
apiVersion: v1
kind: Service
metadata: {name: agent, annotations: {kube: {{ .Capabilities.KubeVersion.Version | quote }}}}
spec: {ports: [{port: {{ .Values.port }}}], selector: {app: agent}}
-- templates/NOTES.txt --
{{ now }} nobody reads this
-- crds/crd.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: agents.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Agent}}
-- templates/agent.yaml --
apiVersion: example.com/v1
kind: Agent
metadata: {name: main}
`)
	in.Values = map[string]any{"port": int64(1000000), "labels": map[string]any{"tier": nil}, "images": map[string]any{"agent": "registry/agent:1"}}
	r := render(t, in)
	same(t, ids(r), []string{
		"/Namespace//infra",
		"apiextensions.k8s.io/CustomResourceDefinition//agents.example.com",
		"/Service/infra/agent",
		"example.com/Agent/infra/main",
		"apps/DaemonSet/infra/agent",
	}, "every object, in the order in which it is safe to write them")
	var phases []string
	for _, phase := range r.Phases {
		phases = append(phases, fmt.Sprintf("%s %d", phase.Name, len(phase.Objects)))
	}
	same(t, phases, []string{"before-workloads 4", "workloads 1", "after-workloads 0"}, "always three phases")

	daemon := find(t, r, "DaemonSet")
	same(t, daemon.Source, "templates/daemonset.yaml", "the template it came from")
	same(t, daemon.GetLabels(), map[string]string{"team": "infra", ManagedByLabel: "sluice"}, "null takes a chart's default away; our label is added")
	same(t, daemon.GetAnnotations(), map[string]string{ComponentAnnotation: "agent"}, "the component")
	same(t, field(daemon.Object, "spec", "template", "metadata"), any(map[string]any{"labels": map[string]any{"app": "agent"}}),
		"nothing of ours is in the pod template")
	same(t, items(daemon.Object, "spec", "template", "spec", "containers")[0]["ports"], any([]any{map[string]any{"containerPort": int64(1000000)}}),
		"a large number is not written as 1e+06")
	same(t, find(t, r, "Service").GetAnnotations()["kube"], "v1.33.2", "the capabilities are the cluster's")
	same(t, find(t, r, "Namespace").Generated, true, "the namespace is ours to create")
}

func TestRenderIsDeterministic(t *testing.T) {
	in := input(t, Chart, chartHead+`-- values.yaml --
map: {a: 1, b: 2, c: 3, d: 4}
-- templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {sorted: {{ keys .Values.map | sortAlpha | join "," }}, count: {{ len (keys .Values.map) | quote }}}
-- charts/one/Chart.yaml --
apiVersion: v2
name: one
version: 1.0.0
-- charts/one/templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
-- charts/two/Chart.yaml --
apiVersion: v2
name: two
version: 1.0.0
-- charts/two/templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
`)
	var first []byte
	for range 20 {
		data, err := Encode(render(t, in).Unstructured())
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if string(first) != string(data) {
			t.Fatalf("got\n%s\nthen\n%s", first, data)
		}
	}
}

func TestRenderManifests(t *testing.T) {
	in := input(t, Manifests, `
-- _names.tpl --
{{- define "name" -}}{{ .Component.Name }}-{{ .Cluster.Name }}{{- end -}}
-- sub/_more.yaml --
{{- define "image" -}}{{ .Images.agent }}{{- end -}}
-- README.md --
{{ not a template }}
-- sub/config.yaml --
{{- range $key, $value := .Values.settings }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $key }}-{{ include "name" $ }}, namespace: {{ $.Namespace }}}
data:
  text: {{ tpl $value $ | quote }}
  keys: {{ keys $.Values.settings | join "," }}
  image: {{ include "image" $ }}
  has: {{ $.Capabilities.APIVersions.Has "apps/v1" | quote }}
{{- end }}
---
# nothing here
`)
	in.Values = map[string]any{
		"settings": map[string]any{"b": "{{ .Cluster.Environment }}", "a": "plain"},
		"images":   map[string]any{"agent": "registry/agent:1"},
	}
	r := render(t, in)
	same(t, ids(r), []string{"/Namespace//infra", "/ConfigMap/infra/a-agent-cn-hz-1", "/ConfigMap/infra/b-agent-cn-hz-1"}, "objects")
	same(t, r.Objects[2].Object["data"], any(map[string]any{"text": "production", "keys": "a,b", "image": "registry/agent:1", "has": "true"}), "data")
}

func TestAChartReadsValuesAsHelmDoes(t *testing.T) {
	r := render(t, input(t, Chart, chartHead+`-- templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  none: "{{ .Values.nobody }}"
  if: "{{ if .Values.nobody }}yes{{ else }}no{{ end }}"
  default: {{ .Values.nobody | default "given" }}
`))
	same(t, r.Objects[len(r.Objects)-1].Object["data"], any(map[string]any{"none": "", "if": "no", "default": "given"}), "a value that nobody has set")
}

func TestSkipHooks(t *testing.T) {
	in := input(t, Chart, chartHead+`-- templates/tests/t.yaml --
apiVersion: v1
kind: Pod
metadata: {name: smoke, annotations: {helm.sh/hook: test}}
-- templates/job.yaml --
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
`)
	in.SkipHooks = true
	r := render(t, in)
	same(t, ids(r), []string{"/Namespace//infra", "/ConfigMap/infra/kept"}, "hooks are left out")
	same(t, r.SkippedHooks, []Hook{
		{Object: "Job/migrate", Source: "templates/job.yaml", Events: "pre-install,pre-upgrade"},
		{Object: "Pod/smoke", Source: "templates/tests/t.yaml", Events: "test"},
	}, "and listed")
}

func TestNamespaces(t *testing.T) {
	in := input(t, Manifests, `-- a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: a, namespace: infra}
---
apiVersion: example.com/v1
kind: Known
metadata: {name: a}
---
apiVersion: example.com/v1
kind: Unknown
metadata: {name: a}
`)
	in.Namespaced = func(kind schema.GroupVersionKind) (namespaced, known bool) {
		return true, kind.Kind == "Known"
	}
	same(t, ids(render(t, in)), []string{
		"/Namespace//infra",
		"rbac.authorization.k8s.io/ClusterRole//a",
		"/ConfigMap/infra/a",
		"/ConfigMap/kube-system/a",
		"example.com/Known/infra/a",
		"example.com/Unknown//a",
	}, "who lives in a namespace gets the release's; who lives in none loses it; who is not known is left alone")

	in.Namespace = "kube-system"
	in.Source = pack(t, "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
	same(t, ids(render(t, in)), []string{"/ConfigMap/kube-system/a"}, "a namespace that every cluster has is not created")

	in.Namespace = "infra"
	in.Source = pack(t, "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: infra, labels: {own: \"1\"}}\n")
	r := render(t, in)
	same(t, ids(r), []string{"/Namespace//infra", "/ConfigMap/infra/a"}, "a namespace that is rendered is not added")
	same(t, r.Objects[0].Generated, false, "and it is the author's")
}

func TestEncode(t *testing.T) {
	objects := render(t, input(t, Manifests, "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {html: \"<a> & b\"}\n")).Unstructured()
	data, err := Encode(objects)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	same(t, again, objects, "objects come back as they were")
	if !strings.Contains(string(data), "<a> & b") {
		t.Errorf("text is kept readable: %s", data)
	}
	empty, err := Decode(nil)
	if err != nil || len(empty) != 0 {
		t.Errorf("nothing is no objects: got %v, %v", empty, err)
	}
	if _, err := Decode([]byte("{")); err == nil {
		t.Error("half an object was decoded")
	}
}
