package pipelines_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

// windowOf is the first step of the first check of a pipeline, with the values of its params.
func windowOf(t *testing.T, docs *pipelines.Documents, pipeline string) pipelines.ResolvedStep {
	t.Helper()
	p := docs.Pipelines[pipeline]
	checks, err := docs.ResolveChecks(p, &p.Spec.Stages[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	values := checks[0].RuleValues()
	step, err := checks[0].Steps[0].Expanded(func(name string) (any, bool) {
		v, ok := values[strings.TrimPrefix(name, "params.")]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return step
}

func ask(t *testing.T, w *pipelines.Window, at string, a calendar.Action) string {
	t.Helper()
	c, err := w.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	return c.Ask(when, a, calendar.Person).String()
}

func TestReadyMadeWindows(t *testing.T) {
	for _, c := range []struct {
		task, params, at string
		action           calendar.Action
		want, reason     string
	}{
		{"no-release-on-weekends", "", "2026-11-27T23:59:00+01:00", calendar.Advance,
			"open: no window denies it; it closes Sat 2026-11-28 00:00 CET", "Friday evening is no weekend yet"},
		{"no-release-on-weekends", "", "2026-11-28T00:00:00+01:00", calendar.Start,
			"closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET", "nothing starts"},
		{"no-release-on-weekends", "", "2026-11-29T23:59:59+01:00", calendar.Advance,
			"closed: denied by weekends; it opens Mon 2026-11-30 00:00 CET", "nor goes on"},
		{"no-release-on-weekends", "", "2026-11-28T12:00:00+01:00", calendar.Rollback, "open: no window speaks of it", "but it is taken back"},
		{"release-hours", "", "2026-11-26T15:00:00+01:00", calendar.Advance,
			"open: allowed by release-hours; it closes Thu 2026-11-26 16:00 CET", "Thursday afternoon"},
		{"release-hours", "", "2026-11-26T16:00:00+01:00", calendar.Advance,
			"closed: outside of release-hours; it opens Mon 2026-11-30 09:00 CET", "and not on Friday"},
		{"release-hours", ", {name: days, value: Fri}, {name: from, value: '22:00'}, {name: to, value: '02:00'}", "2026-11-28T01:00:00+01:00",
			calendar.Advance, "open: allowed by release-hours; it closes Sat 2026-11-28 02:00 CET", "hours are the team's own"},
	} {
		task, err := os.ReadFile("catalog/documents/" + c.task + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		docs, err := pipelines.Parse(
			pipelines.Source{Name: c.task, Data: task},
			source("kind: Pipeline\nmetadata: {name: p}\nspec: {stages: [{name: all, clusterGroups: {all: true}, checks: [{taskRef: {name: "+c.task+
				"}, params: [{name: timeZone, value: Europe/Berlin}"+c.params+"]}]}]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, windowOf(t, docs, "p").Window, c.at, c.action); got != c.want {
			t.Errorf("%s: %s of %s at %s is %q, want %q", c.reason, c.action, c.task, c.at, got, c.want)
		}
	}
}

func TestAWindowHasTheHolidaysOfItsCalendars(t *testing.T) {
	docs := mustParse(t,
		"kind: Calendar\nmetadata: {name: germany}\nspec: {holidays: [{name: christmas, from: 2026-12-24, to: 2026-12-26}]}\n",
		"kind: Pipeline\nmetadata: {name: p}\nspec: {stages: [{name: all, clusterGroups: {all: true}, checks: [{name: c, taskSpec: {steps: [{name: w, window: "+
			"{timeZone: Europe/Berlin, deny: [{calendars: [germany], holidays: [{from: 2026-12-31}]}]}}]}}]}]}\n")
	step := windowOf(t, docs, "p")
	for at, want := range map[string]string{
		"2026-12-23T12:00:00Z": "open: no window denies it; it closes Thu 2026-12-24 00:00 CET",
		"2026-12-26T12:00:00Z": "closed: denied by holidays of germany; it opens Sun 2026-12-27 00:00 CET",
		"2026-12-31T12:00:00Z": "closed: denied by holidays of germany; it opens Fri 2027-01-01 00:00 CET",
	} {
		if got := ask(t, step.Window, at, calendar.Advance); got != want {
			t.Errorf("at %s it is %q, want %q", at, got, want)
		}
	}
	written := docs.Pipelines["p"].Spec.Stages[0].Checks[0].TaskSpec.Steps[0].Window
	if n := len(written.Deny[0].Holidays); n != 1 {
		t.Errorf("what was written has %d holidays now", n)
	}

	// It is kept in plans.
	data, err := json.Marshal(step)
	if err != nil {
		t.Fatal(err)
	}
	var back pipelines.ResolvedStep
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(step, back); diff != "" {
		t.Errorf("after JSON (-before +after):\n%s", diff)
	}
}

// A window is asked before anything moves where its check says nothing else: after a batch it would be too late.
func TestWhereAWindowIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		zone, at string
		want     []pipelines.Point
	}{
		"nothing is said":          {zone: "UTC", want: []pipelines.Point{pipelines.BeforeBatch, pipelines.BeforeCluster}},
		"the unit says which zone": {zone: "$(unit.labels.zone)", want: []pipelines.Point{pipelines.BeforeBatch, pipelines.BeforeCluster}},
		"it is said":               {zone: "UTC", at: ", at: [beforeStage]", want: []pipelines.Point{pipelines.BeforeStage}},
	} {
		docs := mustParse(t, "kind: Pipeline\nmetadata: {name: p}\nspec: {defaults: {checks: [{name: c"+c.at+
			", taskSpec: {steps: [{name: w, window: {timeZone: "+c.zone+", deny: [{days: Sat}]}}]}}]}, stages: [{name: all, clusterGroups: {all: true}}]}\n")
		p := docs.Pipelines["p"]
		checks, err := docs.ResolveChecks(p, &p.Spec.Stages[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, checks[0].At); diff != "" {
			t.Errorf("%s: it is asked at (-want +got):\n%s", name, diff)
		}
		ofRun, err := docs.ResolveRunChecks(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if asked := len(ofRun) > 0; asked != (name == "nothing is said") {
			t.Errorf("%s: it is asked before the run: %v", name, asked)
		}
	}
}
