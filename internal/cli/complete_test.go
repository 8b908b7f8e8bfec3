package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/engine"
)

// completes returns what a shell is offered for the last of some words, without what is said about it.
func completes(t *testing.T, within time.Duration, ledger string, words ...string) (offers []string, all string) {
	t.Helper()
	var out, errs bytes.Buffer
	f := &cli.Factory{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(string) string { return "" }, Who: func() string { return "ann" },
		NamesIn: within,
		Temporal: func(context.Context) (*engine.Server, error) {
			t.Error("a server was asked")
			return nil, context.Canceled
		},
	}
	if code := cli.Execute(t.Context(), append([]string{"__complete", "--ledger", ledger}, words...), f); code != 0 {
		t.Errorf("%q: exit code %d: %s", words, code, errs.String())
	}
	for line := range strings.Lines(out.String()) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(name, ":") {
			offers = append(offers, name)
		}
	}
	return offers, out.String() + errs.String()
}

func TestCompletion(t *testing.T) {
	s := newSession(t, api.PhaseMoving, api.PhaseSucceeded)
	if _, errs, code := s.types("run agent -f " + s.files + " --go --wait"); code != 0 {
		t.Fatal(errs)
	}
	s.server.phases, s.server.looks = []api.Phase{api.PhaseMoving}, 0
	if _, errs, code := s.types("run agent -f " + s.files + " --go"); code != 0 {
		t.Fatal(errs)
	}
	out, _, _ := s.types("get plans -o json")
	hash := strings.TrimPrefix(out[strings.Index(out, `"hash": "`):], `"hash": "`)[:12]
	for name, c := range map[string]struct {
		words []string
		want  []string
	}{
		"runs to look at":        {[]string{"get", "agent-"}, []string{"agent-2", "agent-1"}},
		"plans to look at":       {[]string{"get", hash[:4]}, []string{hash}},
		"open runs to pause":     {[]string{"pause", ""}, []string{"agent-2"}},
		"runs to take back":      {[]string{"rollback", ""}, []string{"agent-2", "agent-1"}},
		"parts of a run":         {[]string{"why", "agent-1", ""}, []string{"all", "c1"}},
		"clusters to take back":  {[]string{"rollback", "agent-1", "--cluster", "c"}, []string{"c1"}},
		"stages to take back":    {[]string{"rollback", "agent-1", "--stage", ""}, []string{"all"}},
		"components of files":    {[]string{"plan", "-f", s.files, "ag"}, []string{"agent"}},
		"components of plans":    {[]string{"get", "clusters", ""}, []string{"agent"}},
		"clusters of files":      {[]string{"plan", "agent", "-f", s.files, "--only", ""}, []string{"prod", "c1"}},
		"more clusters of files": {[]string{"plan", "agent", "-f", s.files, "--only", "prod,c"}, []string{"prod,c1"}},
		"pipelines of files":     {[]string{"plan", "agent", "-f", s.files, "--pipeline", ""}, []string{"careful"}},
		"versions of files":      {[]string{"plan", "agent", "-f", s.files, "--to", ""}, []string{"1.0.0"}},
		"nothing after a run":    {[]string{"pause", "agent-2", ""}, nil},
		"no plan to approve":     {[]string{"approve", "agent-2", "--plan", hash[:2]}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got, all := completes(t, time.Minute, s.server.ledger, c.words...); !slices.Equal(got, c.want) {
				t.Errorf("%q is completed with %q, want %q\n%s", c.words, got, c.want, all)
			}
		})
	}
}

func TestCompletionOfNothingIsQuickAndSilent(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := filepath.Join(dir, "no", "ledger.db")
	for _, words := range [][]string{{"get", ""}, {"pause", ""}, {"why", "agent-1", ""}, {"plan", "-f", filepath.Join(dir, "nowhere"), ""}, {"get", "clusters", ""}} {
		began := time.Now()
		got, all := completes(t, time.Second, file, words...)
		if len(got) > 0 && !slices.Contains(got, "runs") || strings.Contains(all, "cannot") {
			t.Errorf("%q is completed with %q: %s", words, got, all)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%q took %s", words, took)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("looking for names has made a ledger")
	}
}
