package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestBypassOfAFreeze(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	s.who = "bob"
	out, errs, code := s.types("plan agent -f " + s.files)
	if code != 0 {
		t.Fatal(out, errs)
	}
	s.who = ""
	s.types("freeze --reason quiet")
	hash := strings.Fields(lineWith(t, first(s.types("get plans")), "careful"))[0]
	out, errs, code = s.types("run " + hash)
	if code != 3 || !strings.Contains(errs, "bypass freeze-1 "+hash+" --reason TEXT") {
		t.Fatalf("run prints %q %q, %d", out, errs, code)
	}
	s.who = "bob"
	if _, errs, code = s.types("bypass freeze-1 " + hash + " --reason fix"); code != 3 || !strings.Contains(errs, "bob (unverified) made the plan") {
		t.Errorf("who made it lets it pass: %q, %d", errs, code)
	}
	s.who = "cat"
	out, errs, code = s.types("bypass freeze-1 " + hash + " --reason fix")
	if want := "plan " + hash + " may pass freeze-1 by the word of cat (unverified): fix\n"; code != 0 || out != want {
		t.Errorf("bypass prints %q (%s, %d), not %q", out, errs, code, want)
	}
	if out, _, _ = s.types("get " + hash); !strings.Contains(out, "may pass freeze-1 by the word of cat (unverified): fix") {
		t.Errorf("the plan does not say it:\n%s", out)
	}
	s.who = ""
	if out, errs, code = s.types("run " + hash); code != 0 {
		t.Fatalf("it does not start: %s %s", out, errs)
	}
	for _, line := range []string{"get agent-1", "report agent-1", "why agent-1"} {
		out, errs, _ = s.types(line)
		if !strings.Contains(out, "freeze-1") || !strings.Contains(out, "cat (unverified)") {
			t.Errorf("%s does not say who let it pass what:\n%s%s", line, out, errs)
		}
	}
	for line, want := range map[string]string{
		"bypass freeze-1 agent-1":                 "--reason is missing",
		"bypass freeze-1 --reason x":              "RUN or PLAN is missing",
		"bypass freeze-1 agent-9 --reason x":      "there is no run and no plan agent-9",
		"bypass policy/x " + hash + " --reason x": "second person",
	} {
		s.who = "bob"
		if _, errs, code := s.types(line); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %q, %d; want %q", line, errs, code, want)
		}
	}
}

func first(out, _ string, _ int) string { return out }

func lineWith(t *testing.T, out, words string) string {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.Contains(line, words) {
			return line
		}
	}
	t.Fatalf("no line says %q:\n%s", words, out)
	return ""
}

func TestApplyAndDelete(t *testing.T) {
	s := newSession(t)
	file := filepath.Join(t.TempDir(), "fuse.yaml")
	write := func(failures string) {
		text := "apiVersion: sluice.dev/v1alpha1\nkind: Fuse\nmetadata: {name: production}\n" +
			"spec: {failures: " + failures + ", of: 10, within: 1h, scope: {environment: production}}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("3")
	for _, want := range []string{"fuse production is created\n", "fuse production is unchanged\n"} {
		if out, errs, code := s.types("apply -f " + file); code != 0 || out != want {
			t.Errorf("apply prints %q (%s, %d), not %q", out, errs, code, want)
		}
	}
	out, _, _ := s.types("get fuses")
	if want := []string{"production", "3", "of", "10", "in", "1h", "environment", "production", "PauseNow"}; !strings.Contains(
		strings.Join(strings.Fields(out), " "), strings.Join(want, " ")) {
		t.Errorf("the list says:\n%s", out)
	}
	write("12")
	if _, errs, code := s.types("apply -f " + file + " --reason x"); code != 2 || !strings.Contains(errs, "it can never trip") {
		t.Errorf("a fuse that cannot trip: %q, %d", errs, code)
	}
	for line, want := range map[string]string{
		"apply":                              "-f PATH is missing",
		"apply -f " + s.files:                "only documents of Fleet, ClusterGroup, Cluster, Policy, Fuse, Limit, Binding",
		"delete fuse production":             "--reason is missing",
		"delete fuse other --reason x":       "none is kept",
		"delete pipeline careful --reason x": `there is no "pipeline" to delete`,
	} {
		if _, errs, code := s.types(line); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %q, %d; want %q", line, errs, code, want)
		}
	}
	if out, errs, code := s.types("delete fuse production --reason old"); code != 0 || !strings.Contains(out, "fuse production holds no longer") {
		t.Errorf("delete prints %q (%s, %d)", out, errs, code)
	}
}

func TestBindingsAreApplied(t *testing.T) {
	s := newSession(t)
	file := filepath.Join(t.TempDir(), "bindings.yaml")
	text := "apiVersion: sluice.dev/v1alpha1\nkind: Binding\nmetadata: {name: ann}\n" +
		"spec:\n  subjects: |\n    subject == 'corp:ann' ||\n    subject == 'corp:bob'\n  roles: [operator]\n  scope: {environments: [staging]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := s.types("apply -f " + file); code != 0 || out != "binding ann is created\n" {
		t.Fatalf("apply prints %q (%s, %d)", out, errs, code)
	}
	out, _, _ := s.types("get bindings")
	want := "ann subject == 'corp:ann' || subject == 'corp:bob' view, plan, operate environments staging"
	if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
		t.Errorf("the list says:\n%s", out)
	}
	if out, errs, code := s.types("delete binding ann --reason gone"); code != 0 {
		t.Errorf("delete prints %q (%s, %d)", out, errs, code)
	}
}
