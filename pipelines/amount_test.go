package pipelines_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

// R14: 10% of 4 was 0 here and 1 there. There is one rule, and this is it.
func TestFailureMode_R14(t *testing.T) {
	ten := pipelines.Percent(10)
	if got := ten.Of(4); got != 1 {
		t.Errorf("10%% of 4 units: got %d, want 1: a percentage of units rounds down, never below 1", got)
	}
	if got := ten.BudgetOf(4); got != 0 {
		t.Errorf("a failure budget of 10%% of 4: got %d, want 0: a budget rounds down", got)
	}
}

func TestAmount(t *testing.T) {
	cases := map[string]struct {
		reason string
		amount pipelines.Amount
		total  int
		of     int
		budget int
	}{
		"A percentage rounds down":         {"50% of 5 must not be 3", pipelines.Percent(50), 5, 2, 2},
		"A percentage of one unit is it":   {"a fleet of one can be rolled", pipelines.Percent(1), 1, 1, 0},
		"All is all":                       {"the last batch leaves nothing", pipelines.Percent(100), 7, 7, 7},
		"99% of 199 is not 198":            {"0.99 * 199 is 197.01", pipelines.Percent(99), 199, 197, 197},
		"A count is itself":                {"no rounding", pipelines.Count(3), 10, 3, 3},
		"A count does not go past total":   {"there is nothing more to move", pipelines.Count(5), 3, 3, 3},
		"Nothing of nothing":               {"an empty stage has no batch of one", pipelines.Percent(10), 0, 0, 0},
		"0 stays 0":                        {"nobody asked for a unit", pipelines.Count(0), 10, 0, 0},
		"0% stays 0":                       {"nobody asked for a unit", pipelines.Percent(0), 10, 0, 0},
		"A negative amount moves nothing":  {"it cannot be loaded, but must not harm", pipelines.Count(-3), 10, 0, 0},
		"A negative total holds nothing":   {"it cannot be, but must not harm", pipelines.Percent(50), -3, 0, 0},
		"More than 100% does not overflow": {"it cannot be loaded, but must not harm", pipelines.Percent(math.MaxInt), 10, 10, 10},
		"The largest total does not":       {"percentages are computed in two parts", pipelines.Percent(50), math.MaxInt, math.MaxInt / 2, math.MaxInt / 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.amount.Of(tc.total); got != tc.of {
				t.Errorf("\n%s\n%s.Of(%d): got %d, want %d", tc.reason, tc.amount, tc.total, got, tc.of)
			}
			if got := tc.amount.BudgetOf(tc.total); got != tc.budget {
				t.Errorf("\n%s\n%s.BudgetOf(%d): got %d, want %d", tc.reason, tc.amount, tc.total, got, tc.budget)
			}
		})
	}
}

// drawBatches draws a list that the loader would take: counts and percentages that each rise, 100% last.
func drawBatches(t *rapid.T) []pipelines.Amount {
	var batches []pipelines.Amount
	count, percent := 0, 0
	for range rapid.IntRange(0, 8).Draw(t, "steps") {
		if rapid.Bool().Draw(t, "percent") {
			percent += rapid.IntRange(1, 12).Draw(t, "rise")
			batches = append(batches, pipelines.Percent(percent))
			continue
		}
		count += rapid.IntRange(1, 500).Draw(t, "rise")
		batches = append(batches, pipelines.Count(count))
	}
	return append(batches, pipelines.Percent(100))
}

func TestCumulativeBatchesNeverFallAndEndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 20_000).Draw(t, "total")
		highest, highestCount, highestPercent := 0, 0, 0
		for _, b := range drawBatches(t) {
			n := b.Of(total)
			if n < 0 || n > total {
				t.Fatalf("%s.Of(%d) = %d is past total", b, total, n)
			}
			if total > 0 && n < 1 {
				t.Fatalf("%s.Of(%d) = %d is below 1", b, total, n)
			}
			of := &highestCount
			if b.Percent {
				of = &highestPercent
			}
			if n < *of {
				t.Fatalf("%s.Of(%d) = %d falls below %d", b, total, n, *of)
			}
			*of = n
			highest = max(highest, n)
		}
		if highest != total {
			t.Fatalf("the last batch reaches %d of %d", highest, total)
		}
	})
}

func TestBudgetIsNeverAboveTheUnitsOfTheSameAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := pipelines.Amount{Value: rapid.IntRange(0, 100).Draw(t, "value"), Percent: rapid.Bool().Draw(t, "percent")}
		total := rapid.IntRange(0, 1_000_000).Draw(t, "total")
		budget, of := a.BudgetOf(total), a.Of(total)
		if budget > of || budget < 0 {
			t.Fatalf("%s of %d: budget %d, units %d", a, total, budget, of)
		}
		if of-budget > 1 {
			t.Fatalf("%s of %d: budget %d and units %d differ by more than the one unit that rounding may add", a, total, budget, of)
		}
		if a.Percent && budget*100 > a.Value*total {
			t.Fatalf("%s of %d: budget %d is rounded up", a, total, budget)
		}
	})
}

func TestAmountIsWrittenAsPeopleWriteIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := pipelines.Count(rapid.IntRange(0, 1_000_000).Draw(t, "count"))
		if rapid.Bool().Draw(t, "percent") {
			a = pipelines.Percent(rapid.IntRange(0, 100).Draw(t, "value"))
		}
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON pipelines.Amount
		if err := json.Unmarshal(data, &fromJSON); err != nil || fromJSON != a {
			t.Fatalf("JSON %s: got %s, %v, want %s", data, fromJSON, err, a)
		}
		data, err = yaml.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var fromYAML pipelines.Amount
		if err := yaml.Unmarshal(data, &fromYAML); err != nil || fromYAML != a {
			t.Fatalf("YAML %s: got %s, %v, want %s", data, fromYAML, err, a)
		}
		parsed, err := pipelines.ParseAmount(a.String())
		if err != nil || parsed != a {
			t.Fatalf("ParseAmount(%q): got %s, %v", a, parsed, err)
		}
	})
}

func TestAmountThatIsNone(t *testing.T) {
	for _, text := range []string{`"5"`, `-1`, `"-1%"`, `"101%"`, `"%"`, `"1.5%"`, `1.5`, `"010%"`, `1000001`, `true`, `{}`, `"99999999999999999999%"`} {
		var a pipelines.Amount
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("json.Unmarshal(%s): got %s, want an error", text, a)
		}
		if err := yaml.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("yaml.Unmarshal(%s): got %s, want an error", text, a)
		}
	}
	if diff := cmp.Diff(pipelines.Amount{Value: 10, Percent: true}, pipelines.Percent(10)); diff != "" {
		t.Errorf("Percent(10): -want +got:\n%s", diff)
	}
}
