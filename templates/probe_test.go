package templates

import (
	"strings"
	"testing"
)

// certificates is a chart that makes a certificate unless it is given one, as public charts do.
const certificates = chartHead + `-- values.yaml --
tls: {type: helm, caBundle: "", motd: ""}
-- templates/_helpers.tpl --
{{- define "a.ca" -}}
{{- $ca := genCA "a" 365 -}}
{{- $ca.Cert -}}
{{- end -}}
-- templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
data:
  {{- if eq .Values.tls.type "helm" }}
  {{- $old := lookup "v1" "Secret" .Release.Namespace "a" }}
  {{- if $old }}
  ca: {{ $old.data.ca }}
  {{- else }}
  ca: {{ include "a.ca" . | quote }}
  {{- end }}
  {{- else }}
  ca: {{ .Values.tls.caBundle | quote }}
  {{- end }}
  motd: {{ tpl .Values.tls.motd . | quote }}
`

func TestAnUnstableFunctionIsRefusedWhereItIsReached(t *testing.T) {
	configured := map[string]any{"tls": map[string]any{"type": "given", "caBundle": "PEM"}}
	for name, c := range map[string]struct {
		reason string
		kind   Kind
		files  string
		values map[string]any
		want   string // the error; "" where it renders
	}{
		"behind a condition that is false": {
			reason: "the chart makes no key here", kind: Chart, files: certificates, values: configured,
		},
		"behind a lookup": {
			reason: "no cluster is asked, so the key would be new at each render", kind: Chart, files: certificates,
			want: `templates/_helpers.tpl:2:12: function "genCA" is refused, it makes a new key`,
		},
		"in a value that tpl runs": {
			reason: "the value is a template there", kind: Chart, files: certificates,
			values: map[string]any{"tls": map[string]any{"type": "given", "motd": "since {{ if true }}{{ now | date \"2006\" }}{{ end }}"}},
			want:   `values.tls.motd:1:23: function "now" is refused, it reads the clock`,
		},
		"in a value, behind a condition that is false": {
			reason: "it is not called", kind: Chart, files: certificates,
			values: map[string]any{"tls": map[string]any{"type": "given", "motd": "since {{ if false }}{{ now }}{{ end }}ever"}},
		},
		"in a value that nothing runs": {
			reason: "a dashboard's own templates are text", kind: Chart,
			files:  chartHead + "-- values.yaml --\nx: a\n-- templates/a.yaml --\n" + bareConfigMap + "data: {x: {{ .Values.x | quote }}, y: {{ tpl \"b\" . }}}\n",
			values: map[string]any{"x": "{{ now }}"},
		},
		"in the text of tpl": {
			reason: "written out in the template", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n" + bareConfigMap + "data:\n  x: {{ tpl \"{{ uuidv4 }}\" . }}\n",
			want:  `templates/a.yaml:5: function "uuidv4" is refused`,
		},
		"as an argument": {
			reason: "wherever it is called from", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n" + bareConfigMap + "data: {x: {{ list \"a\" uuidv4 | join \",\" }}}\n",
			want:  `templates/a.yaml:4:23: function "uuidv4" is refused`,
		},
		"with a field taken of its result": {
			reason: "wherever it is called from", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n" + bareConfigMap + "data: {x: {{ now.Unix }}, y: {{ (now).Unix }}}\n",
			want:  `templates/a.yaml:4:14: function "now" is refused`,
		},
		"at the end of a pipeline": {
			reason: "with what the pipeline has so far as its argument", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n" + bareConfigMap + "data: {x: {{ 8 | int | randAlphaNum | quote }}}\n",
			want:  `templates/a.yaml:4:24: function "randAlphaNum" is refused`,
		},
		"not called where another is": {
			reason: "and stops at the first operand that decides", kind: Chart,
			files: chartHead + "-- templates/a.yaml --\n" + bareConfigMap + "data: {x: {{ or \"a\" (randAlphaNum 8) }}}\n",
		},
		"in manifests, behind a condition that is false": {
			reason: "a folder of manifests is no other", kind: Manifests,
			files: "-- a.yaml --\n" + bareConfigMap + "data: {x: {{ if false }}{{ randAlphaNum 8 }}{{ else }}a{{ end }}}\n",
		},
		"in manifests, reached": {
			reason: "with its place", kind: Manifests,
			files: "-- a.yaml --\n" + bareConfigMap + "data: {x: {{ if true }}{{ randAlphaNum 8 }}{{ else }}a{{ end }}}\n",
			want:  `a.yaml:4:27: function "randAlphaNum" is refused, it is random`,
		},
		"in manifests, in a helper": {
			reason: "the helper's place, not its caller's", kind: Manifests,
			files: "-- _h.tpl --\n{{ define \"h\" }}\n{{ (genSignedCert \"a\" nil nil 1 \"b\").Cert }}{{ end }}\n-- a.yaml --\n" + bareConfigMap + "data: {x: {{ include \"h\" . }}}\n",
			want:  `_h.tpl:2:5: function "genSignedCert" is refused, it makes a new key`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.kind, c.files)
			if c.values != nil {
				in.Values = c.values
			}
			rendered, err := Render(in)
			if c.want == "" {
				if err != nil {
					t.Fatalf("%s: %v", c.reason, err)
				}
				text, err := Encode(rendered.Unstructured())
				if err != nil || strings.Contains(string(text), tripwire) {
					t.Errorf("the probe shows in what is rendered: %s, %v", text, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.reason, err, c.want)
			}
		})
	}
}

const bareConfigMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
