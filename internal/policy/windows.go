package policy

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

// departs says in what a step departs from a window that must be kept; "" where it keeps it. It has to be in the same time zone, allow
// exactly what is allowed, and deny at least what is denied; one that is stricter has a step of its own beside it.
func departs(c *pipelines.ResolvedCheck, s pipelines.ResolvedStep, floor *pipelines.Window) string {
	step, err := c.Expanded(s)
	if err != nil {
		return fmt.Sprintf("%s, which only a run knows", s.Name)
	}
	w := step.Window
	switch {
	case w.TimeZone != floor.TimeZone:
		return fmt.Sprintf("%s, in %s", s.Name, w.TimeZone)
	case floor.InFlight != pipelines.Finish && w.InFlight == pipelines.Finish:
		return fmt.Sprintf("%s, with inFlight: Finish", s.Name)
	case !eachIn(floor.Allow, w.Allow, same):
		return fmt.Sprintf("%s, which does not ask for %s", s.Name, missing(floor.Allow, w.Allow, same))
	case len(floor.Allow) > 0 && !eachIn(w.Allow, floor.Allow, same):
		return fmt.Sprintf("%s, which allows %s too", s.Name, missing(w.Allow, floor.Allow, same))
	case !eachIn(floor.Deny, w.Deny, covers):
		return fmt.Sprintf("%s, which does not deny %s", s.Name, missing(floor.Deny, w.Deny, covers))
	}
	return ""
}

// eachIn reports whether for each of some windows there is one among others of which kept holds.
func eachIn(all, among []pipelines.TimeWindow, kept func(floor, by *pipelines.TimeWindow) bool) bool {
	return !slices.ContainsFunc(all, func(w pipelines.TimeWindow) bool { return !isIn(&w, among, kept) })
}

func isIn(w *pipelines.TimeWindow, among []pipelines.TimeWindow, kept func(floor, by *pipelines.TimeWindow) bool) bool {
	return slices.ContainsFunc(among, func(by pipelines.TimeWindow) bool { return kept(w, &by) })
}

// missing names the first of some windows that eachIn does not find.
func missing(all, among []pipelines.TimeWindow, kept func(floor, by *pipelines.TimeWindow) bool) string {
	i := slices.IndexFunc(all, func(w pipelines.TimeWindow) bool { return !isIn(&w, among, kept) })
	return all[i].Called()
}

// same reports whether two windows say the same, whatever they are called.
func same(a, b *pipelines.TimeWindow) bool { return covers(a, b) && covers(b, a) }

// covers reports whether a window is about all of the time, the actions and the invokers that another is about.
func covers(floor, by *pipelines.TimeWindow) bool {
	if floor.Schedule != by.Schedule || floor.Duration != by.Duration || floor.Days != by.Days || floor.From != by.From || floor.To != by.To {
		return false
	}
	return !slices.ContainsFunc(floor.Holidays, func(h pipelines.Holiday) bool { return !isHoliday(h, by.Holidays) }) &&
		subset(actions(floor), actions(by)) && subset(invokers(floor), invokers(by))
}

func isHoliday(h pipelines.Holiday, among []pipelines.Holiday) bool {
	return slices.ContainsFunc(among, func(o pipelines.Holiday) bool { return o.From == h.From && o.To == h.To })
}

func actions(w *pipelines.TimeWindow) []pipelines.WindowAction {
	return orAll(w.Actions, calendar.Onward())
}

func invokers(w *pipelines.TimeWindow) []pipelines.Invoker {
	return orAll(w.Invokers, calendar.Invokers())
}

// orAll is a list, or what holds where it is empty.
func orAll[T, D ~string](list []T, otherwise []D) []T {
	if len(list) > 0 {
		return list
	}
	all := make([]T, len(otherwise))
	for i, o := range otherwise {
		all[i] = T(o)
	}
	return all
}

func subset[T ~string](all, among []T) bool {
	return !slices.ContainsFunc(all, func(one T) bool { return !slices.Contains(among, one) })
}

func windowText(w *pipelines.Window) string {
	text := w.TimeZone
	for i := range w.Allow {
		text += ", allow " + w.Allow[i].Called()
	}
	for i := range w.Deny {
		text += ", deny " + w.Deny[i].Called()
	}
	return text
}
