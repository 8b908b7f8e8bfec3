package plan

import (
	"fmt"
)

// State is how far a unit of a group is, as far as it matters to the others.
type State string

// The states of a unit. The zero value is Pending.
const (
	Pending     State = ""
	Running     State = "Running"     // takes a slot: it moves, soaks, checks or is held while it may still go on
	Succeeded   State = "Succeeded"   // ended well
	Skipped     State = "Skipped"     // a person took it out: it holds nobody up and proves nothing
	Failed      State = "Failed"      // stopped; counts against maxFailures
	Unreachable State = "Unreachable" // cannot be looked at; counts against maxUnreachable and takes no slot
	Frozen      State = "Frozen"      // a freeze keeps it from starting: it takes no slot, and what goes after it waits
)

// blocked is the state of a pending unit behind one that has ended badly. It exists within one Decision only.
const blocked State = "blocked"

// ended reports whether a unit needs no slot now.
func (s State) ended() bool { return s != Pending && s != Running && s != Frozen }

// Window decides which units of a group may start. It is arithmetic over what it is given: equal input, equal answer, so
// that workflow code may ask it.
type Window struct {
	Group          Group
	MaxFailures    int    // of the whole stage
	MaxUnreachable int    // of the whole stage
	MaxRunFailures *int   // of the whole run; nil without a bound
	Earlier        []Left // what earlier groups and stages left behind
	// Anyhow lets a unit start once those it goes after have ended, well or not. It is how a rollback goes: a cluster that
	// cannot be brought back must not keep the next one on the bad version.
	Anyhow bool
}

// Left is a unit of an earlier group or stage that did not end well. Those of this stage count against its budgets.
type Left struct {
	Cluster   string
	Group     string // cluster group
	State     State  // Failed or Unreachable
	SameStage bool
}

// Decision is what may happen now.
type Decision struct {
	Start   []int     // indices into Group.Units, in the order in which they start
	Held    string    // which budget is overdrawn, so that nothing starts, neither here nor in what comes after; "" where none is
	Blocked []Blocked // units that cannot start until somebody acts on another one
	Frozen  []int     // units that a freeze keeps from starting
	Done    bool      // every unit has ended; well enough only where Held is empty
}

// Blocked is a pending unit behind one that has ended badly, or behind another blocked one.
type Blocked struct {
	Unit int // index into Group.Units
	Why  string
}

// Window returns the window of group i of the stage.
func (s *StagePlan) Window(i int, earlier []Left) Window {
	return Window{Group: s.Groups[i], MaxFailures: s.MaxFailures, MaxUnreachable: s.MaxUnreachable, Earlier: earlier}
}

// Next returns what may start now. States belong to Group.Units by index; a missing one is Pending. The caller marks what it
// starts as Running before it asks again.
func (w Window) Next(states []State) Decision {
	now := w.count(states)
	d := Decision{Held: w.held(now), Done: now.ended == len(w.Group.Units)}
	if d.Done {
		return d
	}
	slots := max(w.Group.MaxConcurrency, 1)
	if w.Group.FirstAlone && now.succeeded == 0 {
		slots = 1
	}
	if d.Held != "" {
		slots = 0
	}
	waits := newWaits(w)
	for i, u := range w.Group.Units {
		state := stateOf(states, i)
		if state == Pending {
			why := waits.bad(u)
			if why != "" {
				d.Blocked = append(d.Blocked, Blocked{i, why})
				state = blocked
			}
			if why == "" && now.running < slots && waits.ready(u) {
				d.Start = append(d.Start, i)
				state = Running
				now.running++
			}
		}
		if state == Frozen {
			d.Frozen = append(d.Frozen, i)
		}
		waits.add(Left{Cluster: u.Cluster, Group: u.Group, State: state})
	}
	return d
}

// tally counts the units of a window, and with them those of earlier groups of the stage that ended badly.
type tally struct{ running, ended, succeeded, failed, unreachable, ofGroup, ofRun int }

func (w Window) count(states []State) tally {
	var t tally
	for i := range w.Group.Units {
		s := stateOf(states, i)
		if s.ended() {
			t.ended++
		}
		switch s {
		case Running:
			t.running++
		case Succeeded:
			t.succeeded++
		case Failed:
			t.failed++
			t.ofGroup++
			t.ofRun++
		case Unreachable:
			t.unreachable++
		}
	}
	for _, l := range w.Earlier {
		if l.State == Failed {
			t.ofRun++
		}
		if l.SameStage && l.State == Failed {
			t.failed++
		}
		if l.SameStage && l.State == Unreachable {
			t.unreachable++
		}
	}
	return t
}

func (w Window) held(now tally) string {
	switch {
	case now.failed > w.MaxFailures:
		return fmt.Sprintf("%s failed, maxFailures is %d", count(now.failed, "unit"), w.MaxFailures)
	case w.Group.MaxFailures != nil && now.ofGroup > *w.Group.MaxFailures:
		return fmt.Sprintf("%s of group %s failed, maxGroupFailures is %d", count(now.ofGroup, "unit"), w.Group.Name, *w.Group.MaxFailures)
	case w.MaxRunFailures != nil && now.ofRun > *w.MaxRunFailures:
		return fmt.Sprintf("%s of the run failed, its maxFailures is %d", count(now.ofRun, "unit"), *w.MaxRunFailures)
	case now.unreachable > w.MaxUnreachable:
		return fmt.Sprintf("%s out of reach, maxUnreachable is %d", count(now.unreachable, "unit"), w.MaxUnreachable)
	default:
		return ""
	}
}

func stateOf(states []State, i int) State {
	if i < len(states) {
		return states[i]
	}
	return Pending
}

// waits answers what a unit's After and AfterGroups have come to, among the units that stand before it: those are all it can
// wait for, so no declaration can make units wait for each other. It looks maps up and never walks them.
type waits struct {
	anyhow   bool
	clusters map[string]State // not ended well
	groups   map[string]int   // units of a cluster group that have not ended well
	first    map[string]Left  // of a cluster group, its first unit that has ended badly or cannot start
}

func newWaits(w Window) waits {
	x := waits{anyhow: w.Anyhow, clusters: map[string]State{}, groups: map[string]int{}, first: map[string]Left{}}
	for _, l := range w.Earlier {
		x.add(l)
	}
	return x
}

func (x waits) add(l Left) {
	if l.State == Succeeded || l.State == Skipped || (x.anyhow && l.State.ended()) {
		return
	}
	x.clusters[l.Cluster] = l.State
	x.groups[l.Group]++
	if _, seen := x.first[l.Group]; !seen && l.State.ended() {
		x.first[l.Group] = l
	}
}

func (x waits) ready(u Unit) bool {
	for _, name := range u.After {
		if _, open := x.clusters[name]; open {
			return false
		}
	}
	for _, name := range u.AfterGroups {
		if x.groups[name] > 0 {
			return false
		}
	}
	return true
}

func (x waits) bad(u Unit) string {
	for _, name := range u.After {
		if s, open := x.clusters[name]; open && s.ended() {
			return fmt.Sprintf("%s goes after %s, which %s", u.Cluster, name, word(s))
		}
	}
	for _, name := range u.AfterGroups {
		if l, open := x.first[name]; open {
			return fmt.Sprintf("%s goes after cluster group %s, in which %s %s", u.Cluster, name, l.Cluster, word(l.State))
		}
	}
	return ""
}

func word(s State) string {
	switch s {
	case Unreachable:
		return "is out of reach"
	case blocked:
		return "cannot start"
	default:
		return "failed"
	}
}
