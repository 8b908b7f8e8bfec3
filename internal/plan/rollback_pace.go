package plan

import (
	"slices"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// The pace of a rollback, and its brake.
const (
	BackwardPercent     = 33 // of the moved clusters at once, after the first; rounds down, never below 1
	BackwardMaxFailures = 1  // the second failed unit stops it
)

// Backward returns the window in which moved clusters go back: the last one that a plan starts goes first, one at a time
// until one has succeeded, then a third of them at once. A cluster goes back after those that were declared to come after
// it, so that nothing is taken from under them. Clusters out of reach are owed and hold nobody up. Moved may come in any
// order; a cluster that the plan does not have is an error.
func Backward(p *Plan, moved []string) (Window, error) {
	want := map[string]bool{}
	for _, name := range moved {
		want[name] = true
	}
	var units []Unit
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			for _, u := range p.Stages[i].Groups[j].Units {
				if want[u.Cluster] {
					units = append(units, u)
					delete(want, u.Cluster)
				}
			}
		}
	}
	if len(want) > 0 {
		return Window{}, fault.New(fault.Invalid, "cannot order the way back of %s %s: the plan has no cluster %s",
			p.Subject, p.Version, sortedKeys(want)[0])
	}
	slices.Reverse(units)
	turnAround(units)
	pace := pipelines.Amount{Value: BackwardPercent, Percent: true}
	return Window{
		Group:          Group{FirstAlone: true, MaxConcurrency: max(pace.Of(len(units)), 1), Units: units},
		MaxFailures:    BackwardMaxFailures,
		MaxUnreachable: len(units),
		Anyhow:         true,
	}, nil
}

// turnAround makes a unit wait for those that waited for it. Units come in reverse order.
func turnAround(units []Unit) {
	after := map[string][]string{}
	for _, u := range units {
		for _, name := range u.After {
			after[name] = append(after[name], u.Cluster)
		}
		for _, name := range u.AfterGroups {
			if !slices.Contains(after["group "+name], u.Group) {
				after["group "+name] = append(after["group "+name], u.Group)
			}
		}
	}
	for i := range units {
		units[i].After = sorted(after[units[i].Cluster])
		units[i].AfterGroups = sorted(after["group "+units[i].Group])
	}
}

// Waves returns, as cluster names, which units start together where every unit succeeds and all of a wave end at once. It
// is the window as people read it in a plan.
func (w Window) Waves() [][]string {
	states := make([]State, len(w.Group.Units))
	var waves [][]string
	for {
		d := w.Next(states)
		if len(d.Start) == 0 {
			return waves
		}
		var wave []string
		for _, i := range d.Start {
			wave = append(wave, w.Group.Units[i].Cluster)
			states[i] = Succeeded
		}
		waves = append(waves, wave)
	}
}
