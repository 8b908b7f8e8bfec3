package plan

import (
	"fmt"
	"strings"
)

// Counts is how much a plan would change, as its clusters were seen. Every cluster of the plan is in one of the first
// five.
type Counts struct {
	Change      int `json:"change"`      // clusters to change
	Unchanged   int `json:"unchanged"`   // clusters in which nothing is to be done
	Refused     int `json:"refused"`     // clusters in which a rule says no
	Unreachable int `json:"unreachable"` // clusters that did not answer
	Missing     int `json:"missing"`     // clusters that nobody looked at
	Objects     int `json:"objects"`     // objects to write in the clusters to change, in each of them
}

// Count counts a plan.
func Count(p *Plan, live *Live) Counts {
	var c Counts
	seen, _ := look(p, live, nil) // without texts to read nothing can fail
	c.Unreachable, c.Missing = len(seen.unreachable), len(seen.missing)
	for _, s := range seen.reached {
		switch {
		case len(s.Refusals) > 0:
			c.Refused++
		case s.still():
			c.Unchanged++
		default:
			c.Change++
			c.Objects += len(actions(s.ClusterDiff))
		}
	}
	return c
}

// String is one line: "5 clusters to change, 1 unchanged, 12 objects to write". What there is none of is left out, but
// for the clusters to change.
func (c Counts) String() string {
	parts := []string{count(c.Change, "cluster") + " to change"}
	for _, part := range []struct {
		n    int
		text string
	}{
		{c.Unchanged, "unchanged"}, {c.Refused, "refused"}, {c.Unreachable, "out of reach"}, {c.Missing, "not looked at"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	return strings.Join(append(parts, count(c.Objects, "object")+" to write"), ", ")
}
