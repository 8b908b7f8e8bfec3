package cli_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

func TestCatchUp(t *testing.T) {
	s := newSession(t)
	line := "catch-up agent -f " + s.files
	if _, errs, code := s.types(line); code != 1 || !strings.Contains(errs, "no version of it has gone all the way yet") {
		t.Errorf("with nothing to catch up with: %q, %d", errs, code)
	}
	if _, errs, code := s.types("plan agent -f " + s.files); code != 0 {
		t.Fatalf("plan: %s", errs)
	}
	l := s.server.open()
	defer l.Close()
	plans, err := l.ListPlans(t.Context(), api.Component("agent"), 1)
	if err != nil || len(plans) != 1 {
		t.Fatalf("plans are %v, %v", plans, err)
	}
	run, err := l.NewRun(t.Context(), ledger.Run{Subject: api.Component("agent"), Version: "1.0.0", Plan: plans[0].Hash, Phase: "Pending", Started: noon.UTC()})
	if err != nil {
		t.Fatal(err)
	}
	run.Phase, run.Ended, run.Report = string(api.PhaseSucceeded), noon.UTC().Add(time.Minute), s.server.blob(l, api.RunStatus{})
	if err := l.SaveRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	out, errs, code := s.types(line)
	for _, words := range []string{"agent 1.0.0 went all the way with agent-1, which ended at", "1 cluster behind: c1\n", "nothing was changed; start it with: sluice "} {
		if code != 0 || !strings.Contains(out, words) {
			t.Errorf("it does not say %q (%s, %d):\n%s", words, errs, code, out)
		}
	}
	if out, _, code = s.types(line + " -o json"); code != 0 || !strings.Contains(out, `"behind": [`) {
		t.Errorf("as JSON it says (%d):\n%s", code, out)
	}
}
