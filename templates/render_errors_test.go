package templates

import (
	"errors"
	"strings"
	"testing"
)

func TestRenderErrors(t *testing.T) {
	configMap := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	cases := map[string]struct {
		reason string
		kind   Kind
		files  string
		values map[string]any
		want   string // of the error, whole
		part   string // of the error
	}{
		"a value that is not there, in manifests": {
			reason: "a typo must not render as nothing", kind: Manifests,
			files: "-- a.yaml --\n\nx: {{ .Values.b }}\n",
			part:  "a.yaml:2:",
		},
		"a template that does not parse": {
			reason: "file and line inside the chart", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n\n{{ if }}\n",
			part:  "templates/a.yaml:2: missing value for if",
		},
		"what the author refuses": {
			reason: "required says what is missing", kind: Chart,
			files: chartHead + "-- values.yaml --\nname: \"\"\n-- templates/a.yaml --\nx: {{ required \"name the thing\" .Values.name }}\n",
			want:  "templates/a.yaml:1:7: name the thing",
		},
		"a random function": {
			reason: "the plan that was approved must be the one that runs", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n" + configMap + "data:\n  p: {{ randAlphaNum 10 | b64enc }}\n",
			want:  `templates/a.yaml:5:9: function "randAlphaNum" is refused, it is random: the result would change from render to render; put the value into the config`,
		},
		"a clock in a helper that is included": {
			reason: "wherever it stands", kind: Chart,
			files: chartHead + "-- templates/_h.tpl --\n{{ define \"h\" }}{{ (now).Unix }}{{ end }}\n-- templates/a.yaml --\ny: {{ include \"h\" . }}\n",
			part:  `templates/_h.tpl:1:`,
		},
		"a random function in a value that tpl runs": {
			reason: "values are templates too where a chart says so", kind: Chart,
			files:  chartHead + "-- values.yaml --\nt: x\n-- templates/a.yaml --\ny: {{ tpl .Values.t . }}\n",
			values: map[string]any{"t": "{{ uuidv4 }}"},
			part:   `values.t:1:4: function "uuidv4" is refused`,
		},
		"a random function in the text of tpl": {
			reason: "it is as random there", kind: Manifests,
			files: "-- a.yaml --\ny: {{ tpl \"{{ genCA `a` 1 }}\" . }}\n",
			want:  `a.yaml:1:7: function "genCA" is refused, it makes a new key: the result would change from render to render; put the value into the config`,
		},
		"a value that runs itself": {
			reason: "Helm would go on until the stack is full, and take the worker with it", kind: Chart,
			files:  chartHead + "-- values.yaml --\nt: x\n-- templates/a.yaml --\nx: {{ tpl .Values.t . }}\n",
			values: map[string]any{"t": "{{ tpl .Values.t . }}"},
			want:   "values.t: runs tpl on something that is not written out, and is itself run by tpl: it could run itself for ever",
		},
		"a value that runs itself, in manifests": {
			reason: "it ends with an error", kind: Manifests,
			files:  "-- a.yaml --\nx: {{ tpl .Values.t . }}\n",
			values: map[string]any{"t": "{{ tpl .Values.t . }}"},
			part:   "include each other more than 1000 deep",
		},
		"the machine's environment": {
			reason: "the worker's environment is not the cluster's", kind: Manifests,
			files: "-- a.yaml --\ny: {{ env \"HOME\" }}\n",
			part:  `function "env" is refused`,
		},
		"keys in any order": {
			reason: "an order that changes is a diff that is not there", kind: Chart,
			files: chartHead + "-- values.yaml --\nm: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8}\n-- templates/a.yaml --\n" + configMap + "data: {k: {{ keys .Values.m | join \",\" }}}\n",
			part:  "templates/a.yaml: the result changes from render to render",
		},
		"values that the chart's schema refuses": {
			reason: "the chart's author knows the types", kind: Chart,
			files:  chartHead + "-- values.schema.json --\n{\"properties\": {\"port\": {\"type\": \"integer\"}}}\n-- templates/a.yaml --\n" + configMap,
			values: map[string]any{"port": "many"},
			part:   "port",
		},
		"a schema that would be fetched": {
			reason: "rendering reads nothing but its input", kind: Chart,
			files: chartHead + "-- values.schema.json --\n{\"$ref\": \"https://example.com/s.json\"}\n-- templates/a.yaml --\n" + configMap,
			want:  `values.schema.json: refers to "https://example.com/s.json" outside itself`,
		},
		"a cluster that is too old": {
			reason: "the chart says what it needs", kind: Chart,
			files: chartHead + "kubeVersion: \">= 1.34.0\"\n-- templates/a.yaml --\n" + configMap,
			want:  "Chart.yaml: the chart needs Kubernetes >= 1.34.0, the cluster has v1.33.2",
		},
		"a dependency that is not there": {
			reason: "Helm would leave it out in silence", kind: Chart,
			files: chartHead + "dependencies: [{name: redis, version: 1.0.0}]\n-- templates/a.yaml --\n" + configMap,
			want:  `Chart.yaml: dependency "redis" is not in charts/: run helm dependency build`,
		},
		"a library": {
			reason: "it renders nothing", kind: Chart,
			files: chartHead + "type: library\n-- templates/_a.yaml --\n" + configMap,
			want:  "Chart.yaml: a library chart has nothing to roll out",
		},
		"a hook": {
			reason: "Sluice does not run it, and must not pass over it", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\napiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n",
			want:  "templates/a.yaml: Pod/t: is a Helm hook (test), which Sluice does not run: the component has to say hooks: Skip",
		},
		"two objects with one identity": {
			reason: "the second would overwrite the first", kind: Manifests,
			files: "-- a.yaml --\n" + configMap + "-- b.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: infra}\n",
			want:  "b.yaml: ConfigMap/infra/a: is rendered twice, here and in a.yaml",
		},
		"one identity in two versions": {
			reason: "the API server keeps one object", kind: Manifests,
			files: "-- a.yaml --\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a, namespace: infra}\n",
			part:  "is rendered twice",
		},
		"an object without a name": {
			reason: "there is nothing to compare it with", kind: Manifests,
			files: "-- a.yaml --\napiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n",
			part:  "a.yaml:1: Pod/: the object has no name",
		},
		"a name that YAML takes for a truth value": {
			reason: "it has a name, but not the one that is meant", kind: Manifests,
			files: "-- a.yaml --\napiVersion: v1\nkind: Pod\nmetadata: {name: y}\n",
			part:  "metadata.name is not a text: put it in quotes",
		},
		"an object that says it was generated": {
			reason: "it would be made once and never changed", kind: Manifests,
			files: "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {sluice.dev/generated: 'true'}}\n",
			part:  "a.yaml:1: ConfigMap/a: the annotation sluice.dev/generated is Sluice's own",
		},
		"an object without a kind": {
			reason: "half a document, most likely", kind: Manifests,
			files: "-- a.yaml --\nmetadata: {name: a}\n",
			part:  "the object has no apiVersion",
		},
		"a label that is a number": {
			reason: "it would be lost in silence", kind: Manifests,
			files: "-- a.yaml --\napiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: 1.10}}\n",
			part:  `the value of "version" is not a text: put it in quotes`,
		},
		"one key twice": {
			reason: "which one counts is anybody's guess", kind: Manifests,
			files: "-- a.yaml --\n" + configMap + "data: {a: x}\n---\n" + configMap + "data: {a: x}\ndata: {a: y}\n",
			part:  `a.yaml:10: cannot read line 5 of document 2 of what it renders: key "data" already set`,
		},
		"a document after the end of another": {
			reason: "a YAML reader stops there, and the object would be lost in silence", kind: Manifests,
			files: "-- a.yaml --\n" + configMap + "...\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
			part:  "a.yaml:1: cannot read document 1 of what it renders: it goes on after its end",
		},
		"a document that is no object": {
			reason: "a stray list", kind: Manifests,
			files: "-- a.yaml --\n- a\n- b\n",
			part:  "it is not an object",
		},
		"too many objects": {
			reason: "a range that runs away", kind: Manifests,
			files: "-- a.yaml --\n{{ range until 2001 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-{{ . }}}\n{{ end }}",
			want:  "the templates render more than 2000 objects",
		},
		"too many bytes": {
			reason: "a range that runs away", kind: Manifests,
			files: "-- a.yaml --\n{{ range until 9000 }}# {{ repeat 1000 \"x\" }}\n{{ end }}",
			part:  "renders more than 8388608 bytes",
		},
		"templates that include each other for ever": {
			reason: "it ends with an error, not with the worker", kind: Manifests,
			files: "-- _a.tpl --\n{{ define \"a\" }}{{ include \"a\" . }}{{ end }}\n-- a.yaml --\n{{ include \"a\" . }}\n",
			part:  "include each other more than 1000 deep",
		},
		"no chart at all": {
			reason: "a wrong folder", kind: Chart,
			files: "-- a.yaml --\n" + configMap,
			part:  "Chart.yaml file is missing",
		},
		"another kind of template": {
			reason: "there are two", kind: "kustomize",
			files: "-- a.yaml --\n" + configMap,
			part:  `a template of kind "kustomize"`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.kind, c.files)
			in.Values = c.values
			_, err := Render(in)
			var renderError *RenderError
			if !errors.As(err, &renderError) {
				t.Fatalf("%s: got %v, want a RenderError", c.reason, err)
			}
			if c.want != "" && err.Error() != c.want {
				t.Errorf("%s:\ngot  %s\nwant %s", c.reason, err, c.want)
			}
			if !strings.Contains(err.Error(), c.part) {
				t.Errorf("%s:\ngot  %s\nwant %s in it", c.reason, err, c.part)
			}
		})
	}
}

func TestRenderNeedsTheClustersVersion(t *testing.T) {
	in := input(t, Manifests, "-- a.yaml --\n")
	in.KubeVersion = ""
	if _, err := Render(in); err == nil {
		t.Error("a version that nobody gave was made up")
	}
}

func TestFunctionsThatNothingReaches(t *testing.T) {
	in := input(t, Chart, chartHead+`-- templates/_lib.tpl --
{{ define "lib.password" }}{{ randAlphaNum 10 }}{{ end }}
{{ define "lib.name" }}a{{ end }}
-- templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "lib.name" . }}, annotations: {checksum: {{ include (print $.Template.BasePath "/b.yaml") . | sha256sum }}}}
-- templates/b.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Values.now | default "b" }}}
-- values.yaml --
now: ""
`)
	same(t, ids(render(t, in)), []string{"/Namespace//infra", "/ConfigMap/infra/a", "/ConfigMap/infra/b"},
		"a library may hold what this chart does not use, and a value may be called now")
}
