package pipelines_test

import (
	"testing"

	"sluice.dev/sluice/pipelines"
)

func TestSelectorMatches(t *testing.T) {
	labels := map[string]string{"environment": "e2e", "region": "hangzhou", "empty": ""}
	expression := func(key, operator string, values ...string) pipelines.Selector {
		return pipelines.Selector{MatchExpressions: []pipelines.SelectorRequirement{{Key: key, Operator: operator, Values: values}}}
	}
	cases := map[string]struct {
		reason   string
		selector pipelines.Selector
		want     bool
	}{
		"All":                           {"that is what it says", pipelines.Selector{All: true}, true},
		"An empty one chooses nothing":  {"everything is written all: true", pipelines.Selector{}, false},
		"A label":                       {"", pipelines.Selector{MatchLabels: map[string]string{"environment": "e2e"}}, true},
		"A label of another value":      {"", pipelines.Selector{MatchLabels: map[string]string{"environment": "test"}}, false},
		"A label that is not there":     {"an empty value is not a missing one", pipelines.Selector{MatchLabels: map[string]string{"site": ""}}, false},
		"An empty label":                {"", pipelines.Selector{MatchLabels: map[string]string{"empty": ""}}, true},
		"A name":                        {"", pipelines.Selector{Names: []string{"a", "c1"}}, true},
		"Another name":                  {"", pipelines.Selector{Names: []string{"a"}}, false},
		"A name and a label that fails": {"all of it must hold", pipelines.Selector{Names: []string{"c1"}, MatchLabels: map[string]string{"region": "x"}}, false},
		"In":                            {"", expression("region", pipelines.OpIn, "x", "hangzhou"), true},
		"In, not there":                 {"", expression("site", pipelines.OpIn, "x"), false},
		"NotIn":                         {"", expression("region", pipelines.OpNotIn, "hangzhou"), false},
		"NotIn, not there":              {"as in Kubernetes", expression("site", pipelines.OpNotIn, "x"), true},
		"Exists":                        {"", expression("empty", pipelines.OpExists), true},
		"Exists, not there":             {"", expression("site", pipelines.OpExists), false},
		"DoesNotExist":                  {"", expression("site", pipelines.OpDoesNotExist), true},
		"DoesNotExist, there":           {"", expression("empty", pipelines.OpDoesNotExist), false},
		"An operator there is none of":  {"a selector that cannot be told chooses nothing", expression("region", "Equals", "hangzhou"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.selector.Matches(labels, "c1"); got != tc.want {
				t.Errorf("\n%s\n{%s}.Matches(%v, c1): got %t, want %t", tc.reason, tc.selector, labels, got, tc.want)
			}
		})
	}
}

func TestSelectorPrintsTheSameForEqualSelectors(t *testing.T) {
	s := pipelines.Selector{
		MatchLabels: map[string]string{"b": "2", "a": "1", "c": "3"},
		MatchExpressions: []pipelines.SelectorRequirement{
			{Key: "d", Operator: pipelines.OpIn, Values: []string{"x", "y"}},
			{Key: "e", Operator: pipelines.OpNotIn, Values: []string{"z"}},
			{Key: "f", Operator: pipelines.OpExists},
			{Key: "g", Operator: pipelines.OpDoesNotExist},
		},
		Names: []string{"n"},
	}
	want := "a=1,b=2,c=3,d in (x,y),e notin (z),f,!g,name in (n)"
	for range 20 {
		if got := s.String(); got != want {
			t.Fatalf("String(): got %s, want %s", got, want)
		}
	}
	if got := (pipelines.Selector{}).String(); got != "nothing" {
		t.Errorf("String() of an empty selector: got %s, want nothing", got)
	}
}
