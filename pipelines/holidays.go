package pipelines

import "sluice.dev/sluice/pipelines/calendar"

// Calendar is a list of holidays, written once for all windows that name it.
type Calendar struct {
	Metadata Metadata     `json:"metadata"`
	Spec     CalendarSpec `json:"spec"`
	Position Position     `json:"-"`
}

// CalendarSpec is the body of a Calendar.
type CalendarSpec struct {
	Description string    `json:"description,omitempty"`
	Holidays    []Holiday `json:"holidays" items:"1..500"`
}

// Holiday is a day, or some in a row, in the time zone of the window that names it.
type Holiday struct {
	Name string `json:"name,omitempty"`
	From string `json:"from" is:"date"`         // 2026-12-24
	To   string `json:"to,omitempty" is:"date"` // the last day; default from
}

// holidays is the period of all of them. An error is about the field holidays.
func holidays(all []Holiday) (calendar.Period, string, error) {
	periods := make([]calendar.Period, 0, len(all))
	for _, h := range all {
		p, err := calendar.Dates(h.From, h.To)
		if err != nil {
			return nil, "holidays", err
		}
		periods = append(periods, p)
	}
	return calendar.Any(periods...), "", nil
}

// calendar checks a list of holidays.
func (l *linter) calendar(c *Calendar, at spot) {
	l.holidays(c.Spec.Holidays, at.at("spec", "holidays"))
}

func (l *linter) holidays(all []Holiday, at spot) {
	for i, h := range all {
		if _, err := calendar.Dates(h.From, h.To); err != nil && h.From != "" {
			l.report.addAt(at.at(i), "%v", err)
		}
	}
}

// withHolidays returns the kinds of a step with the days of the calendars that its windows name.
func (d *Documents) withHolidays(k StepKinds) StepKinds {
	if k.Window == nil {
		return k
	}
	w := *k.Window
	w.Allow, w.Deny = d.filled(w.Allow), d.filled(w.Deny)
	k.Window = &w
	return k
}

func (d *Documents) filled(windows []TimeWindow) []TimeWindow {
	var out []TimeWindow
	for _, w := range windows {
		var days []Holiday
		for _, name := range w.Calendars {
			if c, ok := d.Calendars[name]; ok {
				days = append(days, c.Spec.Holidays...)
			}
		}
		w.Holidays = append(days, w.Holidays...)
		out = append(out, w)
	}
	return out
}
