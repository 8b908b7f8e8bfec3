package plan

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

func TestTooManyBehind(t *testing.T) {
	amount := func(a pipelines.Amount) *pipelines.Amount { return &a }
	cases := map[string]struct {
		let         *pipelines.Amount
		dead, total int
		held        bool
		reason      string
	}{
		"none":              {nil, 0, 10, false, "nothing is behind"},
		"a tenth":           {nil, 2, 20, false, "10% of 20 are 2"},
		"more than a tenth": {nil, 3, 20, true, "10% of 20 are 2"},
		"one of a few":      {nil, 1, 3, false, "a percentage is never less than one"},
		"two of a few":      {nil, 2, 3, true, "one may stay behind"},
		"none is let":       {amount(pipelines.Count(0)), 1, 100, true, "0 lets none"},
		"a count":           {amount(pipelines.Count(5)), 5, 6, false, "counts are taken as they are"},
		"all":               {amount(pipelines.Percent(100)), 7, 7, false, "it says so"},
	}
	for name, c := range cases {
		var behind []goal.Behind
		if c.dead > 0 {
			behind = []goal.Behind{{Workload: "DaemonSet/infra/agent", NodeSet: "all", Count: c.dead, Total: c.total, Nodes: []goal.Node{{Name: "n1"}}}}
		}
		found := StageRules{MaxBehind: c.let}.TooManyBehind(behind)
		if held := len(found) > 0; held != c.held {
			t.Errorf("%s: held %v, want %v: %s", name, held, c.held, c.reason)
		}
		for _, no := range found {
			if no.Rule != api.RuleMaxBehind || !strings.Contains(no.Message, "n1") {
				t.Errorf("%s: it is refused by %+v", name, no)
			}
		}
	}
}
