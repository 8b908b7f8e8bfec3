package report

import (
	"fmt"
	"strings"
)

// Person is who had a hand in a run.
type Person struct {
	Who string
	Did string
}

// people are those who gave commands, in the order in which they first did, and the commands with what came of them.
func people(f Facts) (all []Person, deeds []Deed, undone string) {
	type tally struct {
		commands []string
		times    map[string]int
	}
	var names []string
	by := map[string]*tally{}
	did := func(who, what string) {
		if who == "" {
			return
		}
		t := by[who]
		if t == nil {
			t = &tally{times: map[string]int{}}
			by[who], names = t, append(names, who)
		}
		if t.times[what]++; t.times[what] == 1 {
			t.commands = append(t.commands, what)
		}
	}
	did(f.PlannedBy, "planned")
	did(f.Run.By, "started")
	for _, d := range f.Deeds {
		if d.Command == "run" && d.Outcome == "accepted" {
			continue // that he started it is said
		}
		what := d.Command
		if strings.HasPrefix(d.Outcome, "refused") {
			what += " (refused)"
		}
		did(d.Who, what)
	}
	for _, z := range f.Freezes {
		did(z.By, "froze "+z.Scope.String())
	}
	for _, who := range names[:min(len(names), maxUnits)] {
		t := by[who]
		var parts []string
		for _, c := range t.commands[:min(len(t.commands), maxUnits)] {
			if n := t.times[c]; n > 1 {
				c = fmt.Sprintf("%s %d times", c, n)
			}
			parts = append(parts, c)
		}
		all = append(all, Person{Who: said(who), Did: said(strings.Join(parts, ", "))})
	}
	for _, d := range f.Deeds[:min(len(f.Deeds), maxDeeds)] {
		deeds = append(deeds, Deed{
			At: d.At, Who: said(d.Who), Command: said(d.Command), Scope: said(d.Scope), Reason: said(d.Reason), Outcome: said(d.Outcome),
		})
	}
	if more := len(f.Deeds) - len(deeds); more > 0 {
		return all, deeds, fmt.Sprintf("%d more commands are in the audit", more)
	}
	return all, deeds, said(f.Deedless)
}

// Clock is when it was.
func (d Deed) Clock() string { return clock(d.At) }
