package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/git/gittest"
	"sluice.dev/sluice/internal/ledger"
)

// only leaves one version of the test's component in a text with several.
func only(version, components string) string {
	for _, doc := range strings.Split(components, "---\n") {
		if strings.Contains(doc, "version: "+version+"\n") {
			return doc
		}
	}
	return ""
}

// repository is one with the documents of the test, and one version of its component.
func (s *site) repository(version string) (*gittest.Repository, func(version string) string) {
	s.t.Helper()
	r := gittest.Start(s.t).Repository(s.component)
	if err := os.CopyFS(r.Folder(), os.DirFS(s.files)); err != nil {
		s.t.Fatal(err)
	}
	components, err := os.ReadFile(filepath.Join(s.files, "components.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	commit := func(version string) string {
		s.t.Helper()
		return r.Commit("version "+version, map[string]string{"components.yaml": only(version, string(components))})
	}
	commit(version)
	return r, commit
}

// sourceUntil waits until the Source of the test is as wanted.
func (s *site) sourceUntil(what string, met func(engine.KeptSource) bool) engine.KeptSource {
	s.t.Helper()
	var last []engine.KeptSource
	for until := time.Now().Add(patience * time.Minute); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		var err error
		if last, err = s.engine.Sources(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		if len(last) == 1 && met(last[0]) {
			return last[0]
		}
	}
	s.t.Fatalf("it is not %s: %+v", what, last)
	return engine.KeptSource{}
}

// TestWhatIsMergedIsRolledOut follows a repository through a worker that dies: a merge is rolled out, and one that is reverted while its
// run is open pauses that.
func TestWhatIsMergedIsRolledOut(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "merged")
	kill := s.work()
	s.install()
	r, commit := s.repository("1.0.0")
	documents := t.TempDir()
	text := fmt.Sprintf("apiVersion: sluice.dev/v1alpha1\nkind: Source\nmetadata: {name: infra}\nspec: {url: %q, branch: main, interval: 10s}\n---\n"+
		"apiVersion: sluice.dev/v1alpha1\nkind: Trigger\nmetadata: {name: merged}\nspec: {source: infra, components: {all: true}, run: true}\n", r.URL)
	if err := os.WriteFile(filepath.Join(documents, "source.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{documents}}, By: "test"}); err != nil {
		t.Fatal(err)
	}
	s.sourceUntil("followed", func(k engine.KeptSource) bool { return k.State.Known != "" })
	kill()
	commit("2.0.0")
	s.work()
	k := s.sourceUntil("started", func(k engine.KeptSource) bool { return len(k.State.Runs) == 1 })
	run := k.State.Runs[0].Run
	r.Git("revert", "--no-edit", "HEAD")
	r.Git("push", "--quiet", "origin", "HEAD")
	if _, err := s.engine.SyncSource(t.Context(), engine.SyncRequest{Source: "infra", By: "test"}); err != nil {
		t.Fatal(err)
	}
	s.until(run, "paused", time.Minute, func(now api.RunStatus) bool { return now.Phase == api.PhasePaused })
	paused := regexp.MustCompile(`commit [0-9a-f]{12} on main of .* takes back what it brings: merged is again what it was before`)
	found := false
	var entries []ledger.Entry
	for end := time.Now().Add(time.Minute); !found && time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // written once it is done
		var err error
		if entries, err = s.engine.Audit(t.Context(), run, 50); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			found = found || e.Command == api.UpdatePause && strings.HasPrefix(e.Who, "source:infra [ci]") && paused.MatchString(e.Reason)
		}
	}
	if !found {
		t.Errorf("the audit does not say who paused it, and why: %+v", entries)
	}
	s.tell(run, api.UpdateRollback, api.Scope{})
	s.ended(run, time.Minute)
	if running := s.snapshot("a").Tags(); running["1.0.0"] != nodes {
		t.Errorf("cluster a runs %v", running)
	}
	s.keep(api.SourceWorkflowID(s.queue(), "infra"))
	if _, err := s.engine.Delete(t.Context(), "Source", "infra", "test", "the test is over"); err != nil {
		t.Fatal(err)
	}
}

// queue is the task queue of the test's workers.
func (s *site) queue() string {
	s.t.Helper()
	installation, err := s.ledger.Installation(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return api.Queue(installation)
}
