package pipelines

import (
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/calendar"
)

// Window is a step that holds a unit while changes are not allowed: within a window that denies them, or outside of those that allow
// them. It passes as soon as they are; a window that is closed fails nothing. Deny beats allow; without allow, what is not denied is
// allowed. Before a run the action is start, at any other point advance.
type Window struct {
	TimeZone string       `json:"timeZone" is:"text"` // IANA name, such as Europe/Berlin, or UTC
	Allow    []TimeWindow `json:"allow,omitempty" items:"1..20"`
	Deny     []TimeWindow `json:"deny,omitempty" items:"1..20"`
	InFlight InFlight     `json:"inFlight,omitempty"` // default PauseAtBoundary
}

// TimeWindow is time in pieces, and whom it concerns: after a schedule, or hours of weekdays, or holidays.
type TimeWindow struct {
	Name     string   `json:"name,omitempty" is:"name"`     // in answers; default what it says
	Schedule string   `json:"schedule,omitempty" is:"text"` // cron of five fields, by the clock on the wall; with duration
	Duration Duration `json:"duration,omitempty"`           // 1m to 31d, as time that passes
	Days     string   `json:"days,omitempty" is:"text"`     // Mon-Fri, or Sat,Sun; default every day
	From     string   `json:"from,omitempty" is:"text"`     // 09:00; with to. After to: until the day after
	To       string   `json:"to,omitempty" is:"text"`       // 17:00, at most 24:00
	// whole days; those of calendars are added
	Holidays []Holiday `json:"holidays,omitempty" items:"1..500"`
	// names of Calendars, whose days are holidays here
	Calendars []string       `json:"calendars,omitempty" is:"name" items:"1..5"`
	Actions   []WindowAction `json:"actions,omitempty" items:"1..5"`  // default start, advance, resume
	Invokers  []Invoker      `json:"invokers,omitempty" items:"1..3"` // default all
}

// InFlight says what becomes of a unit that has begun when a window closes.
type InFlight string

// Finish lets it go on through all of its batches. PauseAtBoundary holds it before its next batch.
const (
	Finish          InFlight = "Finish"
	PauseAtBoundary InFlight = "PauseAtBoundary"
)

func (InFlight) values() []string { return []string{string(Finish), string(PauseAtBoundary)} }

// WindowAction is what a window allows or denies: start and advance of a run, its resume, and rollback and abort, which pass where no
// window names them.
type WindowAction string

func (WindowAction) values() []string { return texts(calendar.Actions()) }

// Invoker is the kind of whoever wants it: the one who started the run, or gave the command.
type Invoker string

func (Invoker) values() []string { return texts(calendar.Invokers()) }

func texts[T ~string](of []T) []string {
	out := make([]string, 0, len(of))
	for _, one := range of {
		out = append(out, string(one))
	}
	return out
}

// Calendar makes of the step what answers questions. Texts must have no names in them that stand for values.
func (w *Window) Calendar() (*calendar.Calendar, error) {
	zone, err := calendar.Zone(w.TimeZone)
	if err != nil {
		return nil, err
	}
	allow, err := windowsOf(w.Allow)
	if err != nil {
		return nil, err
	}
	deny, err := windowsOf(w.Deny)
	if err != nil {
		return nil, err
	}
	return calendar.New(zone, allow, deny), nil
}

func windowsOf(all []TimeWindow) ([]calendar.Window, error) {
	out := make([]calendar.Window, 0, len(all))
	for i := range all {
		w := &all[i]
		period, _, err := w.period()
		if err != nil {
			return nil, fmt.Errorf("window %s: %w", w.Called(), err)
		}
		one := calendar.Window{Name: w.Called(), Period: period}
		for _, a := range w.Actions {
			one.Actions = append(one.Actions, calendar.Action(a))
		}
		for _, i := range w.Invokers {
			one.Invokers = append(one.Invokers, calendar.Invoker(i))
		}
		out = append(out, one)
	}
	return out, nil
}

// Called is the window's name, or what it says.
func (w *TimeWindow) Called() string {
	switch {
	case w.Name != "":
		return w.Name
	case w.Schedule != "":
		return fmt.Sprintf("%q for %s", w.Schedule, w.Duration)
	case len(w.Calendars) > 0:
		return "holidays of " + strings.Join(w.Calendars, ", ")
	case len(w.Holidays) > 0:
		return "holidays"
	}
	days, hours := "every day", ""
	if w.Days != "" {
		days = w.Days
	}
	if w.From != "" || w.To != "" {
		hours = " " + w.From + "-" + w.To
	}
	return days + hours
}

// forms are the fields of each form of a window, its own first.
func (w *TimeWindow) forms() map[string][]string {
	given := map[string][]string{}
	for _, f := range []struct {
		form, field string
		set         bool
	}{
		{"schedule", "schedule", w.Schedule != ""}, {"schedule", "duration", w.Duration != 0},
		{"days", "days", w.Days != ""}, {"days", "from", w.From != ""}, {"days", "to", w.To != ""},
		{"holidays", "holidays", len(w.Holidays) > 0}, {"holidays", "calendars", len(w.Calendars) > 0},
	} {
		if f.set {
			given[f.form] = append(given[f.form], f.field)
		}
	}
	return given
}

// period is the time of the window. An error comes with the field that is wrong.
func (w *TimeWindow) period() (p calendar.Period, field string, err error) {
	forms := w.forms()
	switch {
	case len(forms) == 0:
		return nil, "", fmt.Errorf("the window says no time: give schedule and duration, or days, from and to, or holidays or calendars")
	case len(forms) > 1:
		return nil, "", fmt.Errorf("a window has one form: schedule with duration, or days, from and to, or holidays; write a window for each")
	case forms["schedule"] != nil:
		if w.Schedule == "" {
			return nil, "duration", fmt.Errorf("a duration without schedule has no beginning")
		}
		p, err = calendar.Cron(w.Schedule, w.Duration.Std())
		return p, "schedule", err
	case forms["holidays"] != nil:
		return holidays(w.Holidays)
	}
	p, err = calendar.Weekly(w.Days, w.From, w.To)
	return p, forms["days"][0], err
}

// given reports whether every text is there: none waits for a value.
func (w *TimeWindow) given() bool {
	return !slices.ContainsFunc([]string{w.Schedule, w.Days, w.From, w.To}, waitsForValue)
}

func waitsForValue(text string) bool { return namedText.MatchString(text) }
