package convert_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/convert"
	"sluice.dev/sluice/pipelines"
)

// template is an AnalysisTemplate with one metric, that asks Prometheus and is judged by a condition.
func template(condition string) []byte {
	return fmt.Appendf(nil, `
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: t}
spec:
  args: [{name: least, value: "3"}, {name: free}, {name: wo-rd, value: abc}]
  metrics:
  - name: m
    successCondition: |
      %s
    provider: {prometheus: {query: up}}
`, condition)
}

// TestConditions compares what is written, and has the language check that it is a Task.
func TestConditions(t *testing.T) {
	for _, c := range []struct{ reason, from, want, left string }{
		{reason: "a whole number becomes a double: CEL does not mix them", from: "result[0] >= 1", want: "result[0] >= 1.0"},
		{reason: "lengths stay whole", from: "len(result) == 2", want: "size(result) == 2"},
		{reason: "a length and a number", from: "len(result) > 1.5", want: "double(size(result)) > 1.5"},
		{reason: "the only value", from: "result < 0.05", want: "value < 0.05"},
		{reason: "words for operators", from: "result[0] > 1 and not (result[0] > 2 or false)",
			want: "(result[0] > 1.0) && !((result[0] > 2.0) || false)"},
		{reason: "a division is never of whole numbers", from: "1 / 2 < result", want: "(1.0 / 2.0) < value"},
		{reason: "what binds how is kept", from: "(result[0] + 1) * -2 < 3 ? true : result[1] == 0.1",
			want: "(((result[0] + 1.0) * -2.0) < 3.0) ? true : (result[1] == 0.1)"},
		{reason: "all items", from: "all(result, # < 1)", want: "result.all(x, x < 1.0)"},
		{reason: "no item", from: "none(result, {# < 1})", want: "!result.exists(x, x < 1.0)"},
		{reason: "one item", from: "one(result, # < 1)", want: "result.exists_one(x, x < 1.0)"},
		{reason: "how many items", from: "count(result, # < 1) < 2", want: "size(result.filter(x, x < 1.0)) < 2"},
		{reason: "items of items", from: "any(result, {# > 1 && all(result, # < 2)})",
			want: "result.exists(x, (x > 1.0) && result.all(y, y < 2.0))"},
		{reason: "what is mapped", from: "map(filter(result, # > 0), # * 2)[0] < 3",
			want: "result.filter(x, x > 0.0).map(x, x * 2.0)[0] < 3.0"},
		{reason: "no number", from: "!isNaN(result[0]) && !isInf(asFloat(result[0]))", want: "!isNaN(result[0]) && !isInf(result[0])"},
		{reason: "an argument is a number", from: "result[0] > {{args.least}} - {{ args.free }}",
			want: "result[0] > (params.least - params.free)"},
		{reason: "an argument is a text", from: `"{{args.wo-rd}}" == "a\"b"`, want: `params.woRd == "a\"b"`},

		{reason: "a text is no number", from: "result[0] > {{args.wo-rd}}", left: `the argument wo-rd is "abc", which is no number`},
		{reason: "pasted within a text", from: `"x{{args.wo-rd}}" == "x"`, left: "into the middle of the text"},
		{reason: "pasted within a word", from: "result[0] > {{args.least}}5", left: "is not known"},
		{reason: "an argument that nobody gives", from: "result[0] > {{args.none}}", left: "{{args.none}} is no argument"},
		{reason: "nil", from: "result != nil", left: "nil has no counterpart"},
		{reason: "default", from: "default(result, 0) < 1", left: "default has no counterpart"},
		{reason: "a function that CEL does not have", from: "sum(result) < 1", left: "sum has no counterpart"},
		{reason: "a function that nobody has", from: "frob(result) < 1", left: "frob has no counterpart"},
		{reason: "a power", from: "result[0] ** 2 < 1", left: "the operator ** has no counterpart"},
		{reason: "an item from the end", from: "result[-1] < 1", left: "taken by its number from 0"},
		{reason: "a field", from: "result.metric == 1", left: "is a list of numbers"},
		{reason: "a slice", from: "len(result[0:1]) == 1", left: "has no counterpart"},
		{reason: "a variable", from: "let x = result[0]; x > 1", left: "has no counterpart"},
		{reason: "text against number", from: `result == "ok"`, left: "does not take a number and a text"},
		{reason: "no truth value", from: "result[0]", left: "yields no truth value"},
		{reason: "no expression", from: "result[0] >", left: "cannot read"},
		{reason: "too long", from: strings.Repeat("!", 5000) + "true", left: "more than 4096 bytes"},
	} {
		got, err := convert.File("t.yaml", template(c.from))
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		if c.want != "" && len(got.Tasks) == 1 {
			if had := got.Tasks[0].Spec.Steps[0].Metrics.SuccessCondition; had != c.want {
				t.Errorf("%s: %s becomes\n%s, want\n%s", c.reason, c.from, had, c.want)
			}
			text, err := convert.YAML(got.Tasks)
			if err == nil {
				_, err = pipelines.Parse(pipelines.Source{Name: "task.yaml", Data: text})
			}
			if err != nil {
				t.Errorf("%s: it is no task: %v", c.reason, err)
			}
			continue
		}
		if c.left == "" || len(got.Tasks) != 0 || !strings.Contains(got.Left.Error(), c.left) {
			t.Errorf("%s: %s: %d tasks, left out:\n%s", c.reason, c.from, len(got.Tasks), got.Left.Error())
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ reason, body, left, err string }{
		{reason: "no YAML", body: "kind: [", err: "cannot convert t.yaml"},
		{reason: "too large", body: strings.Repeat("#", convert.MaxBytes+1), err: "more than"},
		{reason: "nothing"},
		{reason: "a list", body: "[1, 2]", left: "t.yaml:1:1: the document: is no mapping"},
		{reason: "another kind", body: "apiVersion: v1\nkind: Service\nmetadata: {name: s}", left: "only AnalysisTemplate"},
		{reason: "what a check may mount", body: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}", left: "Secret: a folder of probes holds none"},
		{reason: "rights of nobody", body: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s}", left: "ServiceAccount s: no check of this file"},
		{reason: "no spec", body: "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: s}", left: "has no spec"},
		{reason: "aliases", body: "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nspec: {args: &b [], metrics: *b}",
			left: "aliases of YAML are not followed"},
		{reason: "metrics that are no list", body: "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nspec: {metrics: 3}",
			left: "metrics is no list"},
		{reason: "a count that is no number", body: string(template("true")) + "    count: many\n", left: `count: "many" is no whole number`},
		{reason: "an interval that is none", body: string(template("true")) + "    interval: 5 minutes\n", left: "interval: "},
		{reason: "a count that somebody gives", body: string(template("true")) + "    count: \"{{args.free}}\"\n", left: "has no value"},
		{reason: "a field of a later version", body: string(template("true")) + "    colour: red\n", left: "colour has no counterpart"},
	} {
		got, err := convert.File("t.yaml", []byte(c.body))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		if err != nil || len(got.Tasks) > 0 || !strings.Contains(got.Left.Error(), c.left) {
			t.Errorf("%s: %d tasks, %v, left out:\n%s", c.reason, len(got.Tasks), err, got.Left.Error())
		}
	}
}

func FuzzAnalysis(f *testing.F) {
	f.Add(template("result[0] > {{args.least}}"))
	f.Add([]byte("kind: AnalysisTemplate\n---\n- 1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := convert.File("f.yaml", body)
		if err == nil {
			if _, err = convert.YAML(got.Tasks); err != nil {
				t.Error(err)
			}
		}
	})
}
