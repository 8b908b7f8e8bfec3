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

func TestWhySaysWhatAUnitWentBackFor(t *testing.T) {
	seen := status.Check{Name: "restarts", Verdict: status.Failed, Message: "containers restart", Seen: map[string]any{"workload.restarts": 7}}
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{
		Subject: "prod/a", Phase: status.PhaseFailed, Failure: &status.Check{Name: "rollback", Verdict: status.Error, Message: "not ours"},
		Cause: &seen, CauseAt: "prod/a/all/1",
	}}}, time.Time{})
	want := "  went back   from prod/a/all/1, for restarts Failed: containers restart\n  seen        workload.restarts = 7\n"
	if !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q", text, want)
	}
}

func TestWhySaysWhatARollbackLeftInPlace(t *testing.T) {
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{
		{Subject: "prod/a", Phase: status.PhaseRolledBack, Stays: []string{"Namespace/infra", "ConfigMap/infra/c (it is immutable)"}},
	}}, time.Time{})
	if want := "  stays       Namespace/infra\n  stays       ConfigMap/infra/c (it is immutable)\n"; !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q", text, want)
	}
}
