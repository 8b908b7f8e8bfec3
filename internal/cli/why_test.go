package cli

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/status"
)

func TestWhyTellsAReasonFromACondition(t *testing.T) {
	for kind, want := range map[string]string{"person": "  reason      look\n", "decision": "  not met     look\n"} {
		text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{
			{Subject: "a-1", Waiting: &status.Waiting{Kind: kind, Unmet: []string{"look"}}},
		}}, time.Time{})
		if !strings.Contains(text, want) {
			t.Errorf("of a %s it says %q, want %q", kind, text, want)
		}
	}
}
