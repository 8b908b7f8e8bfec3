package pipelines_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

var typeOfPosition = reflect.TypeFor[pipelines.Position]()

func TestBindParams(t *testing.T) {
	p := mustParse(t, `
kind: Pipeline
metadata: {name: p}
spec:
  params:
  - {name: text, default: hello}
  - {name: count, type: int}
  - {name: share, type: double, default: 1}
  - {name: strict, type: bool, default: false}
  - {name: wait, type: duration, default: 1d12h}
  stages: [{name: s, clusterGroups: {all: true}}]`).Pipelines["p"]

	cases := map[string]struct {
		reason string
		given  map[string]string
		want   []pipelines.ParamValue
		err    string
	}{
		"Defaults fill in": {
			reason: "only count has none",
			given:  map[string]string{"count": "3"},
			want: []pipelines.ParamValue{
				{Name: "count", Value: int64(3)}, {Name: "share", Value: 1.0}, {Name: "strict", Value: false},
				{Name: "text", Value: "hello"}, {Name: "wait", Value: 36 * time.Hour},
			},
		},
		"Values are parsed by type": {
			reason: "a command line knows text only",
			given:  map[string]string{"count": "-3", "share": "0.5", "strict": "true", "text": "", "wait": "90s"},
			want: []pipelines.ParamValue{
				{Name: "count", Value: int64(-3)}, {Name: "share", Value: 0.5}, {Name: "strict", Value: true},
				{Name: "text", Value: ""}, {Name: "wait", Value: 90 * time.Second},
			},
		},
		"Everything wrong is said at once": {
			reason: "nobody wants to try five times",
			given:  map[string]string{"share": "high", "strict": "yes", "wait": "10", "cuont": "1", "zone": "a"},
			err: `param count of pipeline p is missing: it has no default
param share of pipeline p must be of type double, not "high"
param strict of pipeline p must be of type bool, not "yes"
param wait of pipeline p must be a duration: "10" is no duration such as 90s, 10m, 24h or 7d
pipeline p has no param cuont: did you mean count?
pipeline p has no param zone`,
		},
		"Not a number is no double": {
			reason: "every comparison with it is false",
			given:  map[string]string{"count": "1", "share": "NaN"},
			err:    "param share of pipeline p must be of type double, not NaN",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := pipelines.BindParams(p, tc.given)
			printed := ""
			if err != nil {
				printed = err.Error()
			}
			if diff := cmp.Diff(tc.err, printed); diff != "" {
				t.Errorf("\n%s\nBindParams(%v): error (-want +got):\n%s", tc.reason, tc.given, diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nBindParams(%v): -want +got:\n%s", tc.reason, tc.given, diff)
			}
		})
	}
}

func TestParamValuesKeepTheirTypeInJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := []pipelines.ParamValue{
			{Name: "i", Value: rapid.Int64().Draw(t, "int")},
			{Name: "whole", Value: float64(rapid.IntRange(-1000, 1000).Draw(t, "whole"))},
			{Name: "f", Value: rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "double")},
			{Name: "s", Value: rapid.StringMatching(`[a-z0-9 .%]{0,20}`).Draw(t, "string")},
			{Name: "b", Value: rapid.Bool().Draw(t, "bool")},
			{Name: "l", Value: rapid.SliceOfN(rapid.StringMatching(`[a-z0-9 .%"]{0,20}`), 0, 9).Draw(t, "array")},
			{Name: "o", Value: rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}`), rapid.StringMatching(`[a-z0-9 ]{0,9}`), 0, 9).Draw(t, "object")},
			{Name: "d", Value: time.Duration(rapid.Int64Range(0, int64(365*pipelines.Day)).Draw(t, "duration"))},
		}
		data, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		var got []pipelines.ParamValue
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("json.Unmarshal(%s): %v", data, err)
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Fatalf("JSON %s: -want +got:\n%s", data, diff)
		}
	})
}

func TestParamValueWithoutItsType(t *testing.T) {
	var got []pipelines.ParamValue
	text := `[{"name":"i","value":1},{"name":"f","value":1.5},{"name":"s","value":"1"},{"name":"b","value":true}]`
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := []pipelines.ParamValue{{Name: "i", Value: int64(1)}, {Name: "f", Value: 1.5}, {Name: "s", Value: "1"}, {Name: "b", Value: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, wrong := range []string{`{"name":"x","type":"int","value":"1"}`, `{"name":"x","type":"duration","value":"ten"}`, `{"name":"x"}`, `[]`} {
		var v pipelines.ParamValue
		if err := json.Unmarshal([]byte(wrong), &v); err == nil || !strings.HasPrefix(err.Error(), "cannot read param") {
			t.Errorf("json.Unmarshal(%s): got %v, %v, want an error that starts with: cannot read param", wrong, v, err)
		}
	}
}
