package workflows_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// situations bring a run, an hour after its start, to where the lines of the documented table say.
func situations() map[string]func(w *world) {
	const day = 24 * time.Hour
	fails := func(w *world, activity string, code fault.Code) {
		w.fails = func(name, cluster string) error {
			if name == activity && cluster == "a" {
				return fault.New(code, "no")
			}
			return nil
		}
	}
	breaks := func(w *world) {
		w.facts = func(cluster string, f *rule.Facts) {
			if cluster == "a" {
				f.Workload.Restarts = 1
			}
		}
	}
	away := func(w *world) {
		w.env.OnActivity(step.Reachable.Name(), mock.Anything, mock.Anything).After(day).Return("", nil)
	}
	moves := func(w *world) { w.advances = day }
	return map[string]func(w *world){
		"waits for an approval": func(w *world) { w.plan.Stages[0].Approvals = 1 },
		"is held by a freeze":   func(w *world) { w.frozen.List = []api.Hold{{Freeze: "f", By: "bob", InFlight: api.PauseNow}} },
		"moves a cluster":       moves,
		"soaks in a cluster":    func(w *world) { w.rules.Soak.Cluster = pipelines.Duration(day) },
		"soaks as a stage":      func(w *world) { w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = day, true },
		"has a cluster that stands": func(w *world) {
			fails(w, step.Prepare.Name(), fault.Refused)
		},
		"waits for a decision, since a cluster failed": breaks,
		"has more clusters out of reach than its stage bears": func(w *world) {
			fails(w, step.Acquire.Name(), fault.Unreachable)
			away(w)
		},
		"is paused": func(w *world) {
			moves(w)
			w.command(30*time.Minute, api.UpdatePause, api.Command{})
		},
		"rolls back": func(w *world) {
			breaks(w)
			w.plan.OnFailure = pipelines.Rollback
			fails(w, step.Revert.Name(), fault.Refused)
		},
		"is being aborted": func(w *world) {
			moves(w)
			fails(w, step.Disarm.Name(), fault.Internal)
			w.command(30*time.Minute, api.UpdateAbort, api.Command{})
		},
	}
}

// documented is which commands a run takes where, as docs/commands.md says.
func documented(t *testing.T) (lines []string, taken map[string]map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	taken = map[string]map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == "the run":
			columns = cells[1:]
		case columns == nil || cells[0] == "---":
		case len(cells) != len(columns)+1:
			return lines, taken
		default:
			lines, taken[cells[0]] = append(lines, cells[0]), map[string]bool{}
			for i, name := range columns {
				taken[cells[0]][name] = cells[i+1] == "yes"
			}
		}
	}
	return lines, taken
}

// stagedRun is two clusters, one after the other, and a stage more.
func stagedRun(t *testing.T, in func(w *world)) *world {
	t.Helper()
	w := newWorld(t, "a", "b")
	w.plan.OnFailure = pipelines.Pause
	w.plan.Stages = append(w.plan.Stages, step.RunStage{Name: "last", Groups: []plan.Group{{
		Units: []plan.Unit{{Path: "prod/z", Cluster: "z", Group: "prod", WayBack: plan.WayBack{Version: "v1", Objects: "sha256:1"}}}, MaxConcurrency: 1,
	}}})
	in(w)
	return w
}

// commanded plays a run to its end. An hour after its start it is given commands, all at once; half an hour later it is looked at, and
// days later, where it is still open, aborted.
func (w *world) commanded(t *testing.T, names ...string) (heard []*heard, later, end api.RunStatus) {
	t.Helper()
	w.env.RegisterDelayedCallback(func() {
		for _, name := range names {
			heard = append(heard, w.commandNow(name))
		}
	}, time.Hour)
	w.env.RegisterDelayedCallback(func() { later = w.now(t) }, 90*time.Minute)
	w.command(72*time.Hour, api.UpdateAbort, api.Command{Abandon: true})
	w.command(73*time.Hour, api.UpdateAbort, api.Command{Abandon: true}) // it gives up what an abort waits for
	end = w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops", Holds: w.frozen})
	return heard, later, end
}

func (w *world) commandNow(name string) *heard {
	h := &heard{}
	c := api.Command{Who: "ann", Reason: "hm", Plan: "0123456789"}
	if name == api.UpdateSkip || name == api.UpdateRetreat {
		c.Scope.Clusters = []string{"a"}
	}
	w.env.UpdateWorkflow(name, "", &testsuite.TestUpdateCallback{
		OnReject: func(err error) { h.rejected = err }, OnAccept: func() { h.accepted = true },
		OnComplete: func(_ any, err error) { h.err = err },
	}, c)
	return h
}

func TestEveryCommandInEverySituationIsTakenAsDocumented(t *testing.T) {
	lines, taken := documented(t)
	if all := situations(); len(all) != len(lines) || len(taken[lines[0]]) != len(plan.Precedence()) {
		t.Fatalf("%d lines and %d columns are documented, of %d situations and %d commands", len(lines), len(taken[lines[0]]), len(all), len(plan.Precedence()))
	}
	for _, line := range lines {
		for _, name := range plan.Precedence() {
			t.Run(line+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := stagedRun(t, situations()[line])
				heard, later, end := w.commanded(t, name)
				took := heard[0].accepted && heard[0].err == nil
				if took != taken[line][name] {
					t.Errorf("taken: %v (%v, %v), documented: %v", took, heard[0].rejected, heard[0].err, taken[line][name])
				}
				if name == api.UpdateSkip && took && unitPhases(end)["a"] != api.PhaseSkipped {
					t.Errorf("a was skipped, and ended %s", unitPhases(end)["a"])
				}
				w.endsAs(t, line, []string{name}, []bool{took}, later, end)
			})
		}
	}
}

// endsAs checks the state that commands lead to which were taken at once.
func (w *world) endsAs(t *testing.T, line string, names []string, took []bool, later, end api.RunStatus) {
	t.Helper()
	given := func(name string) bool {
		i := slices.Index(names, name)
		return i >= 0 && took[i] || len(names) > 1 && names[1] == name && took[1]
	}
	switch {
	case given(api.UpdateRollback):
		if a := unitOf(end, "a"); a.Moved && a.Phase != api.PhaseRolledBack && line != "rolls back" && line != "is being aborted" {
			t.Errorf("it was to go back, and a ended %s", a.Phase)
		}
		if later.Phase == api.PhasePaused {
			t.Error("it was to go back, and is paused")
		}
	case given(api.UpdateAbort):
		if end.Phase == api.PhaseSucceeded || line != "is being aborted" && end.Ended.Sub(end.Started) > 90*time.Minute {
			t.Errorf("it was aborted, was %s half an hour later, and ended %s", later.Phase, end.Phase)
		}
	case given(api.UpdateReject):
		if st := end.Stages[0]; end.Phase != api.PhaseFailed || st.Phase != api.PhaseFailed || st.Rejected == nil || unitOf(end, "a").Moved {
			t.Errorf("it was rejected, and ended %s, its stage %s", end.Phase, st.Phase)
		}
	default:
		stops, goes := false, false
		for i, name := range names {
			if took[i] && name == api.UpdatePause {
				stops, goes = true, false
			}
			if took[i] && name == api.UpdateResume {
				stops, goes = false, true
			}
		}
		waits := later.Waiting != nil && later.Waiting.Kind == api.WaitPerson
		if stops && !waits && line != "waits for a decision, since a cluster failed" && line != "waits for an approval" {
			t.Errorf("it was paused, and is %s: %+v", later.Phase, later.Waiting)
		}
		if goes && later.Phase == api.PhasePaused && waits {
			t.Errorf("it was resumed, and is %s: %+v", later.Phase, later.Waiting)
		}
	}
}

func TestEveryPairOfCommandsAtOnceIsTakenAsDocumented(t *testing.T) {
	lines, taken := documented(t)
	for _, line := range lines {
		for _, first := range plan.Precedence() {
			for _, second := range plan.Precedence() {
				t.Run(fmt.Sprintf("%s/%s, %s", line, first, second), func(t *testing.T) {
					t.Parallel()
					w := stagedRun(t, situations()[line])
					heard, later, end := w.commanded(t, first, second)
					took := []bool{heard[0].accepted && heard[0].err == nil, heard[1].accepted && heard[1].err == nil}
					if want := taken[line][first]; took[0] != want {
						t.Errorf("the first is taken: %v (%v, %v), documented: %v", took[0], heard[0].rejected, heard[0].err, want)
					}
					want, said := taken[line][second], true
					switch {
					case !taken[line][first]:
					case first == api.UpdateRollback:
						want = taken["rolls back"][second]
					case first == api.UpdateAbort, first == api.UpdateReject:
						want = taken["is being aborted"][second]
					case first == api.UpdatePause:
						halts := line == "moves a cluster" || line == "soaks in a cluster" // what moved can be left out then
						want = (want || halts) && taken["is paused"][second]
						want = want || line == "waits for an approval" && (second == api.UpdateApprove || second == api.UpdateReject)
					case first == api.UpdateApprove:
						// the stage may start between the two
						said = second != api.UpdateApprove && second != api.UpdateSkip && second != api.UpdateReject && second != api.UpdateEndSoak
					case first == api.UpdateSkip:
						said = second != api.UpdateEndSoak // the next cluster may have begun
					}
					if no := heard[1].rejected; no != nil && strings.Contains(no.Error(), "it has just ended") {
						// nothing had moved; the engine answers for it then
						said = first != api.UpdateAbort && first != api.UpdateRollback && first != api.UpdateReject
					}
					if said && took[1] != want {
						t.Errorf("the second is taken: %v (%v, %v), want %v", took[1], heard[1].rejected, heard[1].err, want)
					}
					w.endsAs(t, line, []string{first, second}, took, later, end)
				})
			}
		}
	}
}

func unitOf(r api.RunStatus, cluster string) api.UnitStatus {
	for _, st := range r.Stages {
		for _, u := range st.Units {
			if u.Cluster == cluster {
				return u
			}
		}
	}
	return api.UnitStatus{}
}
