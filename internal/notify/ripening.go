package notify

import (
	"cmp"
	"slices"
	"time"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// Times that what probes find takes until somebody is told.
const (
	// gathers is for how long a case has been another, so that clusters which turn one after the other are told of together.
	gathers = 10 * time.Second
	// waitsForWord is for how long nothing is known of a case: an agent that begins anew is heard again by then.
	waitsForWord = time.Minute
	// waitsForFirst is for how long a case is there at which nobody has ever looked.
	waitsForFirst = time.Hour
	// settles is how long after it was told of a case in a cluster nothing more is told of it: then, what it is by then.
	settles = 5 * time.Minute
	// everySoOften is how often one kind of turn is told.
	everySoOften = time.Minute
)

// spot is a case in a cluster.
type spot struct{ probeCase, cluster string }

// ripe is what a spot is since when, as this worker has seen it.
type ripe struct {
	state probing.State
	since time.Time
}

// change is a spot that is another than was noticed, for long enough.
type change struct {
	spot
	to  probing.State
	was ledger.ProbeTurn // the zero value where nothing was noticed
	bad ledger.BadProbe  // where it is not well
}

// ripening is what has turned a moment ago.
type ripening map[spot]ripe

// due takes in what is not well, and what was noticed; and returns what has changed for long enough to be noticed, and which turns are to
// be forgotten. Both lists are ordered by case and cluster. Where one of them is cut, what comes after that is not judged.
func (r ripening) due(bad []ledger.BadProbe, turns []ledger.ProbeTurn, now time.Time) (all []change, forget []ledger.ProbeTurn) {
	spots := map[spot]change{}
	last := map[probing.State]time.Time{}
	var end *spot
	for i, t := range turns {
		at := spot{t.Case, t.Cluster}
		if t.At.After(now.Add(settles)) {
			t.At = time.Time{} // it was noticed by a clock that was ahead, and would keep all that turns waiting until then
		}
		spots[at] = change{spot: at, to: probing.Passing, was: t}
		if t.At.After(last[t.State]) {
			last[t.State] = t.At
		}
		if i+1 == ledger.MaxProbeTurns {
			end = &at
		}
	}
	for i, b := range bad {
		at := spot{b.Case, b.Cluster}
		c := spots[at]
		c.spot, c.to, c.bad = at, probing.Unknown, b
		if b.Failing > 0 {
			c.to = probing.Failing
		}
		spots[at] = c
		if i+1 == ledger.MaxProbeTurns && (end == nil || compareSpots(at, *end) < 0) {
			end = &at
		}
	}
	for at, c := range spots {
		switch was := cmp.Or(c.was.State, probing.Passing); {
		case end != nil && compareSpots(at, *end) > 0:
		case c.to == was:
			delete(r, at)
			if was == probing.Passing && !now.Before(c.was.At.Add(settles)) {
				c.was.State = ""
				forget = append(forget, c.was)
			}
		case r.ripe(c, now) && !now.Before(last[c.to].Add(everySoOften)):
			all = append(all, c)
		}
	}
	for at := range r {
		if _, there := spots[at]; !there {
			delete(r, at)
		}
	}
	slices.SortFunc(all, func(a, b change) int { return compareSpots(a.spot, b.spot) })
	slices.SortFunc(forget, func(a, b ledger.ProbeTurn) int {
		return compareSpots(spot{a.Case, a.Cluster}, spot{b.Case, b.Cluster})
	})
	return all, forget
}

// ripe reports whether a spot has been so for long enough.
func (r ripening) ripe(c change, now time.Time) bool {
	seen := r[c.spot]
	if seen.state != c.to {
		seen = ripe{c.to, now}
		r[c.spot] = seen
	}
	wait := gathers
	if c.to == probing.Unknown {
		wait = waitsForWord
		if c.bad.Looked == 0 {
			wait = waitsForFirst
		}
	}
	return !now.Before(seen.since.Add(wait)) && !now.Before(c.was.At.Add(settles))
}

func compareSpots(a, b spot) int {
	return cmp.Or(cmp.Compare(a.probeCase, b.probeCase), cmp.Compare(a.cluster, b.cluster))
}
