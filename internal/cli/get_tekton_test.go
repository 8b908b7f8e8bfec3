package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/tekton"
)

func TestARunInTheLayoutOfTekton(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	const run = "agent-1"
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	out, errs, code := s.types("get pipelinerun " + run + " -o json")
	var got tekton.PipelineRun
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	if c := got.Status.Conditions; got.Kind != "PipelineRun" || len(c) != 1 || c[0].Reason != "Running" || c[0].Status != "Unknown" {
		t.Errorf("%s", out)
	}
	if refs := got.Status.ChildReferences; len(refs) != 1 || refs[0].Name != run+"-c1" {
		t.Errorf("%+v", refs)
	}

	for _, c := range []struct {
		reason, line, says string
		code               int
	}{
		{"YAML is what such objects are read in", "get pipelinerun " + run, "kind: PipelineRun\n", 0},
		{"a cluster is a TaskRun, found by its name alone", "get taskrun " + run + "-c1", "kind: TaskRun\n", 0},
		{"or by its run", "get taskrun " + run + "-c1 --run " + run + " -o yaml", "tekton.dev/pipelineTask: c1\n", 0},
		{"a cluster that the run has not", "get taskrun " + run + "-c2", "cannot find TaskRun " + run + "-c2", 1},
		{"one of another run", "get taskrun x-c1 --run " + run, "has none of that name", 1},
		{"no run at all", "get taskrun nothing", "begins with no run that has it", 1},
		{"a run that is not there", "get pipelinerun nothing", "cannot find run nothing", 1},
		{"half a command", "get taskrun", "TASKRUN is missing", 2},
	} {
		out, errs, code := s.types(c.line)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", c.reason, code, c.code, c.says, out, errs)
		}
	}
}
