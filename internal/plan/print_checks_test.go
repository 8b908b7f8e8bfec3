package plan_test

import (
	"bytes"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// TestASetOfChecksIsPrintedOnce where stages have the same one: not where only its names are the same.
func TestASetOfChecksIsPrintedOnce(t *testing.T) {
	asks := func(url string) pipelines.ResolvedCheck {
		return pipelines.ResolvedCheck{
			Name: "answers", At: []pipelines.Point{pipelines.AfterBatch}, Enforcement: pipelines.Enforcing,
			Steps: []pipelines.ResolvedStep{{Name: "answers/ask", StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://one.example", Body: url}}}},
		}
	}
	rule := pipelines.ResolvedCheck{Name: "ready", At: []pipelines.Point{pipelines.AfterBatch}, Gates: []pipelines.ResolvedGate{{Name: "ready", CEL: "true"}}}
	for _, c := range []struct {
		reason        string
		first, second []pipelines.ResolvedCheck
		skipped       string // why the first is not there
		as            bool
	}{
		{"the same", []pipelines.ResolvedCheck{rule, asks("a")}, []pipelines.ResolvedCheck{rule, asks("a")}, "", true},
		{"they send something else", []pipelines.ResolvedCheck{rule, asks("a")}, []pipelines.ResolvedCheck{rule, asks("b")}, "", false},
		{"one more", []pipelines.ResolvedCheck{asks("a")}, []pipelines.ResolvedCheck{rule, asks("a")}, "", false},
		{"one that takes no more than to refer to it", []pipelines.ResolvedCheck{rule}, []pipelines.ResolvedCheck{rule}, "", false},
		{"a stage that is skipped prints none", []pipelines.ResolvedCheck{rule, asks("a")}, []pipelines.ResolvedCheck{rule, asks("a")}, "selects nothing", false},
	} {
		p := build(t, whole())
		p.Stages[0].Rules.Checks, p.Stages[1].Rules.Checks, p.Stages[0].Skipped = c.first, c.second, c.skipped
		var out bytes.Buffer
		if err := plan.Render(&out, p, nil, plan.RenderOptions{}); err != nil {
			t.Fatal(err)
		}
		_, second, _ := strings.Cut(out.String(), "stage 2 of")
		full := strings.Contains(second, c.second[0].Name+" at afterBatch")
		if as := strings.Contains(second, "as in stage "+p.Stages[0].Name+"\n"); as != c.as || full == as {
			t.Errorf("%s: it says\n%s", c.reason, second)
		}
	}
}
