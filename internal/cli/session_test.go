package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)

// session is a person at a prompt.
type session struct {
	t      *testing.T
	server *server
	files  string
	lively bool
	screen int // lines of the terminal; 0 where there is none
	now    time.Time
	who    string // types; "" is ann
	direct func(context.Context, cli.DirectRun) (api.RunStatus, error)
	env    map[string]string // what the environment has
	ctx    context.Context   // until when what is typed goes on; nil: to its end
}

// still is a clock that stands, and ticks all the same.
type still struct {
	clock.RealClock
	now time.Time
}

func (s still) Now() time.Time                  { return s.now }
func (s still) Since(t time.Time) time.Duration { return s.now.Sub(t) }

func newSession(t *testing.T, phases ...api.Phase) *session {
	t.Helper()
	s := &session{t: t, files: t.TempDir(), now: noon.Add(time.Minute)}
	s.server = &server{t: t, ledger: filepath.Join(t.TempDir(), "ledger.db"), phases: phases}
	sqlitetest.Put(t, s.server.ledger)
	text := `apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1}
spec: {group: prod}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: careful}
spec: {stages: [{name: all, clusterGroups: {all: true}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: agent}
spec: {version: 1.0.0, pipeline: careful, template: {manifests: agent}}
`
	if err := os.WriteFile(filepath.Join(s.files, "all.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.files, "agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.files, "agent", "a.yaml"), []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// types runs a command line and returns what it prints and its exit code.
func (s *session) types(line string) (out, err string, code int) {
	s.t.Helper()
	return s.runs(append(strings.Fields(line), "--ledger", s.server.ledger))
}

// runs is types for words that say themselves which ledger is meant.
func (s *session) runs(words []string) (out, err string, code int) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	f := &cli.Factory{
		In: strings.NewReader(""), Out: &stdout, Err: &stderr, Lively: s.lively, Terminal: s.screen > 0, LookEvery: time.Millisecond,
		Width: func() (int, int) { return 80, max(s.screen, 30) }, Clock: still{now: s.now},
		Who: func() string { return cmp.Or(s.who, "ann") }, Getenv: func(name string) string { return s.env[name] }, Direct: s.direct,
		Temporal: func(context.Context) (*engine.Server, error) {
			if s.server.away != nil {
				return nil, s.server.away
			}
			return &engine.Server{Temporal: s.server, Address: "fake:7233", Namespace: "default", UI: "http://ui/"}, nil
		},
	}
	if served {
		s.serve(f)
	}
	ctx := s.t.Context()
	if s.ctx != nil {
		ctx = s.ctx
	}
	code = cli.Execute(ctx, words, f)
	return stdout.String(), stderr.String(), code
}

func TestExitCodesOfAWait(t *testing.T) {
	for name, c := range map[string]struct {
		phases []api.Phase
		flags  string
		code   int
		says   string
	}{
		"succeeded":   {phases: []api.Phase{api.PhaseMoving, api.PhaseSucceeded}, code: 0},
		"failed":      {phases: []api.Phase{api.PhaseMoving, api.PhaseFailed}, code: 1, says: "agent-1 ended as Failed"},
		"aborted":     {phases: []api.Phase{api.PhaseAborted}, code: 1, says: "agent-1 ended as Aborted"},
		"rolled back": {phases: []api.Phase{api.PhaseRollingBack, api.PhaseRolledBack}, code: 5, says: "agent-1 was rolled back"},
		"held":        {phases: []api.Phase{api.PhaseMoving, api.PhaseHeld}, code: 3, says: "agent-1 is held and waits for a person"},
		"paused":      {phases: []api.Phase{api.PhasePaused}, code: 3, says: "agent-1 is held and waits for a person"},
		"held, and sat out": {
			phases: []api.Phase{api.PhaseHeld, api.PhaseHeld, api.PhaseSucceeded}, flags: "--through-holds", code: 0,
		},
		"held for longer than one sits": {
			phases: []api.Phase{api.PhaseHeld}, flags: "--through-holds --timeout 30ms", code: 3, says: "agent-1 is held and waits for a person",
		},
		"no time at all": {phases: []api.Phase{api.PhaseMoving}, flags: "--timeout 1ns", code: 4, says: "agent-1 is still Pending; it goes on"},
		"still moving":   {phases: []api.Phase{api.PhaseMoving}, flags: "--timeout 30ms", code: 4, says: "agent-1 is still Moving; it goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, c.phases...)
			out, errs, code := s.types("run agent -f " + s.files + " --go --wait " + c.flags)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit code %d, want %d; it says %q, want %q\n%s", code, c.code, errs, c.says, out)
			}
		})
	}
}

func TestAWatchForPrograms(t *testing.T) {
	for _, c := range []struct {
		flags string
		read  func(string) ([]api.Phase, error)
	}{
		{"-o json", func(out string) (phases []api.Phase, err error) {
			for line := range strings.Lines(out) {
				var run api.RunStatus
				if err := json.Unmarshal([]byte(line), &run); err != nil {
					return nil, err
				}
				phases = append(phases, run.Phase)
			}
			return phases, nil
		}},
		{"-o yaml", func(out string) (phases []api.Phase, err error) {
			for _, doc := range strings.Split(out, "---\n")[1:] {
				var run api.RunStatus
				if err := yaml.Unmarshal([]byte(doc), &run); err != nil {
					return nil, err
				}
				phases = append(phases, run.Phase)
			}
			return phases, nil
		}},
	} {
		s := newSession(t, api.PhaseMoving, api.PhaseMoving, api.PhaseMoving, api.PhaseHeld, api.PhaseSucceeded)
		if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
			t.Fatal(errs)
		}
		out, errs, code := s.types("get agent-1 -w " + c.flags)
		phases, err := c.read(out)
		if want := []api.Phase{api.PhaseMoving, api.PhaseHeld, api.PhaseSucceeded}; err != nil || code != 0 || errs != "" || !slices.Equal(phases, want) {
			t.Errorf("%s: exit code %d, %v, phases %q; want one object for each change\n%s%s", c.flags, code, err, phases, out, errs)
		}
	}
}

func TestASession(t *testing.T) {
	s := newSession(t, api.PhaseMoving, api.PhaseMoving, api.PhaseMoving, api.PhaseSucceeded)
	want := func(line string, wantCode int, words ...string) {
		t.Helper()
		out, errs, code := s.types(line)
		if code != wantCode {
			t.Fatalf("%s: exit code %d, want %d: %s", line, code, wantCode, errs)
		}
		for _, w := range words {
			if !strings.Contains(out+errs, w) {
				t.Errorf("%s: does not print %q:\n%s%s", line, w, out, errs)
			}
		}
		if strings.Contains(out+errs, "\x1b") {
			t.Errorf("%s: prints escapes where nothing is a terminal", line)
		}
	}
	want("plan agent -f "+s.files, 0, "agent 1.0.0", "nothing was changed; start it with: sluice --ledger ")
	want("run agent -f "+s.files, 2, "agent 1.0.0", "nothing was started: add --go")
	out, _, _ := s.types("get plans -o json")
	var plans []ledger.Plan
	if err := json.Unmarshal([]byte(out), &plans); err != nil || len(plans) != 1 {
		t.Fatalf("plans are %v, %v:\n%s", plans, err, out)
	}
	hash := plans[0].Hash
	want("get "+hash[:10], 0, "plan "+hash, "stage 1 of 1: all")
	want("get "+hash[:10]+" -o yaml", 0, "hash: "+hash)
	want("get "+hash[:10]+" -w", 2, "it does not change")
	want("run "+hash[:10]+" --reason because", 0, "run agent-1 has started: agent 1.0.0", "http://ui/namespaces/default/workflows/agent-1", "get agent-1 -w")
	want("get agent-1", 0, "agent-1: agent 1.0.0 by pipeline careful", "> all", "prod/c1")
	want("why agent-1", 0, "agent-1 is Moving", "nothing in it waits")
	want("get agent-1 -w", 0, "prod/c1 Succeeded", "12:01:00 run agent-1 Succeeded")
	want("get agent-1 -o json", 0, `"phase": "Succeeded"`)
	want("get runs", 0, "agent-1", "Succeeded")
	want("get audit agent-1", 0, "ann", "run", "because", "accepted")
	want("abort agent-1", 0, "agent-1 has ended as Succeeded", "nothing to abort")
	want("why agent-1 c9", 1, "cannot find c9 in run agent-1")
}

func TestRunsAreListedByTheirAge(t *testing.T) {
	s := newSession(t, api.PhaseSucceeded)
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	began := s.now
	for _, c := range []struct {
		age   time.Duration
		since bool // it is among those of the last hour
	}{
		{0, true}, {59 * time.Minute, true}, {61 * time.Minute, false}, {30 * 24 * time.Hour, false},
	} {
		s.now = began.Add(c.age)
		for flag, listed := range map[string]bool{"--since 1h": c.since, "--older-than 1h": !c.since} {
			if out, errs, code := s.types("get runs " + flag); code != 0 || strings.Contains(out, "agent-1") != listed {
				t.Errorf("after %s, %s: %s%s", c.age, flag, out, errs)
			}
		}
	}
}

func TestNothingActsOnTheTerminal(t *testing.T) {
	const clear = "\x1b[2J\u009b1A\rgone\u202e"
	s := newSession(t, api.PhaseHeld)
	s.server.says = clear
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	l := s.server.open()
	err := l.AddEntry(t.Context(), ledger.Entry{At: noon, Who: "ann", Command: "pause", Object: "agent-1", Reason: clear + "\n2 lines", Outcome: clear})
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"get agent-1", "why agent-1", "why agent-1 c1", "get audit agent-1", "why agent-1 \x1b[2Jc9"} {
		out, errs, _ := s.types(line)
		if strings.ContainsAny(out+errs, "\x1b\u009b\r\u202e") || !strings.Contains(out+errs, `\u001b[2J`) {
			t.Errorf("%s prints %q", line, out+errs)
		}
	}
	s.lively = true
	if out, _, _ := s.types("get agent-1"); strings.Contains(out, "\x1b[2J") || !strings.Contains(out, `\u001b[2J`) {
		t.Errorf("on a terminal it prints %q", out)
	}
}

func TestTreeOnATerminal(t *testing.T) {
	s := newSession(t, api.PhaseMoving, api.PhaseMoving, api.PhaseSucceeded)
	s.lively = true
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	out, _, code := s.types("get agent-1")
	if code != 0 || !strings.Contains(out, "\x1b[") {
		t.Errorf("exit code %d, no colour on a terminal: %q", code, out)
	}
	out, errs, code := s.types("get agent-1 -w")
	if code != 0 || !strings.Contains(out, "Succeeded") {
		t.Errorf("exit code %d: %s\n%q", code, errs, out)
	}
}

func TestRunsWithoutAServer(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	for range 2 {
		if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 && !strings.Contains(errs, "is open") {
			t.Fatal(errs)
		}
	}
	s.server.away = errors.New("cannot reach a Temporal server")
	const note = "note: cannot reach a Temporal server; this is what the ledger says\n"
	if out, errs, code := s.types("get runs"); code != 0 || !strings.HasSuffix(out, note) || strings.Count(out, note) != 1 {
		t.Errorf("exit code %d, %s\n%s", code, errs, out)
	}
	if out, _, _ := s.types("get runs -o json"); !strings.Contains(out, `"note": "cannot reach a Temporal server`) {
		t.Errorf("as JSON it prints %s", out)
	}
}

func TestAnOrderStandsUntilAWorkerComes(t *testing.T) {
	s := newSession(t, "")
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	_, errs, code := s.types("abort agent-1 --reason enough")
	if code != 4 || !strings.Contains(errs, "the order to abort agent-1 stands: it acts as soon as a worker takes the run up") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	for _, line := range []string{"get agent-1", "why agent-1"} {
		if out, errs, code := s.types(line); code != 0 || !strings.Contains(out, "order stands: abort by ann (unverified): enough") {
			t.Errorf("%s: exit code %d, %s\n%s", line, code, errs, out)
		}
	}
	if out, _, code := s.types("pause agent-1 -o json"); code != 4 || !strings.Contains(out, `"stands": true`) {
		t.Errorf("as JSON: exit code %d, %s", code, out)
	}
}

func TestAWatchTakesNoStageBack(t *testing.T) {
	s := newSession(t, api.PhaseMoving, api.PhaseMoving, "", "", api.PhaseSucceeded)
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	out, errs, code := s.types("get agent-1 -w")
	if code != 0 || !strings.Contains(out, "waits for worker") || strings.Contains(out, "prod/c1 Pending") || strings.Count(out, "stage all Moving") != 1 {
		t.Errorf("exit code %d, %s\n%s", code, errs, out)
	}
}
