package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/plan"
)

// units makes units of cluster group g by name.
func units(names ...string) []plan.Unit {
	var all []plan.Unit
	for _, name := range names {
		all = append(all, plan.Unit{Cluster: name, Group: "g"})
	}
	return all
}

func TestWindow(t *testing.T) {
	const (
		running, well, skipped, failed, away = plan.Running, plan.Succeeded, plan.Skipped, plan.Failed, plan.Unreachable
	)
	type states = []plan.State
	after := units("a", "b", "c")
	after[1].After = []string{"a"}
	chain := units("a", "b", "c")
	chain[1].After, chain[2].After = []string{"a"}, []string{"b"}
	afterGroup := units("a", "b", "c")
	afterGroup[0].Group = "first"
	afterGroup[2].AfterGroups = []string{"first"}
	cases := map[string]struct {
		reason string
		window plan.Window
		states states
		want   plan.Decision
	}{
		"an open window fills its slots in order": {
			reason: "maxConcurrency units move at once",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 2, Units: units("a", "b", "c")}},
			want:   plan.Decision{Start: []int{0, 1}},
		},
		"a slot that is free is filled at once": {
			reason: "R20: the window slides, it is no barrier",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 2, Units: units("a", "b", "c")}},
			states: states{running, well},
			want:   plan.Decision{Start: []int{2}},
		},
		"the first unit of a group goes alone": {
			reason: "until one has succeeded, nobody knows whether it works there",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, FirstAlone: true, Units: units("a", "b", "c")}},
			want:   plan.Decision{Start: []int{0}},
		},
		"the window opens once the first has succeeded": {
			reason: "then the rest may follow",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, FirstAlone: true, Units: units("a", "b", "c")}},
			states: states{well},
			want:   plan.Decision{Start: []int{1, 2}},
		},
		"a first unit that was skipped proves nothing": {
			reason: "the next one goes alone",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, FirstAlone: true, Units: units("a", "b", "c")}},
			states: states{skipped},
			want:   plan.Decision{Start: []int{1}},
		},
		"a first unit out of reach proves nothing": {
			reason: "the next one goes alone",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, FirstAlone: true, Units: units("a", "b", "c")}, MaxUnreachable: 1},
			states: states{away},
			want:   plan.Decision{Start: []int{1}},
		},
		"a unit out of reach takes no slot": {
			reason: "rule 7: it neither blocks nor passes the others",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 1, Units: units("a", "b", "c")}, MaxUnreachable: 1},
			states: states{away},
			want:   plan.Decision{Start: []int{1}},
		},
		"too many units out of reach hold the window": {
			reason: "policy counts them",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 1, Units: units("a", "b", "c")}, MaxUnreachable: 1},
			states: states{away, away},
			want:   plan.Decision{Held: "2 units out of reach, maxUnreachable is 1"},
		},
		"a failure beyond the budget holds the window": {
			reason: "the careful default bears none",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 2, Units: units("a", "b", "c")}},
			states: states{failed, running},
			want:   plan.Decision{Held: "1 unit failed, maxFailures is 0"},
		},
		"a failure within the budget holds nobody": {
			reason: "that is what the budget is for",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 1, Units: units("a", "b", "c")}, MaxFailures: 1},
			states: states{failed},
			want:   plan.Decision{Start: []int{1}},
		},
		"failures in earlier groups of the stage count": {
			reason: "the budget is the stage's",
			window: plan.Window{
				Group: plan.Group{MaxConcurrency: 1, Units: units("a", "b")}, MaxFailures: 1,
				Earlier: []plan.Left{{Cluster: "x", State: failed, SameStage: true}},
			},
			states: states{failed},
			want:   plan.Decision{Held: "2 units failed, maxFailures is 1"},
		},
		"failures in earlier stages do not count": {
			reason: "each stage has its own budget",
			window: plan.Window{
				Group:   plan.Group{MaxConcurrency: 1, Units: units("a", "b")},
				Earlier: []plan.Left{{Cluster: "x", State: failed}, {Cluster: "y", State: away}},
			},
			want: plan.Decision{Start: []int{0}},
		},
		"a unit waits for the one that it goes after and others pass it": {
			reason: "after is about two units, not about the whole window",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 2, Units: after}},
			states: states{running},
			want:   plan.Decision{Start: []int{2}},
		},
		"a unit after one that failed is blocked and says so": {
			reason: "what it builds on is not there",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 1, Units: after}, MaxFailures: 1},
			states: states{failed},
			want:   plan.Decision{Start: []int{2}, Blocked: []plan.Blocked{{Unit: 1, Why: "b goes after a, which failed"}}},
		},
		"a unit after a blocked one is blocked too": {
			reason: "a person has to see everything that waits",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 1, Units: chain}, MaxFailures: 1},
			states: states{failed},
			want: plan.Decision{Blocked: []plan.Blocked{
				{Unit: 1, Why: "b goes after a, which failed"}, {Unit: 2, Why: "c goes after b, which cannot start"},
			}},
		},
		"a unit after one that a person skipped may go": {
			reason: "the person has decided",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 1, Units: after}},
			states: states{skipped},
			want:   plan.Decision{Start: []int{1}},
		},
		"a unit after a cluster group waits for all of it": {
			reason: "the group as a whole has to end first",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, Units: afterGroup}},
			states: states{running},
			want:   plan.Decision{Start: []int{1}},
		},
		"a unit after a cluster group with a unit out of reach is blocked": {
			reason: "the group has not ended well",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, Units: afterGroup}, MaxUnreachable: 1},
			states: states{away, well},
			want:   plan.Decision{Blocked: []plan.Blocked{{Unit: 2, Why: "c goes after cluster group first, in which a is out of reach"}}},
		},
		"a unit after one that failed in an earlier stage is blocked": {
			reason: "the stage's end does not heal it",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, Units: after[1:]}, Earlier: []plan.Left{{Cluster: "a", State: failed}}},
			want:   plan.Decision{Start: []int{1}, Blocked: []plan.Blocked{{Unit: 0, Why: "b goes after a, which failed"}}},
		},
		"a rollback goes past what did not go well": {
			reason: "a cluster that cannot go back must not keep the next one on the bad version",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, Units: after}, MaxFailures: 1, Anyhow: true},
			states: states{failed},
			want:   plan.Decision{Start: []int{1, 2}},
		},
		"a window whose units have all ended is done": {
			reason: "also where some ended badly within the budgets",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, Units: after}, MaxFailures: 1, MaxUnreachable: 1},
			states: states{failed, away, well},
			want:   plan.Decision{Done: true},
		},
		"a window whose last unit failed beyond the budget is done and held": {
			reason: "nobody may take the end of a stage for its success",
			window: plan.Window{Group: plan.Group{MaxConcurrency: 3, Units: units("a", "b")}},
			states: states{well, failed},
			want:   plan.Decision{Done: true, Held: "1 unit failed, maxFailures is 0"},
		},
		"an empty window is done": {
			reason: "R13: nothing must wait for nobody",
			want:   plan.Decision{Done: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.window.Next(tc.states)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// anyWindow draws a group whose units go after earlier ones only, as Build makes it.
func anyWindow() *rapid.Generator[plan.Window] {
	return rapid.Custom(func(t *rapid.T) plan.Window {
		n := rapid.IntRange(1, 12).Draw(t, "units")
		w := plan.Window{Group: plan.Group{
			MaxConcurrency: rapid.IntRange(1, 5).Draw(t, "at once"),
			FirstAlone:     rapid.Bool().Draw(t, "first alone"),
		}}
		for i := range n {
			u := plan.Unit{Cluster: fmt.Sprintf("c%02d", i), Group: fmt.Sprintf("g%d", i/4)}
			for j := range i {
				if rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
					u.After = append(u.After, fmt.Sprintf("c%02d", j))
				}
			}
			if i >= 4 && rapid.IntRange(0, 3).Draw(t, "group edge") == 0 {
				u.AfterGroups = []string{"g0"}
			}
			w.Group.Units = append(w.Group.Units, u)
		}
		return w
	})
}

// drive runs a window to its end: at each turn, it starts what may start and lets a random running unit end as end says.
func drive(t *rapid.T, w plan.Window, end func(i int) plan.State) (started []int, states []plan.State) {
	states = make([]plan.State, len(w.Group.Units))
	for {
		d := w.Next(states)
		if again := w.Next(slices.Clone(states)); !cmp.Equal(d, again) {
			t.Fatalf("the same question has two answers: %+v and %+v", d, again)
		}
		for _, i := range d.Start {
			if states[i] != plan.Pending {
				t.Fatalf("%s is started and is %s", w.Group.Units[i].Cluster, states[i])
			}
			checkMayStart(t, w, states, i)
			states[i] = plan.Running
			started = append(started, i)
		}
		var running []int
		for i, s := range states {
			if s == plan.Running {
				running = append(running, i)
			}
		}
		if len(running) > w.Group.MaxConcurrency {
			t.Fatalf("%d units run at once, at most %d may", len(running), w.Group.MaxConcurrency)
		}
		if w.Group.FirstAlone && len(running) > 1 && !slices.Contains(states, plan.Succeeded) {
			t.Fatalf("%d units run and none has succeeded yet", len(running))
		}
		if len(running) == 0 {
			return started, states
		}
		i := rapid.SampledFrom(running).Draw(t, "ends")
		states[i] = end(i)
	}
}

func checkMayStart(t *rapid.T, w plan.Window, states []plan.State, i int) {
	u := w.Group.Units[i]
	for j, other := range w.Group.Units {
		waits := slices.Contains(u.After, other.Cluster) || slices.Contains(u.AfterGroups, other.Group)
		well := states[j] == plan.Succeeded || states[j] == plan.Skipped
		ended := well || states[j] == plan.Failed || states[j] == plan.Unreachable
		if waits && !well && !(w.Anyhow && ended) {
			t.Fatalf("%s starts, and %s, which it goes after, is %q", u.Cluster, other.Cluster, states[j])
		}
	}
}

func TestWindowStartsEveryUnitOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWindow().Draw(t, "window")
		started, states := drive(t, w, func(int) plan.State {
			return rapid.SampledFrom([]plan.State{plan.Succeeded, plan.Skipped}).Draw(t, "end")
		})
		slices.Sort(started)
		if len(slices.Compact(started)) != len(w.Group.Units) {
			t.Fatalf("%d of %d units were started", len(started), len(w.Group.Units))
		}
		if !w.Next(states).Done {
			t.Fatal("all units have ended and the window is not done")
		}
	})
}

func TestWindowKeepsItsBudgets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWindow().Draw(t, "window")
		w.MaxFailures = rapid.IntRange(0, 4).Draw(t, "failures")
		w.MaxUnreachable = rapid.IntRange(0, 4).Draw(t, "unreachable")
		w.Anyhow = rapid.Bool().Draw(t, "anyhow")
		started, states := drive(t, w, func(int) plan.State {
			return rapid.SampledFrom([]plan.State{plan.Succeeded, plan.Succeeded, plan.Failed, plan.Unreachable}).Draw(t, "end")
		})
		failed, away := 0, 0
		for _, s := range states {
			if s == plan.Failed {
				failed++
			}
			if s == plan.Unreachable {
				away++
			}
		}
		// At the time a budget is overdrawn, the units that run already may still end badly.
		if failed > w.MaxFailures+w.Group.MaxConcurrency || away > w.MaxUnreachable+w.Group.MaxConcurrency {
			t.Fatalf("%d failed and %d are out of reach", failed, away)
		}
		d := w.Next(states)
		overdrawn := failed > w.MaxFailures || away > w.MaxUnreachable
		pending := len(w.Group.Units) - len(started)
		if (d.Held != "") != overdrawn {
			t.Fatalf("held because %q, with %d failed, %d out of reach and %d pending", d.Held, failed, away, pending)
		}
		if d.Done != (pending == 0) {
			t.Fatalf("done is %v with %d pending", d.Done, pending)
		}
		if pending > 0 && d.Held == "" && len(d.Blocked) != pending {
			t.Fatalf("%d units are pending, nothing runs, and of %d it is said why", pending, len(d.Blocked))
		}
	})
}
