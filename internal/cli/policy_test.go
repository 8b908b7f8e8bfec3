package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
)

// TestPolicyFromLintToRun: what people type, from a pipeline that undercuts a policy to the run that a second person let pass.
func TestPolicyFromLintToRun(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	file := filepath.Join(t.TempDir(), "floor.yaml")
	text := "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: floor}\nspec: {environments: [production], soak: {batch: 10m}, pausable: true}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	says := func(line string, code int, words ...string) string {
		t.Helper()
		out, errs, got := s.types(line)
		for _, w := range words {
			if !strings.Contains(out+errs, w) {
				t.Errorf("%s does not say %q:\n%s%s", line, w, out, errs)
			}
		}
		if got != code {
			t.Fatalf("%s exits %d, not %d:\n%s%s", line, got, code, out, errs)
		}
		return out
	}
	first := "policy floor, soak.batch.first: stage all: wanted is at least 10m, found is 0s"
	hash := strings.Fields(lineWith(t, says("plan agent -f "+s.files, 0), "plan "))[1][:12]

	out, errs, code := s.runs([]string{"lint", s.files, file})
	if code != 2 || !strings.Contains(errs, "all.yaml:14:17: "+first) {
		t.Errorf("lint prints %q %q, %d", out, errs, code)
	}
	s.who = "eve"
	says("apply -f "+file, 0, "policy floor is created")
	says("get policies", 0, "POLICY", "CONCERNS", "ASKS FOR", "floor", "in production", "soak, pausable", "eve (unverified)")
	s.who = ""
	bypass := "a second person may let this plan pass: sluice --ledger " + s.server.ledger + " bypass policy/floor " + hash + " --reason TEXT"
	says("plan agent -f "+s.files, 3, "refused: "+first, bypass, "cannot run plan "+hash+" of agent 1.0.0: it undercuts floor")
	says("plan agent -o json -f "+s.files, 3, `"policy": "floor"`, `"rule": "soak.batch.first"`)
	says("run "+hash, 3, "it undercuts floor", first, bypass)
	says("run agent --go -f "+s.files, 3, "refused: "+first, bypass)
	says("get "+hash, 0, "refused: "+first)
	says("bypass policy/floor "+hash+" --reason fix", 3, "ann (unverified) made the plan")
	s.who = "cat"
	says("bypass policy/floor "+hash+" --reason fix", 0, "plan "+hash+" may pass policy/floor by the word of cat (unverified): fix")
	s.who = ""
	if out := says("get "+hash, 0, "may pass policy/floor by the word of cat (unverified): fix"); strings.Contains(out, "refused: ") {
		t.Errorf("it is still refused:\n%s", out)
	}
	says("run "+hash, 0)
	says("get audit", 0, "apply", "policy/floor", "bypass")
	s.who = "eve"
	says("delete policy floor", 2, "--reason is missing")
	says("delete policy floor --reason over", 0, "policy floor holds no longer")
}
