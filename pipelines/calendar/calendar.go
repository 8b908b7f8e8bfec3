// Package calendar says when changes are allowed: by windows that allow them and windows that deny them, in one time zone. An answer
// is a function of the instant it is about and of nothing else: the package reads no clock, so that a clock that jumps changes no
// answer. It knows no run and holds nobody up.
//
// The clock on the wall decides. Where it is put forward, a range of hours is shorter by what is left out; where it is put back, what
// it shows twice counts twice. See Weekly, Cron and Dates for each form.
package calendar

import (
	"slices"
	"time"
)

// Action is what somebody wants to do to a run.
type Action string

// The actions. Pausing and approving move nothing: no window speaks of them.
const (
	Start    Action = "start"    // of a run
	Advance  Action = "advance"  // to the next batch, cluster, group or stage
	Resume   Action = "resume"   // of what was paused or held
	Rollback Action = "rollback" // to what ran before
	Abort    Action = "abort"
)

// Actions lists every action.
func Actions() []Action { return []Action{Start, Advance, Resume, Rollback, Abort} }

// Onward are the actions that a window speaks of where it names none. What takes a change back, or ends it, is held only by a window
// that names it.
func Onward() []Action { return []Action{Start, Advance, Resume} }

// Invoker is the kind of whoever wants it.
type Invoker string

// The invokers.
const (
	Person    Invoker = "person"
	CI        Invoker = "ci"        // a job of a build system
	Automatic Invoker = "automatic" // Sluice, by its own rules
)

// Invokers lists every invoker.
func Invokers() []Invoker { return []Invoker{Person, CI, Automatic} }

// Window is a period of time, and whom it concerns in it.
type Window struct {
	Name     string
	Period   Period
	Actions  []Action  // default Onward
	Invokers []Invoker // default all
}

// speaksOf reports whether the window is about an action.
func (w Window) speaksOf(a Action) bool {
	if len(w.Actions) == 0 {
		return slices.Contains(Onward(), a)
	}
	return slices.Contains(w.Actions, a)
}

// concerns reports whether the window is about an invoker.
func (w Window) concerns(i Invoker) bool {
	return len(w.Invokers) == 0 || slices.Contains(w.Invokers, i)
}

// Period is time in pieces, such as the nights of weekdays: one of Weekly, Cron and Dates.
type Period interface {
	// covers reports whether an instant, given in the zone of the calendar, lies within; and an instant after it before which that
	// does not change.
	covers(at time.Time) (within bool, until time.Time)
}

// Calendar is windows in a time zone. It is safe for concurrent use.
type Calendar struct {
	zone  *time.Location
	allow []Window
	deny  []Window
}

// New returns the calendar of windows that allow and of windows that deny.
func New(zone *time.Location, allow, deny []Window) *Calendar {
	return &Calendar{zone: zone, allow: allow, deny: deny}
}

// Zone is the time zone of the windows.
func (c *Calendar) Zone() *time.Location { return c.zone }
