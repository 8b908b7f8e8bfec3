package plan_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/scenario"
)

// words are what stands in scenarios about a condition.
var words = map[plan.Condition]string{
	plan.GoingBack: "way back", plan.OnlyAdvises: "Advisory", plan.WithinLimit: "Limit:", plan.WithinCluster: "maxBatchFailures:",
	plan.WithinBudget: "maxFailures:",
}

// speaksOf is how much of a row stands in a scenario. It only decides which scenarios are played first.
func speaksOf(text string, row plan.PolicyRow) (n int) {
	for _, word := range []string{string(row.Verdict), string(row.OnFailure), words[row.When]} {
		if word != "" && strings.Contains(text, word) {
			n++
		}
	}
	if row.Verdict == "" && row.When == "" && strings.Contains(text, string(scenario.Unheard)) {
		n++
	}
	return n
}

// TestEveryRowOfTheTableIsPlayed turns over each row of the table from verdicts to rulings: some scenario then decides otherwise than it
// says. A row without a scenario is one that nobody would miss.
func TestEveryRowOfTheTableIsPlayed(t *testing.T) {
	paths, err := filepath.Glob("../../scenario/testdata/*.txtar")
	if err != nil || len(paths) < 60 {
		t.Fatalf("there are %d scenarios: %v", len(paths), err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(data)
	}
	played := 0
	for i, row := range plan.VerdictPolicy() {
		order := slices.Clone(paths)
		slices.SortStableFunc(order, func(a, b string) int {
			if of := cmp.Compare(speaksOf(texts[b], row), speaksOf(texts[a], row)); of != 0 {
				return of
			}
			return cmp.Compare(len(texts[a]), len(texts[b])) // the short ones first
		})
		turned := plan.Hold
		if row.Ruling == plan.Hold {
			turned = plan.GoesOn
		}
		back := plan.TurnOver(i, turned)
		at := slices.IndexFunc(order, func(path string) bool { played++; return red(t, path, texts[path]) })
		back()
		if at < 0 {
			t.Errorf("row %d may say %q instead of %q, and no scenario minds: %+v", i+1, turned, row.Ruling, row)
			continue
		}
		t.Logf("row %2d %s %s: %s is the %d. that was played", i+1, cmp.Or(row.Verdict, api.Verdict("any")), row.When, filepath.Base(order[at]), at+1)
	}
	t.Logf("%d plays", played)
}

// red reports whether a scenario decides otherwise than it says.
func red(t *testing.T, path, text string) bool {
	t.Helper()
	s, err := scenario.Parse(path, []byte(text), func(used string) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(path), used))
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Play(nil)
	return err != nil || scenario.Differs(s.Expected(), got) != nil
}
