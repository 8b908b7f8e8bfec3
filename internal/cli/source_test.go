package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestSourcesAreAppliedListedAndSynced(t *testing.T) {
	s := newSession(t)
	file := filepath.Join(t.TempDir(), "source.yaml")
	text := `{apiVersion: sluice.dev/v1alpha1, kind: Source, metadata: {name: infra}, spec: {url: "https://git.example/team/infra.git", branch: main}}
---
{apiVersion: sluice.dev/v1alpha1, kind: Trigger, metadata: {name: merged}, spec: {source: infra, components: {all: true}, run: true}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	commit := strings.Repeat("5f1c0d3a", 5)
	followed := &api.SourceState{
		Commit: commit, Looked: noon, Followed: noon, Did: "agent 2.0.0: started as agent-2", Error: "the forge is away",
		Requests: []api.SourceRequest{{Number: 7, Head: commit, Error: "it hangs"}}, Waiting: []api.SourceStart{{Component: "dns", Version: "3.0.0"}},
		Runs: []api.SourceRun{{Component: "agent", Run: "agent-2"}},
	}
	for _, c := range []struct {
		line  string
		state *api.SourceState
		code  int
		says  []string
	}{
		{"get sources -o json", nil, 0, []string{"[]"}},
		{"apply -f " + file, nil, 0, []string{"source infra is created\n", "trigger merged is created\n"}},
		{"get sources", nil, 0, []string{"infra   main    -       -", "yes", "note: infra: nobody follows it at the moment"}},
		{"get sources", followed, 0, []string{
			"infra   main    5f1c0d3a5f1c  2026-11-22 12:00:00  2026-11-22 12:00:00  1         dns 3.0.0  agent-2  yes",
			"note: infra: agent 2.0.0: started as agent-2; error: the forge is away; request 7: it hangs",
		}},
		{"get sources -o json", followed, 0, []string{`"run": "agent-2"`, `"url": "https://git.example/team/infra.git"`}},
		{"source sync other", nil, 1, []string{"there is no Source other"}},
		{"source sync infra", nil, 0, []string{"infra is looked at; see: sluice", " get sources\n"}},
		{"source sync infra --accept " + commit, nil, 2, []string{"for no reason"}},
		{"source sync infra --accept main --reason x", nil, 2, []string{"give the whole name of the commit"}},
		{"source sync infra --accept " + commit + " --reason x", nil, 0, []string{"infra is looked at"}},
		{"get audit", nil, 0, []string{"sync", "source/infra", commit}},
		{"delete source infra --reason x", nil, 0, []string{"source infra holds no longer"}},
		{"source", nil, 0, []string{"source sync infra"}},
	} {
		s.server.source = c.state
		out, errs, code := s.types(c.line)
		for _, want := range c.says {
			if code != c.code || !strings.Contains(out+errs, want) {
				t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", c.line, code, c.code, want, out, errs)
			}
		}
	}
}
