package traces

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
)

func TestWhatChecksFound(t *testing.T) {
	failed := api.Check{Name: "p99", Verdict: api.Failed, Message: "hunter2", Seen: map[string]any{"password": "hunter2"}}
	passed, skipped := api.Check{Name: "ready", Verdict: api.Passed}, api.Check{Name: "logs", Verdict: api.Skipped}
	blind := api.Check{Name: "errors", Verdict: api.Inconclusive}
	many := make([]api.Check, 7)
	for i := range many {
		many[i] = api.Check{Name: strings.Repeat("x", 300), Verdict: api.Error}
	}
	x := strings.Repeat("x", 97) + "... Error"
	for _, c := range []struct {
		reason string
		answer any
		want   string
	}{
		{"of measured checks", []api.Check{passed, failed, skipped, blind}, "p99 Failed, errors Inconclusive"},
		{"of a look", api.Facts{Checks: []api.Check{failed}}, "p99 Failed"},
		{"of a task", step.AttemptResult{Steps: []api.Check{passed, blind}}, "errors Inconclusive"},
		{"all is well", []api.Check{passed, skipped}, ""},
		{"nothing was checked", step.ApplyResult{}, ""},
		{"there was no answer", nil, ""},
		{"there are many, with long names", many, strings.Repeat(x+", ", 4) + x + " and 2 more"},
	} {
		if got := unmetOf(c.answer); got != c.want {
			t.Errorf("%s: %q", c.reason, got)
		}
	}
}
