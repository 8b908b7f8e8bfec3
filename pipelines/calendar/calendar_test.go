package calendar_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/pipelines/calendar"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := calendar.Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func weekly(t *testing.T, days, from, to string) calendar.Period {
	t.Helper()
	p, err := calendar.Weekly(days, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func cron(t *testing.T, expression string, lasts time.Duration) calendar.Period {
	t.Helper()
	p, err := calendar.Cron(expression, lasts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func dates(t *testing.T, first, last string) calendar.Period {
	t.Helper()
	p, err := calendar.Dates(first, last)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOnePeriod(t *testing.T) {
	office := weekly(t, "Mon-Fri", "09:00", "17:00")
	for reason, c := range map[string]struct {
		zone   string
		period calendar.Period
		at     string
		open   bool
		until  string // "" for never
	}{
		"it opens at the minute":           {"Europe/Berlin", office, "2026-11-27T09:00:00+01:00", true, "2026-11-27T17:00:00+01:00"},
		"a moment before it is closed":     {"Europe/Berlin", office, "2026-11-27T08:59:59.999999999+01:00", false, "2026-11-27T09:00:00+01:00"},
		"it is closed as the minute comes": {"Europe/Berlin", office, "2026-11-27T17:00:00+01:00", false, "2026-11-30T09:00:00+01:00"},
		"the zone decides, not the offset of the question": {
			"Europe/Berlin", office, "2026-11-27T03:30:00-05:00", true, "2026-11-27T17:00:00+01:00"},
		"a night belongs to the day on which it begins": {
			"UTC", weekly(t, "Fri", "22:00", "06:00"), "2026-11-28T05:59:00Z", true, "2026-11-28T06:00:00Z"},
		"the night before does not": {
			"UTC", weekly(t, "Fri", "22:00", "06:00"), "2026-11-27T05:59:00Z", false, "2026-11-27T22:00:00Z"},
		"the night of Saturday ends in the next week": {
			"UTC", weekly(t, "Sat", "22:00", "06:00"), "2026-11-29T01:00:00Z", true, "2026-11-29T06:00:00Z"},
		"24:00 is the end of the day, and days that meet are one": {
			"UTC", weekly(t, "Sat,Sun", "00:00", "24:00"), "2026-11-28T12:00:00Z", true, "2026-11-30T00:00:00Z"},
		"a range of days goes round the week": {"UTC", weekly(t, "Fri-Mon", "", ""), "2026-11-27T00:00:00Z", true, "2026-12-01T00:00:00Z"},
		"every day, all day, never closes":    {"Europe/Berlin", weekly(t, "", "", ""), "2026-11-27T00:00:00Z", true, ""},

		"the hour that is left out shortens a range": {
			"Europe/Berlin", weekly(t, "Sun", "01:30", "03:30"), "2026-03-29T01:30:00+01:00", true, "2026-03-29T03:30:00+02:00"},
		"a range that is left out whole is not open that day": {
			"Europe/Berlin", weekly(t, "Sun", "02:10", "02:50"), "2026-03-29T01:00:00+01:00", false, "2026-04-05T02:10:00+02:00"},
		"a range begins as the clock is put forward into it": {
			"Europe/Berlin", weekly(t, "Sun", "02:30", "03:30"), "2026-03-29T01:00:00+01:00", false, "2026-03-29T03:00:00+02:00"},
		"a range within the hour that comes twice is open twice: the first time": {
			"Europe/Berlin", weekly(t, "Sun", "02:10", "02:50"), "2026-10-25T02:10:00+02:00", true, "2026-10-25T02:50:00+02:00"},
		"a range within the hour that comes twice is open twice: in between": {
			"Europe/Berlin", weekly(t, "Sun", "02:10", "02:50"), "2026-10-25T02:50:00+02:00", false, "2026-10-25T02:10:00+01:00"},
		"a range over the hour that comes twice is an hour longer": {
			"America/New_York", weekly(t, "Sun", "00:00", "04:00"), "2026-11-01T00:00:00-04:00", true, "2026-11-01T04:00:00-05:00"},
		"the south puts its clocks forward in spring too": {
			"America/Santiago", weekly(t, "Sun", "00:00", "02:00"), "2026-09-05T23:00:00-04:00", false, "2026-09-06T01:00:00-03:00"},
		"half an hour is put forward on Lord Howe": {
			"Australia/Lord_Howe", weekly(t, "Sun", "02:15", "02:45"), "2026-10-04T01:00:00+10:30", false, "2026-10-04T02:30:00+11:00"},
		"half an hour comes twice on Lord Howe": {
			"Australia/Lord_Howe", weekly(t, "Sun", "01:00", "03:00"), "2026-04-05T01:00:00+11:00", true, "2026-04-05T03:00:00+10:30"},
		"Samoa had no Friday in the last week of 2011": {
			"Pacific/Apia", weekly(t, "Fri", "", ""), "2011-12-29T23:00:00-10:00", false, "2012-01-06T00:00:00+14:00"},
		"nor a holiday on it": {"Pacific/Apia", dates(t, "2011-12-30", ""), "2011-12-29T23:00:00-10:00", false, ""},

		"a schedule lasts time that passes": {
			"Europe/Berlin", cron(t, "0 22 * * 6", 8*time.Hour), "2026-03-28T22:00:00+01:00", true, "2026-03-29T07:00:00+02:00"},
		"what a schedule begins in the hour left out begins as it ends": {
			"Europe/Berlin", cron(t, "30 2 * * 0", time.Hour), "2026-03-29T01:00:00+01:00", false, "2026-03-29T03:00:00+02:00"},
		"and lasts as long": {
			"Europe/Berlin", cron(t, "30 2 * * 0", time.Hour), "2026-03-29T03:00:00+02:00", true, "2026-03-29T04:00:00+02:00"},
		"what a schedule begins in the hour that comes twice begins twice": {
			"Europe/Berlin", cron(t, "30 2 * * 0", time.Hour), "2026-10-25T02:30:00+02:00", true, "2026-10-25T03:30:00+01:00"},
		"a day that is left out begins nothing": {
			"Pacific/Apia", cron(t, "0 9 * * 5", 8*time.Hour), "2011-12-29T18:00:00-10:00", false, "2012-01-06T09:00:00+14:00"},
		"one beginning lasts into the next": {"UTC", cron(t, "0 * * * *", 90*time.Minute), "2026-11-27T00:00:00Z", true, ""},
		"day of month or day of week, as in every cron": {
			"UTC", cron(t, "0 0 13 * 5", 24*time.Hour), "2026-11-11T00:00:00Z", false, "2026-11-13T00:00:00Z"},
		"once a year is found": {
			"UTC", cron(t, "0 0 1 1 *", time.Hour), "2026-01-01T01:00:00Z", false, "2027-01-01T00:00:00Z"},
		"the 30th of February never comes": {"UTC", cron(t, "0 0 30 2 *", time.Hour), "2026-01-01T01:00:00Z", false, ""},

		"a holiday is the whole day of the zone": {
			"Pacific/Chatham", dates(t, "2026-12-25", "2026-12-26"), "2026-12-24T10:15:00Z", true, "2026-12-26T10:15:00Z"},
		"a holiday of a day without midnight begins at one": {
			"America/Santiago", dates(t, "2026-09-06", ""), "2026-09-05T23:00:00-04:00", false, "2026-09-06T01:00:00-03:00"},
	} {
		t.Run(reason, func(t *testing.T) {
			windows := calendar.New(zone(t, c.zone), []calendar.Window{{Name: "it", Period: c.period}}, nil)
			got := windows.Ask(instant(t, c.at), calendar.Advance, calendar.Person)
			var until time.Time
			if c.until != "" {
				until = instant(t, c.until)
			}
			if got.Allowed != c.open || !got.Until.Equal(until) {
				t.Errorf("open %v until %s, want %v until %s", got.Allowed, got.Until, c.open, until)
			}
		})
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	always, never := weekly(t, "", "", ""), cron(t, "0 0 30 2 *", time.Hour)
	win := func(name string, p calendar.Period, actions []calendar.Action, invokers ...calendar.Invoker) calendar.Window {
		return calendar.Window{Name: name, Period: p, Actions: actions, Invokers: invokers}
	}
	type windows = []calendar.Window
	for reason, c := range map[string]struct {
		allow, deny windows
		action      calendar.Action
		by          calendar.Invoker
		want        string
	}{
		"no windows hold nobody": {nil, nil, calendar.Advance, calendar.Person, "open: no window speaks of it"},
		"deny beats allow": {windows{win("a", always, nil)}, windows{win("d", always, nil)}, calendar.Advance, calendar.Person,
			"closed: denied by d; it does not open before Tue 2028-01-04 00:00 UTC"},
		"without an allow window what is not denied is allowed": {nil, windows{win("d", never, nil)}, calendar.Advance, calendar.Person,
			"open: no window denies it"},
		"a window that never opens says so": {windows{win("a", never, nil)}, nil, calendar.Start, calendar.CI,
			"closed: outside of a; it does not open before Tue 2028-01-04 00:00 UTC"},
		"rollback passes where nobody names it": {windows{win("a", never, nil)}, windows{win("d", always, nil)}, calendar.Rollback,
			calendar.Person, "open: no window speaks of it"},
		"abort passes where nobody names it": {windows{win("a", never, nil)}, windows{win("d", always, nil)}, calendar.Abort,
			calendar.Automatic, "open: no window speaks of it"},
		"rollback is denied where a window names it": {nil, windows{win("d", always, []calendar.Action{calendar.Rollback})}, calendar.Rollback,
			calendar.Person, "closed: denied by d; it does not open before Tue 2028-01-04 00:00 UTC"},
		"a window that names rollback leaves the rest alone": {nil, windows{win("d", always, []calendar.Action{calendar.Rollback})},
			calendar.Advance, calendar.Person, "open: no window speaks of it"},
		"an allow window for the start leaves what goes on alone": {windows{win("a", never, []calendar.Action{calendar.Start})}, nil,
			calendar.Advance, calendar.Person, "open: no window speaks of it"},
		"a deny window for automation leaves people alone": {nil, windows{win("d", always, nil, calendar.Automatic, calendar.CI)},
			calendar.Advance, calendar.Person, "open: no window speaks of it"},
		"an allow window for people does not let automation in": {windows{win("a", always, nil, calendar.Person)}, nil, calendar.Advance,
			calendar.Automatic, "closed: not even a allows it to automatic; it does not open before Tue 2028-01-04 00:00 UTC"},
		"a window closes as a denial begins": {windows{win("a", always, nil)}, windows{win("d", weekly(t, "Mon", "09:00", "10:00"), nil)},
			calendar.Advance, calendar.Person, "open: allowed by a; it closes Mon 2026-11-30 09:00 UTC"},
		"a window is open while any is": {windows{win("a", weekly(t, "Mon", "00:00", "09:00"), nil), win("b", weekly(t, "Mon", "00:00", "08:00"), nil)}, nil,
			calendar.Advance, calendar.Person, "open: allowed by a, b; it closes Mon 2026-11-30 09:00 UTC"},
		"one of several allow windows is enough": {windows{win("a", never, nil), win("b", always, nil)}, nil, calendar.Advance,
			calendar.Person, "open: allowed by b"},
	} {
		t.Run(reason, func(t *testing.T) {
			got := calendar.New(time.UTC, c.allow, c.deny).Ask(instant(t, "2026-11-30T00:00:00Z"), c.action, c.by)
			if got.String() != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAnAnswerSaysWhatComesNext(t *testing.T) {
	c := calendar.New(zone(t, "Europe/Berlin"),
		[]calendar.Window{{Name: "office-hours", Period: weekly(t, "Mon-Fri", "09:00", "17:00")}},
		[]calendar.Window{{Name: "christmas", Period: calendar.Any(dates(t, "2026-12-24", "2026-12-26"), dates(t, "2026-12-31", "2027-01-01"))}})
	for at, want := range map[string]string{
		"2026-12-23T12:00:00+01:00": "open: allowed by office-hours; it closes Wed 2026-12-23 17:00 CET",
		"2026-12-23T18:00:00+01:00": "closed: outside of office-hours; it opens Mon 2026-12-28 09:00 CET",
		"2026-12-24T10:00:00+01:00": "closed: denied by christmas; it opens Mon 2026-12-28 09:00 CET",
		"2026-12-30T16:59:00Z":      "closed: outside of office-hours; it opens Mon 2027-01-04 09:00 CET",
	} {
		if got := c.Ask(instant(t, at), calendar.Advance, calendar.Person).String(); got != want {
			t.Errorf("at %s: %q, want %q", at, got, want)
		}
	}
}

// A clock that jumps is asked about other instants, and none of the answers depends on what was asked before.
func TestAClockThatJumpsChangesNoAnswer(t *testing.T) {
	c := calendar.New(zone(t, "Europe/Berlin"), []calendar.Window{{Name: "nights", Period: cron(t, "0 22 * * 1-5", 8*time.Hour)}}, nil)
	jumps := []string{
		"2026-11-27T23:00:00+01:00", "2020-01-01T00:00:00Z", "2026-11-27T23:00:00+01:00", "1970-01-01T00:00:00Z",
		"2026-11-28T06:00:00+01:00", "2199-01-01T00:00:00Z", "2026-11-27T23:00:00+01:00", "0001-01-01T00:00:00Z", "2026-11-28T06:00:00+01:00",
	}
	before := map[string]string{}
	for _, at := range jumps {
		got := c.Ask(instant(t, at), calendar.Advance, calendar.Person).String()
		if was, asked := before[at]; asked && was != got {
			t.Errorf("at %s it was %q, and is %q", at, was, got)
		}
		before[at] = got
	}
	for at, want := range map[string]string{
		jumps[0]: "open: allowed by nights; it closes Sat 2026-11-28 06:00 CET",
		jumps[4]: "closed: outside of nights; it opens Mon 2026-11-30 22:00 CET",
	} {
		if before[at] != want {
			t.Errorf("at %s it is %q, want %q", at, before[at], want)
		}
	}
}

// Two windows of a minute that never meet are the most that there is to look at.
func TestALongSearchEnds(t *testing.T) {
	odd, even := cron(t, "1-59/2 * * * *", time.Minute), cron(t, "*/2 * * * *", time.Minute)
	c := calendar.New(time.UTC, []calendar.Window{{Name: "odd", Period: odd}},
		[]calendar.Window{{Name: "not-odd", Period: odd}, {Name: "even", Period: even}})
	at := instant(t, "2026-11-30T00:00:00Z")
	got := c.Ask(at, calendar.Advance, calendar.Person)
	if !got.Never() || !got.Searched.After(at.AddDate(0, 1, 0)) {
		t.Errorf("it says %q, having looked to %s", got, got.Searched)
	}
}

func TestWhatIsNoWindow(t *testing.T) {
	of := func(_ any, err error) error { return err }
	for reason, c := range map[string]struct {
		err  error
		want string
	}{
		"a zone is needed":                          {of(calendar.Zone("")), "is missing"},
		"the machine's zone is none":                {of(calendar.Zone("Local")), "no time zone"},
		"nor is its file":                           {of(calendar.Zone("localtime")), "no time zone"},
		"leap seconds would shift every window":     {of(calendar.Zone("right/Europe/Berlin")), "no time zone"},
		"nor a path":                                {of(calendar.Zone("../etc/passwd")), "no time zone"},
		"a zone that nobody knows":                  {of(calendar.Zone("Europe/Atlantis")), "there is no time zone"},
		"an offset is no zone":                      {of(calendar.Zone("+02:00")), "no time zone"},
		"a word that is no day":                     {of(calendar.Weekly("Monday", "", "")), "no weekday"},
		"no day between commas":                     {of(calendar.Weekly("Mon,,Tue", "", "")), "no weekday"},
		"half a range":                              {of(calendar.Weekly("Mon-", "", "")), "no weekday"},
		"a time without its end":                    {of(calendar.Weekly("", "09:00", "")), "go together"},
		"no time at all":                            {of(calendar.Weekly("", "09:00", "09:00")), "both 09:00"},
		"the end of a day begins nothing":           {of(calendar.Weekly("", "24:00", "09:00")), "end of the day"},
		"an hour that no clock shows":               {of(calendar.Weekly("", "09:00", "24:01")), "no time of day"},
		"an hour of one digit":                      {of(calendar.Weekly("", "9:00", "17:00")), "no time of day"},
		"six fields, as with seconds":               {of(calendar.Cron("0 0 9 * * 1", time.Hour)), "five fields"},
		"a descriptor":                              {of(calendar.Cron("@every 1h", time.Hour)), "five fields"},
		"a zone of its own, with which cron panics": {of(calendar.Cron("TZ=UTC 9 * * 1", time.Hour)), "five fields"},
		"a minute past the hour":                    {of(calendar.Cron("60 9 * * *", time.Hour)), "no cron expression"},
		"a step of nothing":                         {of(calendar.Cron("*/0 9 * * *", time.Hour)), "no cron expression"},
		"no time to stay open":                      {of(calendar.Cron("0 9 * * *", 0)), "from 1m to 31d"},
		"open for longer than any month":            {of(calendar.Cron("0 9 * * *", 32*24*time.Hour)), "from 1m to 31d"},
		"a date that no calendar shows":             {of(calendar.Dates("2026-02-30", "")), "no date"},
		"an end before its beginning":               {of(calendar.Dates("2026-12-26", "2026-12-24")), "is before"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: it says %v, not %q", reason, c.err, c.want)
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	berlin, err := calendar.Zone("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	office, err := calendar.Weekly("Mon-Fri", "09:00", "17:00")
	if err != nil {
		b.Fatal(err)
	}
	nights, err := calendar.Cron("0 22 * * 1-5", 8*time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	c := calendar.New(berlin, []calendar.Window{{Name: "office", Period: office}}, []calendar.Window{{Name: "nights", Period: nights}})
	at := time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC)
	for b.Loop() {
		c.Ask(at, calendar.Advance, calendar.Person)
	}
}
