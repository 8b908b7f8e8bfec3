package tree_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli/tree"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Times are printed as the reader's clock shows them: the test's clock is there to be read.
var began = time.Date(2026, 11, 22, 2, 30, 0, 0, time.Local)

func after(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

func batch(unit, set string, number, updated, target, total int, phase api.Phase, from, to int) api.BatchStatus {
	b := api.BatchStatus{
		Path: fmt.Sprintf("%s/%s/%d", unit, set, number), Workload: "DaemonSet/infra/node-agent", NodeSet: set, Number: number,
		Target: target, Total: total, Updated: updated, Ready: updated, Phase: phase, Started: after(from),
	}
	if phase.Final() {
		b.Ended = after(to)
	}
	return b
}

// underWay is a run in the middle of its second stage.
func underWay() tree.Input {
	e2e := api.UnitStatus{
		Path: "e2e/e1", Cluster: "e1", Phase: api.PhaseSucceeded, Started: began, Ended: after(80), Moved: true,
		Batches: []api.BatchStatus{
			batch("e2e/e1", "canary", 1, 1, 1, 4, api.PhaseSucceeded, 0, 20),
			batch("e2e/e1", "all", 1, 36, 36, 36, api.PhaseSucceeded, 20, 80),
		},
	}
	skipped := batch("production/p1", "canary", 2, 1, 1, 4, api.PhaseSkipped, 100, 100)
	skipped.Skipped = "10% of 4 is 1, not above batch 1"
	behind := batch("production/p1", "canary", 3, 3, 4, 4, api.PhaseMoving, 100, 0)
	behind.Ready = 2
	p1 := api.UnitStatus{
		Path: "production/p1", Cluster: "p1", Phase: api.PhaseMoving, Started: after(81),
		Waiting: &api.Waiting{Kind: "pods", Name: "production/p1/canary/3", Since: after(100)},
		Batches: []api.BatchStatus{batch("production/p1", "canary", 1, 1, 1, 4, api.PhaseSucceeded, 81, 100), skipped, behind},
	}
	p2 := api.UnitStatus{
		Path: "production/p2", Cluster: "p2", Phase: api.PhaseHeld, Started: after(81),
		Failure:  &api.Check{Name: "success-rate", Verdict: api.Failed, Message: "0.91 is less\nthan 0.99"},
		FailedAt: "production/p2/canary/1",
		Batches:  []api.BatchStatus{batch("production/p2", "canary", 1, 1, 1, 4, api.PhaseHeld, 81, 0)},
	}
	p3 := api.UnitStatus{
		Path: "production/p3", Cluster: "p3", Phase: api.PhaseUnreachable, Started: after(90),
		Waiting: &api.Waiting{Kind: "cluster", Name: "p3", Since: after(95), Unmet: []string{"no route to host"}},
	}
	p4 := api.UnitStatus{Path: "production/p4", Cluster: "p4", Phase: api.PhasePending}
	scales := map[string]engine.Scale{}
	for _, c := range []string{"e1", "p1", "p2", "p4"} {
		scales[c] = engine.Scale{Batches: 4, Pods: 40}
	}
	return tree.Input{
		Now: after(120), Scales: scales, UI: "http://127.0.0.1:8233/namespaces/default/workflows/node-agent-3",
		View: engine.View{RunStatus: api.RunStatus{
			Name: "node-agent-3", Subject: api.Component("node-agent"), Version: "2.0.0", Pipeline: "careful", Plan: "3f2a9c01d2e4aaaaaaaaaaaa",
			Origin: api.Origin{Repository: "https://git.example/fleet", Commit: "0123456789abcdef", Path: "agents", Dirty: true},
			Phase:  api.PhaseMoving, By: "ann@example.com", Reason: "fixes a leak", Started: began, Percent: 20,
			Waiting: &api.Waiting{Kind: "decision", Name: "production/p2", Since: after(101), Unmet: []string{"success-rate failed"}},
			Stages: []api.StageStatus{
				{Name: "e2e", Phase: api.PhaseSucceeded, Units: []api.UnitStatus{e2e}},
				{Name: "staging", Phase: api.PhaseSkipped, Skipped: "selects no cluster: no cluster group matches environment=staging"},
				{Name: "production", Phase: api.PhaseMoving, Units: []api.UnitStatus{p1, p2, p3, p4}},
			},
		}},
	}
}

// paced is the same run without what stands in its way.
func paced() tree.Input {
	in := underWay()
	units := in.View.Stages[2].Units
	in.View.Stages[2].Units, in.View.Waiting = []api.UnitStatus{units[0], units[3]}, nil
	return in
}

// rolledBack is a run that was stopped in its first batch.
func rolledBack() tree.Input {
	in := underWay()
	u := &in.View.Stages[2].Units[0]
	u.Phase, u.Ended, u.Waiting, u.Kept = api.PhaseRolledBack, after(130), nil, []string{"Namespace/infra"}
	u.Failure = &api.Check{Name: "pods-stay-healthy", Verdict: api.Failed, Message: "2 restarts"}
	for i := range u.Batches {
		u.Batches[i].Phase, u.Batches[i].Ended = api.PhaseRolledBack, after(130)
	}
	in.View.Stages[2].Phase, in.View.Stages[2].Units = api.PhaseRolledBack, in.View.Stages[2].Units[:1]
	in.View.Phase, in.View.Ended, in.View.Waiting, in.View.Percent = api.PhaseRolledBack, after(131), nil, 100
	in.View.Note = "no worker answers on task queue sluice"
	in.UI = ""
	return in
}

// behind is a run with dead nodes: one was set aside in a unit that has succeeded, several died under one that moves.
func behind() tree.Input {
	in := paced()
	u := &in.View.Stages[2].Units[0]
	u.Behind = []goal.Behind{{Workload: "DaemonSet/infra/agent", NodeSet: "all", Count: 5, Total: 40, Nodes: []goal.Node{{Name: "n1"}, {Name: "n2"}, {Name: "n3"}, {Name: "n4"}}}}
	u.Batches[len(u.Batches)-1].Lost = 2
	done := &in.View.Stages[0].Units[0]
	done.Behind = []goal.Behind{{Workload: "DaemonSet/infra/agent", NodeSet: "all", Count: 1, Total: 40, Nodes: []goal.Node{{Name: "n9"}}}}
	return in
}

// bearing is a run with failed batches that were borne, in a unit that has succeeded and in one that moves.
func bearing() tree.Input {
	in := paced()
	in.View.Stages[0].Units[0].FailedBatches = 2
	u := &in.View.Stages[2].Units[0]
	u.FailedBatches, u.Batches[0].Phase = 1, api.PhaseFailed
	u.Batches[0].Checks = []api.Check{{Name: "ready", Verdict: api.Failed, Message: "no"}}
	return in
}

// withTasks is a run that was stopped by one of its tasks, and does what comes at its end.
func withTasks() tree.Input {
	in := underWay()
	in.View.Waiting = &api.Waiting{Kind: api.WaitTasks, Name: "finally", Since: after(92), Unmet: []string{"notify"}}
	in.View.Stages = []api.StageStatus{{Name: "all", Phase: api.PhasePending, Units: []api.UnitStatus{{Path: "p/p1", Cluster: "p1", Phase: api.PhasePending}}}}
	in.View.Tasks = []api.TaskStatus{
		{Name: "look", Phase: api.PhaseSucceeded, Reason: api.ReasonSucceeded, Message: "all passed", Started: began, Ended: after(30)},
		{Name: "warm", Combination: 1, Phase: api.PhaseFailed, Reason: api.ReasonFailureIgnored, Message: "x", Started: began, Ended: after(9)},
		{Name: "warm", Combination: 2, Phase: api.PhaseFailed, Reason: api.ReasonFailed, Message: "warm/a: Failed:\nno", Started: began, Ended: after(90)},
		{Name: "report", Phase: api.PhaseSkipped, Reason: api.SkippedAsStopping},
		{Name: "notify", Finally: true, Phase: api.PhaseMoving, Reason: api.ReasonToBeRetried, Message: "it is not there", Started: after(92)},
	}
	in.View.Results = []pipelines.ParamValue{{Name: "hosts", Value: []string{"a", "b"}}, {Name: "release", Value: "1.2"}}
	in.View.ResultsLeftOut = []string{"report"}
	return in
}

// ignoring is a run in which every task that failed counts as nothing.
func ignoring() tree.Input {
	in := withTasks()
	in.View.Tasks[2].Reason = api.ReasonFailureIgnored
	return in
}

func TestDraw(t *testing.T) {
	for name, c := range map[string]struct {
		in tree.Input
		o  tree.Options
	}{
		"plain":            {underWay(), tree.Options{}},
		"terminal-100":     {underWay(), tree.Options{Width: 100, Color: true, Bars: true}},
		"narrow-60":        {underWay(), tree.Options{Width: 60, Bars: true}},
		"low-14":           {underWay(), tree.Options{Width: 100, Height: 14, Bars: true}},
		"rolled-back":      {rolledBack(), tree.Options{}},
		"behind":           {behind(), tree.Options{}},
		"bearing":          {bearing(), tree.Options{}},
		"tasks":            {withTasks(), tree.Options{}},
		"tasks-ignored":    {ignoring(), tree.Options{}},
		"paced-100":        {paced(), tree.Options{Width: 100, Bars: true}},
		"nothing-is-known": {tree.Input{View: engine.View{RunStatus: api.RunStatus{Name: "a-1", Phase: api.PhasePending, Started: began}}, Now: began}, tree.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := tree.Draw(c.in, c.o)
			golden(t, name, strings.Join(lines, "\n")+"\n")
			for _, line := range lines {
				if c.o.Width > 0 && lipgloss.Width(line) > c.o.Width {
					t.Errorf("a line is wider than %d: %q", c.o.Width, line)
				}
				if !c.o.Color && strings.Contains(line, "\x1b") {
					t.Errorf("a plain line has an escape: %q", line)
				}
			}
			if c.o.Height > 0 && len(lines) > c.o.Height {
				t.Errorf("%d lines are more than %d", len(lines), c.o.Height)
			}
		})
	}
}

func TestDrawNoTimeLeftOfWhatDoesNotGetOn(t *testing.T) {
	for _, phase := range []api.Phase{api.PhaseUnreachable, api.PhaseLocked, api.PhaseStalled, api.PhaseRefused, api.PhaseHeld, api.PhasePaused} {
		in := paced()
		in.View.Stages[2].Units[0].Phase = phase
		if all := strings.Join(tree.Draw(in, tree.Options{}), "\n"); strings.Contains(all, " left") {
			t.Errorf("a unit is %s, and there is time left:\n%s", phase, all)
		}
	}
}

func TestDrawSaysWhoEndedIt(t *testing.T) {
	in := rolledBack()
	in.View.Ending = &api.Ending{By: "sluice", Reason: "success-rate failed at production/p1/canary/1"}
	if all := strings.Join(tree.Draw(in, tree.Options{}), "\n"); !strings.Contains(all, "RolledBack by sluice: success-rate failed at production/p1/canary/1") {
		t.Errorf("it does not say who took it back, and why:\n%s", all)
	}
}

func TestDrawNamesTheDay(t *testing.T) {
	in := paced()
	in.View.Stages[2].Waiting = &api.Waiting{Kind: "soak", Name: "production", Since: after(0), Until: after(7 * 24 * 3600)}
	all := strings.Join(tree.Draw(in, tree.Options{}), "\n")
	if want := "since 02:30:00 until 2026-11-29 02:30:00"; !strings.Contains(all, want) {
		t.Errorf("does not say %q:\n%s", want, all)
	}
}

func TestDrawALongMessageAtOnce(t *testing.T) {
	in := rolledBack()
	in.View.Note = strings.Repeat("what the cluster said ", 1_000)
	began := time.Now()
	tree.Draw(in, tree.Options{Width: 100})
	if took := time.Since(began); took > time.Second {
		t.Errorf("drawing took %s: it is done every second", took)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (go test -update writes it anew):\n%s\nwant:\n%s", file, got, want)
	}
}

func TestDrawAnyHeight(t *testing.T) {
	in := underWay()
	for i := range 300 {
		in.View.Stages[2].Units = append(in.View.Stages[2].Units, api.UnitStatus{Path: fmt.Sprintf("production/q%d", i), Cluster: fmt.Sprintf("q%d", i), Phase: api.PhasePending})
	}
	for height := 1; height < 60; height++ {
		if n := len(tree.Draw(in, tree.Options{Height: height})); n > height {
			t.Fatalf("%d lines do not fit into %d", n, height)
		}
	}
	all := strings.Join(tree.Draw(in, tree.Options{Height: 30}), "\n")
	for _, words := range []string{"production/p2", "success-rate Failed", "... 301 Pending"} {
		if !strings.Contains(all, words) {
			t.Errorf("in 30 lines there is no %q:\n%s", words, all)
		}
	}
}

func TestChanges(t *testing.T) {
	now := after(200)
	first := tree.Changes(engine.View{}, underWay().View, now)
	golden(t, "changes-first", strings.Join(first, "\n")+"\n")

	if again := tree.Changes(underWay().View, underWay().View, now); len(again) > 0 {
		t.Errorf("nothing has changed, and it says %q", again)
	}

	next := underWay().View
	u := &next.Stages[2].Units[0]
	u.Batches[2].Updated = 4
	if counts := tree.Changes(underWay().View, next, now); len(counts) > 0 {
		t.Errorf("counts of pods are no lines: %q", counts)
	}
	u.Batches[2].Phase = api.PhaseSoaking
	u.Phase = api.PhaseSoaking
	got := tree.Changes(underWay().View, next, now)
	want := []string{"02:33:20 production/p1 Soaking", "02:33:20 production/p1/canary/3 Soaking 4 of 4"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("says %q, want %q", got, want)
	}
}

func TestAnEndedRunIsToldByItsOwnTimes(t *testing.T) {
	ended := underWay().View
	ended.Stages = ended.Stages[:1]
	ended.Waiting, ended.Phase, ended.Ended = nil, api.PhaseSucceeded, after(90)
	for reason, c := range map[string]struct {
		now  time.Time
		want string // its last line
	}{
		"today the clock is enough":       {after(200), "02:31:30 run node-agent-3 Succeeded"},
		"of another day, the day is said": {after(200).AddDate(0, 0, 2), "2026-11-22 02:31:30 run node-agent-3 Succeeded"},
	} {
		got := tree.Changes(engine.View{}, ended, c.now)
		if len(got) == 0 || got[len(got)-1] != c.want {
			t.Errorf("%s: it says %q, and ends not with %q", reason, got, c.want)
		}
	}
}

func TestDrawNoCountsThatNobodyKnows(t *testing.T) {
	in := underWay()
	in.View.Partial, in.View.Stages[2].Units[0].Batches = true, nil
	for _, line := range tree.Draw(in, tree.Options{}) {
		if strings.Contains(line, "production/p1 ") && strings.Contains(line, "0/40") {
			t.Errorf("it counts what it does not know: %q", line)
		}
	}
}

func TestTimeLeftCountsSoaks(t *testing.T) {
	soaks := map[string]engine.Soaks{"e2e": {Stage: 25 * time.Second}, "canary": {
		Stage: 30 * time.Second, Groups: []engine.GroupSoak{{Name: "eu", Length: 5 * time.Second, Clusters: []string{"c1"}}},
	}}
	e1 := api.UnitStatus{Cluster: "e1", Phase: api.PhaseSucceeded, Batches: []api.BatchStatus{batch("e2e/e1", "all", 1, 4, 4, 4, api.PhaseSucceeded, 0, 2)}}
	in := tree.Input{
		Now: after(3), Soaks: soaks, Scales: map[string]engine.Scale{"e1": {Batches: 1, Pods: 4}, "c1": {Batches: 1, Pods: 4}},
		View: engine.View{RunStatus: api.RunStatus{Name: "a-1", Phase: api.PhaseSoaking, Started: began, Waiting: &api.Waiting{Kind: "soak", Name: "stage e2e", Until: after(23)}, Stages: []api.StageStatus{
			{Name: "e2e", Phase: api.PhaseMoving, Units: []api.UnitStatus{e1}},
			{Name: "canary", Phase: api.PhasePending, Units: []api.UnitStatus{{Cluster: "c1", Phase: api.PhasePending}}},
		}}},
	}
	want := "about 57s left" // 20 of this soak, 2 for a batch, 5 after the group, 30 after the stage
	if all := strings.Join(tree.Draw(in, tree.Options{}), "\n"); !strings.Contains(all, want) {
		t.Errorf("does not say %q:\n%s", want, all)
	}
}
