package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// grow gives the fleet of a session more clusters.
func (s *session) grow(n int) {
	s.t.Helper()
	var fleet strings.Builder
	for i := range n {
		fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: more-%03d}\nspec: {group: prod, userGrade: %d}\n", i, i%10)
	}
	if err := os.WriteFile(filepath.Join(s.files, "more.yaml"), []byte(fleet.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestWhatIsWrongIsSaidOfFilesAsTheyWereTyped(t *testing.T) {
	s := newSession(t)
	if err := os.WriteFile(filepath.Join(s.files, "wrong.yaml"), []byte("apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.files, s.files + "/", filepath.Join(s.files, "wrong.yaml")} {
		wants := s.files + "/wrong.yaml:1:1: spec is missing\n"
		for _, line := range []string{"plan agent -f ", "apply -f ", "run agent -f "} {
			out, errs, code := s.types(line + path)
			if code != 2 || !strings.HasPrefix(out+errs, wants) {
				t.Errorf("%s%s: exit code %d, %s%s, want %s", line, path, code, out, errs, wants)
			}
		}
	}
}

func TestPlanIsAsLongAsItsReaderCanUse(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		screen  int
		flags   string
		summary bool
		hint    bool
	}{
		"on a terminal that it does not fit on": {reason: "the head of a plan must not scroll away", screen: 30, summary: true, hint: true},
		"on a terminal that it fits on":         {reason: "nothing is left out without need", screen: 400},
		"all of it, on a terminal":              {reason: "who asks for all gets all", screen: 30, flags: "--full"},
		"piped":                                 {reason: "what a program reads stays whole"},
		"a summary, piped":                      {reason: "who asks for it gets it", flags: "--summary", summary: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			s.grow(100)
			s.screen = c.screen
			s.server.seen = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "create"}}}
			for _, line := range []string{"plan agent -f " + s.files, "run agent -f " + s.files} {
				out, errs, _ := s.types(line + " " + c.flags)
				if !strings.HasPrefix(out, "101 clusters to change, 101 objects to write\n") {
					t.Fatalf("%s: the first line does not count: %s%s", line, out, errs)
				}
				if whole := strings.Contains(out, "prod/more-077"); whole == c.summary {
					t.Errorf("%s: whole is %v: %s", line, whole, c.reason)
				}
				if hint := strings.Contains(out, " --full\n"); hint != c.hint {
					t.Errorf("%s: hint at the whole is %v", line, hint)
				}
				if n := strings.Count(out, "\n"); c.summary && n > 30 {
					t.Errorf("%s: the summary has %d lines", line, n)
				}
			}
			var plans []ledger.Plan
			out, _, _ := s.types("get plans -o json")
			if err := json.Unmarshal([]byte(out), &plans); err != nil || len(plans) == 0 {
				t.Fatal(out, err)
			}
			if out, _, code := s.types("get " + plans[0].Hash[:12] + " " + c.flags); code != 0 || strings.Contains(out, "prod/more-077") == c.summary {
				t.Errorf("get: exit code %d: %s", code, c.reason)
			}
		})
	}
}

func TestSummaryOrAll(t *testing.T) {
	s := newSession(t)
	if _, errs, code := s.types("plan agent --summary --full -f " + s.files); code != 2 || !strings.Contains(errs, "go one at a time") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestRefusalsArePrintedOnce(t *testing.T) {
	s := newSession(t)
	s.grow(2)
	s.server.seen = plan.ClusterDiff{Refusals: []api.Refusal{{Rule: "selector", Object: "DaemonSet/a", Message: "cannot change it"}}}
	for _, line := range []string{"plan agent -f " + s.files, "run agent --go -f " + s.files, "plan agent --summary -f " + s.files} {
		out, errs, code := s.types(line)
		if code != 3 || strings.Count(out+errs, "cannot change it") != 1 || !strings.Contains(errs, "refused in 3 of 3 clusters (selector)") {
			t.Errorf("%s: exit code %d, %s%s", line, code, out, errs)
		}
	}
	if out, errs, code := s.types("plan agent -o json -f " + s.files); code != 3 || !strings.Contains(errs, "c1, more-000, more-001: selector: DaemonSet/a: cannot change it") {
		t.Errorf("beside JSON: exit code %d, %s%s", code, out, errs)
	}
}

func TestRunOfWhatIsThereAlready(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	out, errs, _ := s.types("plan agent -o json -f " + s.files)
	var made struct {
		Hash string     `json:"hash"`
		Plan *plan.Plan `json:"plan"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err, errs)
	}
	l := s.server.open()
	u := made.Plan.Stages[0].Groups[0].Units[0]
	err := l.SaveDeployment(t.Context(), ledger.Deployment{Cluster: "c1", Subject: api.Component("agent"), Version: "1.0.0", Run: "agent-9", Target: u.Target, Objects: s.server.blob(l, 1), Since: noon})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	out, errs, code := s.types("run agent --go --wait -f " + s.files)
	if code != 0 || !strings.Contains(out, "nothing to do for plan ") || !strings.Contains(out, "agent 1.0.0 is on record in its cluster") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	out, errs, code = s.types("run agent --go -o json -f " + s.files)
	var answer struct {
		Started bool   `json:"started"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || answer.Started || !strings.HasPrefix(answer.Message, "nothing to do") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code = s.types("plan agent -f " + s.files); code != 0 || !strings.Contains(out, "nothing was changed; nothing to do") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code = s.types("run " + made.Hash[:12]); code != 0 || !strings.Contains(out, "it was run, by agent-9") {
		t.Errorf("the plan of before: exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code = s.types("run agent --go --anyway -f " + s.files); code != 0 || !strings.Contains(out, "run agent-1 has started") {
		t.Errorf("told to: exit code %d, %s%s", code, out, errs)
	}
}
