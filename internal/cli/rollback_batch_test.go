package cli_test

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
)

func TestRollbackOfABatch(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	s.types("run agent -f " + s.files + " --go --reason because")
	for line, want := range map[string]string{
		"rollback agent-1 --batch --reason x":                          "--batch goes with one --cluster",
		"rollback agent-1 --batch --reason x --cluster c1,c2":          "--batch goes with one --cluster",
		"rollback agent-1 --batch --reason x --stage prod":             "--batch goes with one --cluster",
		"rollback agent-1 --batch --cluster c1":                        "--reason is missing",
		"rollback agent-1 --batch --cluster c1 --reason x --dry-run":   "neither with --direct nor with --dry-run",
		"rollback agent-1 --batch --cluster c1 --reason x --direct":    "neither with --direct nor with --dry-run",
		"rollback agent-1 --batch --cluster c1 --reason x --group all": "go one at a time",
	} {
		if _, errs, code := s.types(line); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %s; want %q", line, code, errs, want)
		}
	}
	s.types("rollback agent-1 --cluster c1 --batch --reason x")
	if len(s.server.told) != 1 {
		t.Fatalf("%d orders were left to the run", len(s.server.told))
	}
	var o api.StandingOrder
	input := s.server.told[0].GetWorkflowExecutionSignaledEventAttributes().Input
	if err := converter.GetDefaultDataConverter().FromPayloads(input, &o); err != nil {
		t.Fatal(err)
	}
	if o.Name != api.UpdateRetreat || o.Command.Scope.String() != "cluster c1" || o.Command.Reason != "x" {
		t.Errorf("the run was told %+v", o)
	}
}
