package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// jobs are the variables of a job of GitHub and one of GitLab, in a folder of its own.
func (s *session) onGitHub() (summary, outputs string) {
	s.t.Helper()
	dir := s.t.TempDir()
	summary, outputs = filepath.Join(dir, "summary"), filepath.Join(dir, "outputs")
	s.env = map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "shop/infra",
		"GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_WORKSPACE": s.files, "GITHUB_REF": "refs/heads/main",
		"GITHUB_STEP_SUMMARY": summary, "GITHUB_OUTPUT": outputs,
	}
	return summary, outputs
}

func (s *session) onGitLab() (summary, outputs string) {
	s.t.Helper()
	dir := s.t.TempDir()
	s.t.Chdir(dir)
	s.env = map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.com", "CI_PROJECT_PATH": "shop/infra", "CI_PIPELINE_ID": "815",
		"CI_PIPELINE_URL": "https://gitlab.com/shop/infra/-/pipelines/815", "CI_PROJECT_DIR": s.files,
	}
	return filepath.Join(dir, "sluice-plan.md"), filepath.Join(dir, "sluice.env")
}

// read returns a file, "" where there is none.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func (s *session) writes(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.files, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

const other = "apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: other}\nspec: {version: 2.0.0, pipeline: careful, template: {manifests: agent}}\n"

func TestPlansOfAJob(t *testing.T) {
	for _, c := range []struct {
		reason  string
		flags   string
		files   map[string]string
		refused bool
		code    int
		prints  []string // in the log
		lacks   []string
		summary []string
		verdict string
		plans   int
	}{
		{
			reason: "one component", code: 0, verdict: "ready", plans: 1,
			prints: []string{"agent 1.0.0: plan ", " is ready: 1 cluster to change"}, summary: []string{"### Plan `", "of `agent` `1.0.0`", "This plan can run."},
		},
		{
			reason: "all components of the files", files: map[string]string{"other.yaml": other}, verdict: "ready", plans: 2,
			summary: []string{"of `agent`", "of `other`"},
		},
		{
			reason: "one of them", flags: "--component other", files: map[string]string{"other.yaml": other}, verdict: "ready", plans: 1, summary: []string{"of `other`"},
		},
		{
			reason: "a rule refuses it", refused: true, code: 3, verdict: "refused", plans: 1,
			prints: []string{"is refused", "Argo CD has it"}, summary: []string{"**This plan cannot run: it is refused.**", "Argo CD has it"},
		},
		{
			reason: "a file is wrong", code: 2, verdict: "invalid", lacks: []string{"plan "},
			files:  map[string]string{"wrong.yaml": "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {}\n"},
			prints: []string{"wrong.yaml:1:1: spec is missing\n"}, summary: []string{"**2 errors, nothing was planned.**", "`wrong.yaml:1:1`", "`spec is missing`"},
		},
		{
			reason: "a component is not there", flags: "--component gone", code: 1, verdict: "invalid",
			prints: []string{"cannot find component gone"}, summary: []string{"### No plan", "`cannot find component gone"},
		},
		{
			reason: "one of two is not there", flags: "--component gone --component agent", code: 1, verdict: "invalid", plans: 1,
			summary: []string{"### No plan", "This plan can run."},
		},
		{
			reason: "commands of others", code: 2, verdict: "invalid",
			files: map[string]string{"x.yaml": "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: \"::add-mask::x\\n::stop-commands::y\\n\"}\nspec: {group: prod}\n"},
			lacks: []string{"\n::add-mask", "\n::stop-commands"}, prints: []string{"x.yaml:3:"},
		},
	} {
		for _, system := range []string{"GitHub", "GitLab"} {
			t.Run(c.reason+" on "+system, func(t *testing.T) {
				s := newSession(t)
				s.server.seen = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "create"}}}
				if c.refused {
					s.server.seen.Refusals = []api.Refusal{{Rule: api.RuleOwnedBy, Object: "ConfigMap/a", Message: "Argo CD has it"}}
				}
				for name, text := range c.files {
					s.writes(name, text)
				}
				summaryFile, outputsFile := s.onGitHub()
				if system == "GitLab" {
					summaryFile, outputsFile = s.onGitLab()
				}
				out, errs, code := s.types("ci plan " + s.files + " " + c.flags)
				log, summary, outputs := "\n"+out+errs, read(t, summaryFile), read(t, outputsFile)
				if code != c.code {
					t.Errorf("exit code %d, want %d", code, c.code)
				}
				for _, word := range c.prints {
					if !strings.Contains(log, word) {
						t.Errorf("the log lacks %q", word)
					}
				}
				for _, word := range c.lacks {
					if strings.Contains(log, word) {
						t.Errorf("the log has %q", word)
					}
				}
				for _, word := range c.summary {
					if !strings.Contains(summary, word) {
						t.Errorf("the summary lacks %q", word)
					}
				}
				verdict := "\nverdict<<sluice_"
				if system == "GitLab" {
					verdict = "\nSLUICE_VERDICT=" + c.verdict + "\n"
				}
				if !strings.Contains("\n"+outputs, verdict) || !strings.Contains(outputs, c.verdict) {
					t.Errorf("the outputs lack the verdict %s", c.verdict)
				}
				if n := strings.Count(outputs, "agent=") + strings.Count(outputs, "other="); n != c.plans {
					t.Errorf("the outputs have %d plans, want %d", n, c.plans)
				}
				if alone := strings.Contains(outputs, "plan<<") || strings.Contains(outputs, "SLUICE_PLAN="); alone != (c.plans == 1) {
					t.Errorf("the outputs have the hash of the only plan: %v", alone)
				}
				if annotated := strings.Contains(log, "\n::error file=wrong.yaml,line=1,col=1::spec is missing\n"); annotated != (system == "GitHub" && c.files["wrong.yaml"] != "") {
					t.Errorf("there is an annotation: %v", annotated)
				}
				if t.Failed() {
					t.Logf("%s\nsummary:\n%s\noutputs:\n%s", log, summary, outputs)
				}
			})
		}
	}
}

func TestAJobWithoutAToken(t *testing.T) {
	s := newSession(t)
	summary, outputs := s.onGitHub()
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"pull_request": {"head": {"repo": {"id": 2}}}, "repository": {"id": 1}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if served {
		t.Skip("the sessions of this test have a token")
	}
	for _, c := range []struct{ reason, ref, says string }{
		{"a branch", "refs/heads/main", "give it `permissions: {id-token: write, contents: read}`"},
		{"a fork", "refs/pull/7/merge", "the change comes from a fork, and GitHub gives none"},
	} {
		s.env["GITHUB_REF"], s.env["GITHUB_EVENT_PATH"] = c.ref, event
		out, errs, code := s.runs([]string{"ci", "plan", s.files, "--server", "http://127.0.0.1:1"})
		if code != 1 || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit code %d: %s%s", c.reason, code, out, errs)
		}
		if got := read(t, summary); !strings.Contains(got, "### No plan") || !strings.Contains(got, "the job has no token") {
			t.Errorf("%s: the summary says %s", c.reason, got)
		}
		if got := read(t, outputs); !strings.Contains(got, "\nerror\n") {
			t.Errorf("%s: the outputs are %s", c.reason, got)
		}
	}
}

func TestFlagsOfAPlanInAJob(t *testing.T) {
	s := newSession(t)
	for line, want := range map[string]string{
		"ci plan":               "PATH is missing",
		"ci plan . --to 1.0.0":  "--to goes with one --component",
		"ci plan . --limit 100": "--limit 100 is too little",
		"ci pln":                "there is no command",
	} {
		if _, errs, code := s.types(line); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
	}
}

func TestASummaryHasNoMoreThanItsRoom(t *testing.T) {
	s := newSession(t)
	s.grow(300)
	s.server.seen = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "create"}}}
	s.writes("other.yaml", other)
	summary, _ := s.onGitHub()
	if _, errs, code := s.types("ci plan " + s.files + " --limit 20000"); code != 0 {
		t.Fatal(errs)
	}
	got := read(t, summary)
	if n := strings.Count(got, "Left out here: "); len(got) > 20_000 || n != 2 || !strings.Contains(got, "of `other`") {
		t.Errorf("it has %d bytes and leaves something out %d times", len(got), n)
	}
	_, errs, code := s.types("ci plan " + s.files + " --limit 20000")
	if again := read(t, summary); code != 0 || again != got || !strings.Contains(errs, "has no room for the summary") {
		t.Errorf("exit code %d; it is full and grows to %d bytes: %s", code, len(again), errs)
	}
}
