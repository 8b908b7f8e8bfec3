package cli_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

func TestAPlanInMarkdown(t *testing.T) {
	s := newSession(t)
	s.grow(600)
	s.server.seen = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "create"}}}
	for _, c := range []struct {
		reason, flags string
		most, code    int
		has           []string
	}{
		{"a comment by itself", "", 65_536, 0, []string{"This plan can run. 601 clusters to change", "Left out here: ", "ConfigMap/a"}},
		{"all of it where there is room", " --limit 1048576", 1 << 20, 0, []string{"| `prod/more-599` |", "\nAll of it: "}},
		{"a limit of nothing", " --limit 10", 0, 2, []string{"--limit 10 is too little"}},
		{"a limit of what has none", " --full --limit 10000", 0, 2, []string{"--format goes neither with"}},
	} {
		out, errs, code := s.types("plan agent -f " + s.files + " --format markdown" + c.flags)
		if code != c.code || c.code == 0 && len(out) > c.most {
			t.Errorf("%s: exit code %d, %d bytes: %s", c.reason, code, len(out), errs)
		}
		for _, word := range c.has {
			if !strings.Contains(out+errs, word) {
				t.Errorf("%s: it lacks %q:\n%.2000s%s", c.reason, word, out, errs)
			}
		}
	}
	s.server.seen.Refusals = []api.Refusal{{Rule: api.RuleOwnedBy, Object: "ConfigMap/a", Message: "Argo CD has it"}}
	out, errs, code := s.types("plan agent -f " + s.files + " --format markdown")
	if code != 3 || !strings.Contains(out, "**This plan cannot run: it is refused.**") || !strings.Contains(errs, "Argo CD has it") {
		t.Errorf("refused: exit code %d: %.400s%s", code, out, errs)
	}
	for line, want := range map[string]string{
		"--format html": `"html" is no format`, "--limit 9000": "--limit goes with --format markdown",
	} {
		if _, errs, code := s.types("plan agent " + line); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
	}
}
