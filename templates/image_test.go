package templates

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/pipelines"
)

// publicChart reads its image as public charts do, with defaults of its own, and refuses values that it does not know.
const publicChart = `-- Chart.yaml --
apiVersion: v2
name: metrics
version: 3.1.0
appVersion: 0.7.0
-- values.yaml --
image: {registry: registry.k8s.io, repository: metrics/server, tag: "", digest: "sha256:0000", pullPolicy: IfNotPresent}
-- values.schema.json --
{"type": "object", "additionalProperties": false, "properties": {"image": {"type": "object"}, "global": {}}}
-- templates/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics}
spec:
  selector: {matchLabels: {app: metrics}}
  template:
    metadata: {labels: {app: metrics}}
    spec:
      containers:
      - name: server
        image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}"
        imagePullPolicy: {{ .Values.image.pullPolicy }}
`

func TestAnUnmodifiedChartHasItsImageManaged(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	component := &pipelines.Component{Metadata: pipelines.Metadata{Name: "metrics"}, Spec: pipelines.ComponentSpec{
		Template: pipelines.Template{Chart: "chart"},
		Images: map[string]pipelines.Image{"server": {
			Default:      "registry:5000/mirror/server:0.7.1",
			Environments: map[string]string{"production": "registry.local:5000/mirror/server:0.7.2@" + digest, "e2e": "server:0.8.0"},
			Values: &pipelines.ImageValues{
				Registry: "image.registry", Repository: "image.repository", Tag: "image.tag", Digest: "image.digest",
			},
		}},
		Config: pipelines.Config{Fleet: map[string]any{"image": map[string]any{"pullPolicy": "Always"}}},
	}}
	for environment, want := range map[string]string{
		"test":       "registry:5000/mirror/server:0.7.1",
		"production": "registry.local:5000/mirror/server:0.7.2@" + digest,
		"e2e":        "docker.io/server:0.8.0",
	} {
		values, err := Values(component, pipelines.Place{Environment: environment})
		if err != nil {
			t.Fatal(err)
		}
		in := input(t, Chart, publicChart)
		in.Values = values
		for _, o := range render(t, in).Objects {
			if o.GetKind() != "Deployment" {
				continue
			}
			containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			container := containers[0].(map[string]any)
			same(t, container["image"], any(want), environment+": the reference of the environment, whatever the chart's defaults are")
			same(t, container["imagePullPolicy"], any("Always"), environment+": the config beside it stays")
		}
	}
}

func TestAnImageAndTheConfigDoNotSetOneKey(t *testing.T) {
	for name, c := range map[string]struct {
		config map[string]any
		want   string
	}{
		"the same key":              {map[string]any{"image": map[string]any{"tag": "2"}}, "config sets image.tag too"},
		"a text where a map has to": {map[string]any{"image": "a:1"}, "config sets image, which is no map"},
	} {
		component := &pipelines.Component{Metadata: pipelines.Metadata{Name: "a"}, Spec: pipelines.ComponentSpec{
			Images: map[string]pipelines.Image{"s": {Default: "a:1", Values: &pipelines.ImageValues{Repository: "image.repository", Tag: "image.tag"}}},
			Config: pipelines.Config{Clusters: map[string]map[string]any{"c": c.config}},
		}}
		if _, err := Values(component, pipelines.Place{Cluster: "c"}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
