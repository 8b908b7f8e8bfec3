package check

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
)

// Bounds on what all steps of an inquiry say together: a heartbeat and an answer are one payload each, and there may be hundreds of
// steps.
const (
	maxSaid    = 256 << 10 // of what is only shown; it goes first
	maxCounted = 1 << 20   // of what is kept for the next measurement, and of results; nothing of it ever goes
	spared     = 100       // bytes of a message that was shortened
)

// counted is how many bytes a tally takes that the next measurement or another step needs.
func (t Tally) counted() int { return len(t.Kept) + stored(t.Results) }

// Spared are tallies as they travel: what they say and saw is shortened until there is room, the longest first. What was counted stays.
func Spared(all Tallies) Tallies {
	size, total := map[string]int{}, 0
	for name, t := range all {
		size[name] = stored(t) + len(name) + len(`"":,`)
		total += size[name]
	}
	if total <= maxSaid {
		return all
	}
	all = maps.Clone(all)
	longest := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(size[b]-all[b].counted(), size[a]-all[a].counted()), cmp.Compare(a, b))
	})
	for _, name := range longest {
		if total <= maxSaid {
			break
		}
		t := all[name]
		total -= stored(t)
		t.Message, t.Waits, t.Seen = clip.Bytes(t.Message, spared), clip.Bytes(t.Waits, spared), tooLong(t.Seen)
		total += stored(t)
		all[name] = t
	}
	return all
}

// spareFound shortens what checks say and saw until there is room: first those that passed, from the last one on.
func spareFound(found []api.Check) []api.Check {
	total := stored(found)
	for _, passed := range []bool{true, false} {
		for i := len(found) - 1; i >= 0 && total > maxSaid; i-- {
			c := &found[i]
			if (c.Verdict == api.Passed) != passed {
				continue
			}
			total -= stored(*c)
			c.Message, c.Seen = clip.Bytes(c.Message, spared), tooLong(c.Seen)
			total += stored(*c)
		}
	}
	return found
}

// tooLong stands for what was seen and has no room.
func tooLong(seen map[string]any) map[string]any {
	if seen == nil {
		return nil
	}
	return map[string]any{"tooLong": true}
}

// stored is how many bytes a value takes.
func stored(v any) int {
	body, _ := json.Marshal(v) // what a source has said was written before
	return len(body)
}
