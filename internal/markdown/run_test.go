package markdown_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/markdown"
)

func TestRun(t *testing.T) {
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	run := api.RunStatus{
		Name: "node-agent-4", Subject: api.Component("node-agent"), Version: "2.0.0", Plan: strings.Repeat("3f70e56d0c23", 5), Pipeline: "careful",
		Phase: api.PhaseHeld, By: "github:repo:shop/infra", Started: began,
		Stages: []api.StageStatus{
			{Name: "e2e", Phase: api.PhaseSucceeded, Units: []api.UnitStatus{{
				Path: "e2e/e2e-1", Phase: api.PhaseSucceeded, Version: "2.0.0", Started: began, Ended: began.Add(90 * time.Second),
			}}},
			{Name: "production", Phase: api.PhaseHeld, Units: []api.UnitStatus{{
				Path: "shop/eu-1", Phase: api.PhaseHeld, Version: "2.0.0", Started: began, FailedAt: "shop/eu-1/all/2",
				Failure: &api.Check{Name: "panics", Verdict: api.Failed, Message: "3 panics in agent-x2"},
				Waiting: &api.Waiting{Kind: api.WaitDecision, Name: "panics", Unmet: []string{"3 panics"}, Owner: "an operator"},
			}}},
			{Name: "late", Phase: api.PhaseSkipped, Skipped: "selects no cluster"},
		},
	}
	got := markdown.Run(markdown.Ran{Run: run, Program: "sluice", Note: "it goes on without its watcher"}, markdown.GitHubSummary)
	path := filepath.Join("testdata", "run.md")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("go test ./internal/markdown -update writes it anew (-want +got):\n%s", diff)
	}
	for i := range 2000 {
		run.Stages[1].Units = append(run.Stages[1].Units, api.UnitStatus{Path: fmt.Sprintf("shop/eu-%d", i), Phase: api.PhasePending})
	}
	long := markdown.Run(markdown.Ran{Run: run, Program: "sluice"}, 10_000)
	if len(long) > 10_000 || !strings.Contains(long, "**Left out here: 1") || !strings.Contains(long, "`3 panics in agent-x2`") {
		t.Errorf("of many units it has %d bytes:\n%.1500s", len(long), long)
	}
}

func TestMistakes(t *testing.T) {
	if got := markdown.Mistakes(nil, nil, markdown.Least); got != "" {
		t.Errorf("where nothing is wrong it says %q", got)
	}
	many := make([]markdown.Mistake, 1000)
	for i := range many {
		many[i] = markdown.Mistake{Where: fmt.Sprintf("a.yaml:%d:1", i+1), What: "spec is missing"}
	}
	got := markdown.Mistakes(many, many[:1], 10_000)
	for _, word := range []string{"**1000 errors, nothing was planned.**", "| `a.yaml:1:1` | `spec is missing` |", "\nand ", "<summary>1 warning</summary>"} {
		if !strings.Contains(got, word) || len(got) > 10_000 {
			t.Errorf("of %d bytes it lacks %q:\n%.600s", len(got), word, got)
		}
	}
}
