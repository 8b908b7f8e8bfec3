package templates

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

func TestValues(t *testing.T) {
	place := pipelines.Place{Cluster: "cn-hz-1", Group: "vpc", Environment: "production", NetworkDomain: "dmz"}
	cases := map[string]struct {
		reason string
		config pipelines.Config
		want   map[string]any
	}{
		"no config": {"a component may have none", pipelines.Config{}, map[string]any{}},
		"each layer over the one before": {
			reason: "fleet < environment < network domain < cluster group < cluster",
			config: pipelines.Config{
				Fleet:          map[string]any{"f": int64(0), "e": int64(0), "n": int64(0), "g": int64(0), "c": int64(0)},
				Environments:   map[string]map[string]any{"production": {"e": int64(1), "n": int64(1), "g": int64(1), "c": int64(1)}, "test": {"f": int64(9)}},
				NetworkDomains: map[string]map[string]any{"dmz": {"n": int64(2), "g": int64(2), "c": int64(2)}},
				ClusterGroups:  map[string]map[string]any{"vpc": {"g": int64(3), "c": int64(3)}},
				Clusters:       map[string]map[string]any{"cn-hz-1": {"c": int64(4)}, "cn-hz-2": {"f": int64(9)}},
			},
			want: map[string]any{"f": int64(0), "e": int64(1), "n": int64(2), "g": int64(3), "c": int64(4)},
		},
		"maps are merged, lists are replaced, null takes away": {
			reason: "as people know it from Helm",
			config: pipelines.Config{
				Fleet:    map[string]any{"m": map[string]any{"a": "1", "b": "2", "deep": map[string]any{"x": "1"}}, "l": []any{"a", "b"}, "gone": "x", "scalar": "x", "map": map[string]any{"a": "1"}},
				Clusters: map[string]map[string]any{"cn-hz-1": {"m": map[string]any{"b": "3", "deep": map[string]any{"y": "2"}}, "l": []any{"c"}, "gone": nil, "scalar": map[string]any{"a": "1", "none": nil}, "map": "x"}},
			},
			want: map[string]any{"m": map[string]any{"a": "1", "b": "3", "deep": map[string]any{"x": "1", "y": "2"}}, "l": []any{"c"}, "scalar": map[string]any{"a": "1"}, "map": "x"},
		},
	}
	for name, c := range cases {
		component := &pipelines.Component{Metadata: pipelines.Metadata{Name: "agent"}, Spec: pipelines.ComponentSpec{Config: c.config}}
		for range 2 {
			got, err := Values(component, place)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.want, name+": "+c.reason)
			scribble(got)
		}
	}
}

func TestNullTakesAwayAChartsDefault(t *testing.T) {
	component := &pipelines.Component{Metadata: pipelines.Metadata{Name: "agent"}, Spec: pipelines.ComponentSpec{
		Template: pipelines.Template{Chart: "chart"},
		Config:   pipelines.Config{Fleet: map[string]any{"probe": map[string]any{"port": int64(1)}}, Clusters: map[string]map[string]any{"c": {"probe": nil, "deep": map[string]any{"a": nil}}}},
	}}
	values, err := Values(component, pipelines.Place{Cluster: "c"})
	if err != nil {
		t.Fatal(err)
	}
	in := input(t, Chart, chartHead+"-- values.yaml --\nprobe: {port: 80}\ndeep: {a: 1, b: 2}\n-- templates/a.yaml --\n"+
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {all: '{{ toJson .Values }}'}\n")
	in.Values = values
	same(t, field(find(t, render(t, in), "ConfigMap").Object, "data", "all"), any(`{"deep":{"b":2}}`), "as with helm --values")
}

// scribble changes everything inside a value: the next merge must not see it.
func scribble(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			scribble(item)
		}
		v["scribble"] = true
	case []any:
		for i, item := range v {
			scribble(item)
			v[i] = "scribble"
		}
	}
}

func TestValuesThatWereStored(t *testing.T) {
	in := input(t, Manifests, "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {num: '{{ .Values.n }} {{ .Values.f }} {{ index .Values.l 0 }}'}\n")
	for _, values := range []map[string]any{
		{"n": int64(1000000), "f": 0.5, "l": []any{int64(2000000)}},
		{"n": 1000000, "f": 0.5, "l": []any{2000000}},
		{"n": float64(1000000), "f": 0.5, "l": []any{float64(2000000)}},
		{"n": json.Number("1000000"), "f": json.Number("0.5"), "l": []any{json.Number("2000000")}},
	} {
		in.Values = values
		same(t, field(find(t, render(t, in), "ConfigMap").Object, "data", "num"), any("1000000 0.5 2000000"), "from YAML or from JSON, a number renders the same")
	}
}

func TestImages(t *testing.T) {
	component := &pipelines.Component{Metadata: pipelines.Metadata{Name: "agent"}, Spec: pipelines.ComponentSpec{
		Images: map[string]pipelines.Image{
			"agent":   {Default: "agent:1", Environments: map[string]string{"test": "agent:2"}},
			"sidecar": {Environments: map[string]string{"test": "mesh:7"}},
		},
		Config: pipelines.Config{Fleet: map[string]any{"a": "b"}},
	}}
	got, err := Values(component, pipelines.Place{Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, map[string]any{"a": "b", "images": map[string]any{"agent": "agent:2", "sidecar": "mesh:7"}}, "the environment's reference wins over the default")
	_, err = Values(component, pipelines.Place{Environment: "production"})
	if err == nil || err.Error() != `component agent: image slot "sidecar" has no reference for environment "production" and no default` {
		t.Errorf("got %v", err)
	}
	component.Spec.Config.Fleet["images"] = "x"
	if _, err := Values(component, pipelines.Place{Environment: "test"}); err == nil || !strings.Contains(err.Error(), `config sets "images"`) {
		t.Errorf("two sources for one value: got %v", err)
	}
}

func TestCanonicalJSON(t *testing.T) {
	got, err := CanonicalJSON(map[string]any{"b": []any{int64(1), 0.5, nil}, "a": "<&>"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, string(got), `{"a":"<&>","b":[1,0.5,null]}`, "sorted, compact, no HTML escapes")
	if _, err := CanonicalJSON(func() {}); err == nil {
		t.Error("a func is no JSON")
	}
}
