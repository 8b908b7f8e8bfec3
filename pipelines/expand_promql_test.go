package pipelines_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

// expandedQuery is a query with one value for every name.
func expandedQuery(query, value string) (string, error) {
	step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Metrics: &pipelines.Metrics{PromQL: query, SuccessCondition: "$(unit.cluster)"}}}
	out, err := step.Expanded(func(string) (any, bool) { return value, true })
	return out.Metrics.PromQL, err
}

func TestAValueInAQueryStaysAValue(t *testing.T) {
	for _, c := range []struct {
		reason, query, value, want string // want "" is an error
	}{
		{"a plain one", `up{cluster="$(unit.cluster)"}`, "eu-1", `up{cluster="eu-1"}`},
		{"one that would end the text", `up{cluster="$(unit.cluster)"}`, `x"} or vector(1) #`, `up{cluster="x\"} or vector(1) #"}`},
		{"in single quotes, which the other ones do not end", `up{cluster='$(unit.cluster)'}`, `a'b"c`, `up{cluster='a\'b"c'}`},
		{"a backslash at the end", `up{cluster="$(unit.cluster)"}`, `x\`, `up{cluster="x\\"}`},
		{"a line end", `up{cluster="$(unit.cluster)"}`, "a\nb", `up{cluster="a\nb"}`},
		{"a text that is matched as a pattern", `up{cluster=~"$(unit.cluster)-.*"}`, "a.b", `up{cluster=~"a\\.b-.*"}`},
		{"a pattern that must not match", `up{cluster !~ "$(unit.cluster)"}`, ".*", `up{cluster !~ "\\.\\*"}`},
		{"a pattern in backquotes", "up{cluster=~`$(unit.cluster).*`}", "a.b", "up{cluster=~`a\\.b.*`}"},
		{"backquotes have no escapes", "up{cluster=`$(unit.cluster)`}", "a`b", ""},
		{"the matcher after a pattern is none", `up{a=~"x", b="$(unit.cluster)"}`, "a.b", `up{a=~"x", b="a.b"}`},
		{"an escaped quote does not end a text", `up{a="\"$(unit.cluster)"}`, `"`, `up{a="\"\""}`},
		{"a number outside of quotes", `up > $(params.limit)`, "-0.5", `up > -0.5`},
		{"a duration", `rate(x[$(params.window)])`, "1h30m", `rate(x[1h30m])`},
		{"a name", `$(params.metric){}`, "http:requests_total", `http:requests_total{}`},
		{"a query in the stead of a number", `up > $(params.limit)`, "1 or up", ""},
		{"a label in the stead of a name", `up{$(params.label)}`, `job="x"`, ""},
		{"nothing at all", `up > $(params.limit)`, "", ""},
		{"a comment stays one", "up # $(unit.cluster)\n", "a\nvector(1)", "up # a vector(1)\n"},
		{"a quote in a comment is none", "up # it's\n+ $(params.limit)", "1", "up # it's\n+ 1"},
		{"a backslash of the query would take the value's escape", `up{a="\$(unit.cluster)"}`, "n", ""},
	} {
		got, err := expandedQuery(c.query, c.value)
		if (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%s: %s, %v", c.reason, got, err)
		}
	}
}

// TestNoValueEndsAText: whatever a label's value is, a query has it as that text, and nothing behind it.
func TestNoValueEndsAText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		got, err := expandedQuery(`up{cluster="$(unit.cluster)"}`, value)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSuffix(strings.TrimPrefix(got, "up{cluster="), "}")
		if strings.ContainsFunc(value, unicode.IsControl) {
			text = strings.Map(func(r rune) rune { // Go reads no control characters in a literal, PromQL does
				if unicode.IsControl(r) {
					return 'c'
				}
				return r
			}, text)
		}
		if _, err := strconv.Unquote(text); err != nil {
			t.Fatalf("%q is no text: %v", text, err)
		}
	})
}

func TestConditionsReadParamsAndAreNotExpanded(t *testing.T) {
	step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Metrics: &pipelines.Metrics{PromQL: "up", SuccessCondition: `"$(x.y)" == ""`}}}
	out, err := step.Expanded(func(string) (any, bool) { return "1", true })
	if err != nil || out.Metrics.SuccessCondition != `"$(x.y)" == ""` || len(step.References()) > 0 {
		t.Errorf("got %q, %v, %v", out.Metrics.SuccessCondition, step.References(), err)
	}
}
