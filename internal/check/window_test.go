package check

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// noWeekends is a step of a check with windows of Berlin.
func noWeekends(more ...func(*pipelines.Window)) pipelines.ResolvedStep {
	w := &pipelines.Window{TimeZone: "Europe/Berlin", Deny: []pipelines.TimeWindow{{Name: "weekends", Days: "Sat,Sun"}}}
	for _, m := range more {
		m(w)
	}
	return pipelines.ResolvedStep{Name: "no-weekends/it", StepKinds: pipelines.StepKinds{Window: w}}
}

func finishes(w *pipelines.Window) { w.InFlight = pipelines.Finish }

func startsOnly(w *pipelines.Window) { w.Deny[0].Actions = []pipelines.WindowAction{"start"} }

func robotsOnly(w *pipelines.Window) { w.Deny[0].Invokers = []pipelines.Invoker{"ci", "automatic"} }

func nowhere(w *pipelines.Window) { w.TimeZone = "Europe/Atlantis" }

func neverAllows(w *pipelines.Window) {
	w.Allow = []pipelines.TimeWindow{{Name: "leap", Schedule: "0 0 30 2 *", Duration: pipelines.Duration(time.Hour)}}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	now, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func TestAWindow(t *testing.T) {
	const friday, saturday, lastSunday = "2026-11-27T12:00:00+01:00", "2026-11-28T00:00:00+01:00", "2026-11-29T23:59:30+01:00"
	for reason, c := range map[string]struct {
		step  pipelines.ResolvedStep
		now   string
		point pipelines.Point
		by    string
		want  api.Verdict
		again time.Duration // after now; 0 where the verdict is final
		says  string
	}{
		"an open one passes, and says until when": {noWeekends(), friday, pipelines.BeforeBatch, "ann", api.Passed, 0,
			"advance by person: open: no window denies it; it closes Sat 2026-11-28 00:00 CET"},
		"a closed one is no failure: it is asked again": {noWeekends(), saturday, pipelines.BeforeBatch, "ann", api.Inconclusive, time.Minute,
			"advance by person: closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET"},
		"and as it opens, where that is soon": {noWeekends(), lastSunday, pipelines.BeforeCluster, "ann", api.Inconclusive, 30 * time.Second,
			"advance by person: closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET"},
		"before the run the action is its start": {noWeekends(startsOnly), saturday, pipelines.BeforeRun, "ann", api.Inconclusive, time.Minute,
			"start by person: closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET"},
		"which a window may speak of alone": {noWeekends(startsOnly), saturday, pipelines.BeforeBatch, "ann", api.Passed, 0,
			"advance by person: open: no window speaks of it"},
		"a window for robots lets people pass": {noWeekends(robotsOnly), saturday, pipelines.BeforeBatch, "ann (unverified)", api.Passed, 0,
			"advance by person: open: no window speaks of it"},
		"and holds a build system": {noWeekends(robotsOnly), saturday, pipelines.BeforeBatch, "ann [ci] (unverified)", api.Inconclusive, time.Minute,
			"advance by ci: closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET"},
		"and what nobody has started": {noWeekends(robotsOnly), saturday, pipelines.BeforeBatch, "", api.Inconclusive, time.Minute,
			"advance by automatic: closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET"},
		"a unit that has begun may finish": {noWeekends(finishes), saturday, pipelines.BeforeBatch, "ann", api.Passed, 0,
			"the unit has begun, and finishes whatever the window says"},
		"the next one does not begin": {noWeekends(finishes), saturday, pipelines.BeforeCluster, "ann", api.Inconclusive, time.Minute,
			"advance by person: closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET"},
		"one that never opens is not waited for": {noWeekends(neverAllows), friday, pipelines.BeforeBatch, "ann", api.Inconclusive, 0,
			"advance by person: closed: outside of leap; it does not open before Sat 2028-01-01 12:00 CET"},
		"one that cannot be read is an error": {noWeekends(nowhere), friday, pipelines.BeforeBatch, "ann", api.Error, 0,
			"cannot read the window: there is no time zone Europe/Atlantis: write an IANA name such as Europe/Berlin, or UTC"},
	} {
		t.Run(reason, func(t *testing.T) {
			now := at(t, c.now)
			q := Question{Step: c.step, Point: c.point, Facts: rule.Facts{Change: rule.Change{By: c.by}}}
			f := Windows(testclock.NewFakePassiveClock(now)).Ask(t.Context(), q)
			var again time.Time
			if c.again > 0 {
				again = now.Add(c.again)
			}
			if f.Verdict != c.want || f.Message != c.says || !f.Again.Equal(again) {
				t.Errorf("%s %q again at %s, want %s %q at %s", f.Verdict, f.Message, f.Again, c.want, c.says, again)
			}
		})
	}
}

func measuredWindow() Inquiry {
	return Inquiry{
		Point: pipelines.BeforeBatch, Facts: rule.Facts{Change: rule.Change{By: "ann"}},
		Checks: []pipelines.ResolvedCheck{{Name: "no-weekends", Enforcement: pipelines.Enforcing, Steps: []pipelines.ResolvedStep{noWeekends()}}},
	}
}

// A unit that a closed window holds goes on by itself as it opens, with nothing counted against it.
func TestAClosedWindowIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opens := at(t, "2000-01-03T00:00:00+01:00") // the time of the bubble begins in the night to Saturday, 2000-01-01
		if day := time.Now().In(opens.Location()).Weekday(); day != time.Saturday {
			t.Fatalf("the test begins on a %s", day)
		}
		m := NewMeasurer(clock.RealClock{}, NewRules(), Sources{"window": Windows(clock.RealClock{})})
		found, err := m.Ask(t.Context(), measuredWindow())
		if err != nil || found[0].Verdict != api.Passed || !time.Now().Equal(opens) {
			t.Errorf("%+v, %v at %s, want a pass at %s", found, err, time.Now(), opens)
		}
	})
}

// A cluster that is out of reach over the weekend is no matter of the window, which waits, and opens on Monday.
func TestAWindowNeedsNoCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := measuredWindow()
		i.Place = &Place{Cluster: "a", Facts: func(context.Context) (rule.Facts, error) { return rule.Facts{}, errors.New("out of reach") }}
		m := NewMeasurer(clock.RealClock{}, NewRules(), Sources{"window": Windows(clock.RealClock{})})
		found, err := m.Ask(t.Context(), i)
		if err != nil || found[0].Verdict != api.Passed {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

func TestAnEndWhileAWindowIsWaitedForIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said Tallies
		i := measuredWindow()
		i.Say = func(now Tallies) { said = now }
		ctx, end := context.WithTimeout(t.Context(), 90*time.Second)
		defer end()
		m := NewMeasurer(clock.RealClock{}, NewRules(), Sources{"window": Windows(clock.RealClock{})})
		if found, err := m.Ask(ctx, i); !errors.Is(err, ctx.Err()) || found != nil {
			t.Errorf("it says %+v, %v", found, err)
		}
		if got := said["no-weekends/it"]; got.Tried != 0 || got.Verdict != "" || got.Waits == "" {
			t.Errorf("what is counted is %+v, want nothing but what it waits for", got)
		}
	})
}

// The clock of a machine jumps while it is waited on: forward past the opening, and back into the weekend. No jump opens a closed
// window, and none keeps it closed for longer than a look.
func TestAClockThatJumpsOpensNoClosedWindow(t *testing.T) {
	c := testclock.NewFakePassiveClock(at(t, "2026-11-28T12:00:00+01:00"))
	ask := func() Finding {
		return Windows(c).Ask(t.Context(), Question{Step: noWeekends(), Point: pipelines.BeforeBatch, Facts: rule.Facts{Change: rule.Change{By: "ann"}}})
	}
	for _, jump := range []struct {
		to   string
		open bool
	}{
		{"2026-11-28T12:00:00+01:00", false}, {"2026-11-30T08:00:00+01:00", true}, {"2026-11-28T12:00:30+01:00", false},
		{"1970-01-01T00:00:00Z", true}, {"2026-11-29T23:59:59+01:00", false}, {"2026-11-30T00:00:00+01:00", true},
	} {
		now := at(t, jump.to)
		c.SetTime(now)
		f := ask()
		if open := f.Verdict == api.Passed; open != jump.open {
			t.Errorf("at %s it is open: %v", jump.to, open)
		}
		if !jump.open && (f.Again.Sub(now) <= 0 || f.Again.Sub(now) > windowLook) {
			t.Errorf("at %s it is asked again after %s", jump.to, f.Again.Sub(now))
		}
	}
}
