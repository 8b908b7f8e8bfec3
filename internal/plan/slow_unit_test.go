package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/plan"
)

// TestFailureMode_R20_ASlowUnitHoldsNobodyInItsStage plays twenty units of a minute each, four at once, beside one that takes a day: the
// others end as soon as three slots let them.
func TestFailureMode_R20_ASlowUnitHoldsNobodyInItsStage(t *testing.T) {
	names := make([]string, 21)
	for i := range names {
		names[i] = string(rune('a' + i))
	}
	w := plan.Window{Group: plan.Group{MaxConcurrency: 4, Units: units(names...)}}
	const slow, day = 0, 24 * 60
	states, ends := make([]plan.State, len(names)), make([]int, len(names))
	for minute := 0; ; minute++ {
		open := 0
		for i, s := range states {
			switch {
			case s == plan.Running && ends[i] == minute:
				states[i] = plan.Succeeded
			case s == plan.Running:
				open++
			}
		}
		if minute == 7 { // 20 units, three at once
			for i, s := range states {
				if i != slow && s != plan.Succeeded {
					t.Errorf("after %d minutes unit %s is %v: it waits for the slow one", minute, names[i], s)
				}
			}
		}
		d := w.Next(states)
		if d.Done {
			if minute != day {
				t.Errorf("the stage ended after %d minutes; its slow unit takes %d", minute, day)
			}
			return
		}
		for _, i := range d.Start {
			states[i], ends[i] = plan.Running, minute+1
			if i == slow {
				ends[i] = day
			}
			open++
		}
		if open > 4 || minute > day {
			t.Fatalf("%d units are open in minute %d", open, minute)
		}
	}
}
