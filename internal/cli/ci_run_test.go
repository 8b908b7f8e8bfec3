package cli_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// changing is a session whose plans change something.
func changing(t *testing.T, phases ...api.Phase) *session {
	t.Helper()
	s := newSession(t, phases...)
	s.server.seen = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "create"}}}
	return s
}

// output is the last value of an output, as a runner of GitHub reads them.
func output(t *testing.T, path, name string) (value string) {
	t.Helper()
	lines := strings.Split(read(t, path), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, name+"<<sluice_") {
			value = lines[i+1]
		}
	}
	return value
}

// began lists the runs that there are.
func (s *session) began() []ledger.Run {
	s.t.Helper()
	l := s.server.open()
	defer l.Close()
	runs, err := l.ListRuns(context.Background(), api.Component("agent"), 10)
	if err != nil {
		s.t.Fatal(err)
	}
	return runs
}

func TestARunOfAJob(t *testing.T) {
	for _, c := range []struct {
		reason string
		phases []api.Phase
		flags  string
		code   int
		phase  string
		junit  string // of the unit
	}{
		{"it succeeds", []api.Phase{api.PhaseMoving, api.PhaseSucceeded}, "", 0, "Succeeded", ""},
		{"it fails", []api.Phase{api.PhaseMoving, api.PhaseFailed}, "", 1, "Failed", "failure"},
		{"it was rolled back", []api.Phase{api.PhaseRolledBack}, "", 5, "RolledBack", "failure"},
		{"it is held", []api.Phase{api.PhaseMoving, api.PhaseHeld}, "", 3, "Held", "error"},
		{"it takes too long", []api.Phase{api.PhaseMoving}, " --timeout 30ms", 4, "Moving", "skipped"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := changing(t, c.phases...)
			s.server.says = "::error::evil\n@everyone"
			summary, outputs := s.onGitHub()
			junit := filepath.Join(t.TempDir(), "junit.xml")
			out, errs, code := s.types("ci run " + s.files + " --junit " + junit + c.flags)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if phase, run := output(t, outputs, "phase"), output(t, outputs, "run"); phase != c.phase || run != "agent-1" || output(t, outputs, "plan") == "" {
				t.Errorf("the outputs have run %q and phase %q", run, phase)
			}
			for _, word := range []string{"This plan can run.", "### Run `agent-1` of `agent` `1.0.0`: `" + c.phase + "`", "`prod/c1`", "`::error::evil @everyone`"} {
				if got := read(t, summary); !strings.Contains(got, word) {
					t.Errorf("the summary lacks %q:\n%s", word, got)
				}
			}
			if strings.Contains("\n"+out+errs, "\n::error") {
				t.Error("what a check found is a command of the build system")
			}
			var report struct {
				Suites []struct {
					Cases []struct {
						Name    string    `xml:"name,attr"`
						Failure *struct{} `xml:"failure"`
						Error   *struct{} `xml:"error"`
						Skipped *struct{} `xml:"skipped"`
					} `xml:"testcase"`
				} `xml:"testsuite"`
			}
			if err := xml.Unmarshal([]byte(read(t, junit)), &report); err != nil || len(report.Suites) != 1 || len(report.Suites[0].Cases) != 1 {
				t.Fatalf("%v: %s", err, read(t, junit))
			}
			unit, got := report.Suites[0].Cases[0], ""
			for kind, is := range map[string]bool{"failure": unit.Failure != nil, "error": unit.Error != nil, "skipped": unit.Skipped != nil} {
				if is {
					got += kind
				}
			}
			if got != c.junit || unit.Name != "prod/c1" {
				t.Errorf("case %q is %q, want %q", unit.Name, got, c.junit)
			}
			if t.Failed() {
				t.Logf("%s%s", out, errs)
			}
		})
	}
}

func TestAJobThatIsTriedAgainBeginsNoSecondRun(t *testing.T) {
	for _, how := range []string{"a plan that an earlier job made", "a plan that it makes itself"} {
		t.Run(how, func(t *testing.T) {
			s := changing(t, api.PhaseMoving, api.PhaseFailed)
			_, outputs := s.onGitHub()
			line := "ci run " + s.files
			if strings.HasPrefix(how, "a plan that an") {
				if _, errs, code := s.types("ci plan " + s.files); code != 0 {
					t.Fatal(errs)
				}
				line = "ci run --plan " + output(t, outputs, "plan")
			}
			for attempt := 1; attempt <= 3; attempt++ {
				out, errs, code := s.types(line)
				if runs := s.began(); code != 1 || len(runs) != 1 || output(t, outputs, "run") != "agent-1" {
					t.Fatalf("attempt %d: exit code %d, %d runs:\n%s%s", attempt, code, len(runs), out, errs)
				}
				s.env["GITHUB_RUN_ATTEMPT"] = "2"
				// What has failed has left something: the same files are another plan now.
				s.deploys("0.9.0")
			}
			if !strings.Contains(s.began()[0].Reason, "https://github.com/shop/infra/actions/runs/4711") {
				t.Errorf("the reason is %q", s.began()[0].Reason)
			}
			if how != "a plan that it makes itself" {
				return
			}
			s.env["GITHUB_RUN_ID"] = "4712"
			if out, errs, code := s.types(line); code != 1 || len(s.began()) != 2 {
				t.Errorf("another run of the workflow: exit code %d, %d runs:\n%s%s", code, len(s.began()), out, errs)
			}
		})
	}
}

// deploys writes down that another version was deployed.
func (s *session) deploys(version string) {
	s.t.Helper()
	l := s.server.open()
	defer l.Close()
	objects := s.server.blob(l, []string{})
	err := l.SaveDeployment(context.Background(), ledger.Deployment{
		Subject: api.Component("agent"), Cluster: "c1", Version: version, Target: "sha256:" + version, Objects: objects, Run: "agent-1", Plan: "p", Since: noon, Fence: 1,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestAJobThatIsCancelled(t *testing.T) {
	for _, c := range []struct {
		reason string
		flags  string
		deaf   bool
		code   int
		says   []string
		told   string
	}{
		{"the run goes on", "", false, 4, []string{"the job was cancelled; run agent-1 goes on without it; look at it with: sluice", " get agent-1"}, ""},
		{"the run is paused", " --cancel-with pause", false, 3, []string{"the job was cancelled, and told run agent-1 to pause"}, "pause"},
		{"the run is aborted", " --cancel-with abort", false, 1, []string{"the job was cancelled, and told run agent-1 to abort"}, "abort"},
		{"the run cannot be told", " --cancel-with abort", true, 1, []string{"goes on without it", "it could not be told to abort"}, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := changing(t, api.PhaseMoving)
			s.server.deaf = c.deaf
			summary, outputs := s.onGitHub()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.ctx = ctx
			var cancelled time.Time
			time.AfterFunc(500*time.Millisecond, func() { cancelled = time.Now(); cancel() })
			out, errs, code := s.types("ci run " + s.files + c.flags)
			if took := time.Since(cancelled); code != c.code || took > 7*time.Second {
				t.Errorf("exit code %d, want %d, %s after it was cancelled", code, c.code, took)
			}
			for _, word := range c.says {
				if !strings.Contains(errs, word) {
					t.Errorf("it does not say %q", word)
				}
			}
			if got := read(t, summary); !strings.Contains(got, "`the job was cancelled") || output(t, outputs, "run") != "agent-1" {
				t.Errorf("the summary says %s", got)
			}
			told := ""
			for _, event := range s.server.told {
				var order api.StandingOrder
				payload := event.GetWorkflowExecutionSignaledEventAttributes().GetInput().GetPayloads()[0]
				if err := json.Unmarshal(payload.GetData(), &order); err != nil {
					t.Fatal(err)
				}
				told += order.Name
			}
			if told != c.told {
				t.Errorf("the run was told %q, want %q", told, c.told)
			}
			if t.Failed() {
				t.Logf("%s%s", out, errs)
			}
		})
	}
}

func TestFlagsOfARunInAJob(t *testing.T) {
	s := newSession(t)
	for line, want := range map[string]string{
		"ci run":                               "--plan HASH or PATH is missing",
		"ci run . --plan abcdef":               "--plan and PATH go one at a time",
		"ci run --plan abcdef --component a":   "--plan says all",
		"ci run --plan abcdef --only a":        "--plan says all",
		"ci run . --component a --component b": "--component goes once",
		"ci run . --to 1.0.0":                  "--to goes with --component",
		"ci run . --cancel-with resume":        "neither pause nor abort",
		"ci run . --timeout -1s":               "is negative",
	} {
		if _, errs, code := s.types(line); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
	}
	s.writes("other.yaml", other)
	s.onGitHub()
	if _, errs, code := s.types("ci run " + s.files); code != 2 || !strings.Contains(errs, "cannot tell which component to run: there are 2") {
		t.Errorf("of two components: exit code %d: %s", code, errs)
	}
}

// TestARunOfSomebodyElseIsNotTheJobs has somebody begin a run for the reason that a job would have.
func TestARunOfSomebodyElseIsNotTheJobs(t *testing.T) {
	s := changing(t, api.PhaseMoving, api.PhaseFailed)
	_, outputs := s.onGitHub()
	s.who = "eve"
	if _, errs, code := s.types("ci run " + s.files); code != 1 {
		t.Fatal(errs)
	}
	s.who = ""
	s.deploys("0.9.0")
	if out, errs, code := s.types("ci run " + s.files + " --anyway"); code != 1 || strings.Contains(out, "has begun run") || output(t, outputs, "run") != "agent-2" {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}
