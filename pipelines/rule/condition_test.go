package rule_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines/rule"
)

// numbers is a measurement with a series for each number.
func numbers(values ...float64) rule.Measurement {
	m := rule.Measurement{Series: [][]float64{}, Labels: []map[string]string{}}
	for i, v := range values {
		m.Series = append(m.Series, []float64{v})
		m.Labels = append(m.Labels, map[string]string{"pod": string(rune('a' + i))})
	}
	return m
}

func TestConditions(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		reason, source string
		seen           rule.Measurement
		want           string // true, false, or a part of the error
	}{
		{"the only number", "value >= params.share", numbers(0.5), "true"},
		{"it is below", "value >= params.share", numbers(0.4), "false"},
		{"there is no only one of two", "value >= 0.5", numbers(1, 2), "the query yields 2; read them as result"},
		{"there is none of none", "value >= 0.5", numbers(), "the query yields 0"},
		{"whatever decides first does", "size(result) == 0 || value >= 0.5", numbers(), "true"},
		{"all numbers", "result.all(x, x > 0.5)", numbers(0.6, 0.4), "false"},
		{"whole numbers are numbers", "result[0] > 1.0", numbers(2), "true"},
		{"one that is not there", "result[3] > 1.0", numbers(2), "index out of bounds"},
		{"labels go with series", `labels[1].pod == "b" && series[1][0] == 2.0`, numbers(1, 2), "true"},
		{"a label that is not there", `labels[0].node == "b"`, numbers(1), "no such key"},
		{"the numbers of all series", "result == [1.0, 2.0, 3.0]", rule.Measurement{Series: [][]float64{{1, 2}, {3}}, Labels: nil}, "true"},
		{"no number asks for itself", "isNaN(value) || value > 1.0", numbers(nan), "true"},
		{"compared, it is neither above nor below", "value > 1.0 || value <= 1.0", numbers(nan), "false"},
		{"infinity can", "value > 1.0 && isInf(value)", numbers(inf), "true"},
		{"a default where there is nothing", "default(result, 1.0)[0] >= 1.0", numbers(), "true"},
		{"a default where there is no number", "default(result, 1.0) == [1.0]", numbers(nan), "true"},
		{"no default where there is one", "default(result, 1.0) == [0.2]", numbers(nan, 0.2), "true"},
		{"libraries", "math.greatest(result) < 3.0 && params.text.startsWith('t')", numbers(1, 2), "true"},
		{"too much work", "result.all(x, result.all(y, x <= y + 1e9))", numbers(make([]float64, 1000)...), "cost"},
	} {
		condition, err := rule.NewCompiler().CompileCondition(params, c.source)
		if err != nil {
			t.Fatalf("%s: %v", c.reason, err)
		}
		holds, err := condition.Eval(t.Context(), c.seen, rule.Params{"share": 0.5, "text": "text"})
		switch c.want {
		case "true", "false":
			if err != nil || holds != (c.want == "true") {
				t.Errorf("%s: %v, %v", c.reason, holds, err)
			}
		default:
			if err == nil || holds || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, %v", c.reason, holds, err)
			}
		}
	}
}

func TestAConditionSaysWhatItIsReadyFor(t *testing.T) {
	for source, want := range map[string][2]bool{ // NaN, nothing
		"value > 1.0":                            {false, false},
		"isNaN(value)":                           {true, false},
		"result.exists(x, math.isNaN(x))":        {true, false},
		"size(result) == 0 || value > 1.0":       {false, true},
		"result.size() > 0":                      {false, true},
		"default(result, 0.0)[0] > 1.0":          {true, true},
		"result.exists(x, isInf(x) || x > 1e10)": {false, false},
	} {
		c, err := rule.NewCompiler().CompileCondition(nil, source)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{c.ReadsNaN(), c.ReadsNone()}; got != want {
			t.Errorf("%s is ready for NaN and nothing: %v", source, got)
		}
	}
	var none *rule.Condition
	if none.ReadsNaN() || none.ReadsNone() {
		t.Error("no condition is ready for something")
	}
}

func TestAConditionEndsWithItsContext(t *testing.T) {
	c, err := rule.NewCompiler().CompileCondition(nil, "value > 1.0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if holds, err := c.Eval(ctx, numbers(2), nil); holds || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", holds, err)
	}
}
