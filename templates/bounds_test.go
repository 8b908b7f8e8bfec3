package templates

import (
	"strings"
	"testing"
	"time"
)

func TestManifestsThatNeverEnd(t *testing.T) {
	for name, c := range map[string]struct{ reason, text, want string }{
		"a loop over a number":      {"it writes nothing, so nothing else stops it", "a: 1\n{{ range $i := .Values.n }}{{ end }}", "a.yaml:2"},
		"loops in loops":            {"each of them is short", "{{ range until 9999 }}{{ range until 9999 }}{{ end }}{{ end }}", "a.yaml:1"},
		"includes that fork":        {"no branch is deep", "{{ define \"f\" }}{{ if . }}{{ include \"f\" (sub . 1) }}{{ include \"f\" (sub . 1) }}{{ end }}{{ end }}\n{{ include \"f\" 40 }}", "a.yaml:1"},
		"a loop in tpl":             {"its text is a template too", "{{ tpl \"{{ range 3000000000 }}{{ end }}\" . }}", "loops and includes run more than 1000000 times"},
		"a list of a mistyped size": {"it is made before the loop begins", "{{ range until (int .Values.n) }}{{ end }}", "3000000000 is more than 1000000"},
		"steps":                     {"as with until", "{{ untilStep 0 (int .Values.n) 1 | len }}", "3000000000 is more than 1000000"},
		"a sequence":                {"as with until", "{{ seq (int .Values.n) | len }}", "3000000000 is more than 1000000"},
		"a repeated text":           {"it is made before it is written", "{{ repeat (int .Values.n) \"ab\" | len }}", "3000000000 times 2 bytes are more than 8388608"},
		"an indentation":            {"it is made before it is written", "{{ \"a\" | nindent (int .Values.n) | len }}", "3000000000 times 1 bytes are more than 8388608"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, Manifests, "-- a.yaml --\n"+c.text+"\n")
			in.Values = map[string]any{"n": int64(3_000_000_000)}
			began := time.Now()
			_, err := Render(in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.reason, err, c.want)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestBoundsLeaveWhatIsOrdinary(t *testing.T) {
	in := input(t, Manifests, `-- a.yaml --
{{- range $i, $name := list "a" "b" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $name }}-{{ seq 1 2 | replace " " "" }}}
data: {s: '{{ repeat 2 "x" }}{{ range untilStep 0 4 2 }}{{ . }}{{ else }}none{{ end }}{{ until 2 | len }}'}
---
{{- end }}
`)
	same(t, field(find(t, render(t, in), "ConfigMap").Object, "data", "s"), any("xx022"), "loops run")
}
