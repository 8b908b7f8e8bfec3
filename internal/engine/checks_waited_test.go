package engine_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
)

func TestAUnitAtAClosedWindowSaysUntilWhen(t *testing.T) {
	const says = "advance by person: closed: denied by weekends; it opens Mon 2026-11-23 00:00 UTC"
	for reason, c := range map[string]struct {
		kind    api.WaitKind
		tallies check.Tallies
		unmet   string
		until   time.Time
	}{
		"a closed window opens by itself": {api.WaitCheck, check.Tallies{
			"hours/w": {Waits: says, Seen: map[string]any{"until": "2026-11-23T00:00:00Z"}}, "a/first": {Verdict: api.Passed},
		}, says, noon.Add(12 * time.Hour)},
		"what is not known is not said":               {api.WaitCheck, check.Tallies{"hours/w": {Waits: says}}, says, time.Time{}},
		"a time that is none is not said":             {api.WaitCheck, check.Tallies{"hours/w": {Waits: says, Seen: map[string]any{"until": "soon"}}}, says, time.Time{}},
		"a step that is measured waits for nothing":   {api.WaitCheck, check.Tallies{"hours/w": {Tried: 3}}, "", time.Time{}},
		"what is decided does not wait any more":      {api.WaitCheck, check.Tallies{"hours/w": {Waits: says, Verdict: api.Passed}}, "", time.Time{}},
		"who waits for something else keeps his word": {api.WaitPods, check.Tallies{"hours/w": {Waits: says}}, "", time.Time{}},
		"nothing was said yet":                        {api.WaitCheck, nil, "", time.Time{}},
	} {
		t.Run(reason, func(t *testing.T) {
			b := newBench(t)
			run := b.underWay()
			u := b.temporal.answers["prod/c2/agent"].(api.UnitStatus)
			u.Waiting = &api.Waiting{Kind: c.kind, Name: "beforeBatch", Since: noon}
			b.temporal.answers["prod/c2/agent"] = u
			b.temporal.tallies = map[string]check.Tallies{"prod/c2/agent": c.tallies}
			v, err := b.Status(t.Context(), run.Name)
			if err != nil {
				t.Fatal(err)
			}
			w := v.Stages[1].Units[1].Waiting
			if c.unmet == "" {
				if w.Name != "beforeBatch" || len(w.Unmet) > 0 || !w.Until.IsZero() {
					t.Errorf("it waits for %+v", w)
				}
				return
			}
			if w.Name != "hours/w" || len(w.Unmet) != 1 || w.Unmet[0] != c.unmet || !w.Until.Equal(c.until) {
				t.Errorf("it waits for %+v, want %q until %s", w, c.unmet, c.until)
			}
		})
	}
}
