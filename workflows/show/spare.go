package show

import (
	"encoding/json"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
)

// spared is how long a text stays that is nobody's first question any more.
const spared = 100

// SpareTask shortens what a task says of its steps and attempts to so many bytes, as its run is stored. Earlier attempts give up
// their steps first, and then their words; of the last one the last steps stay, as it failed at one of these.
func SpareTask(t *api.TaskStatus, most int) {
	for i := 0; i < len(t.Attempts) && saidBy(t) > most; i++ {
		t.Attempts[i].Steps = nil
	}
	for i := 0; i < len(t.Attempts) && saidBy(t) > most; i++ {
		t.Attempts[i].Message = clip.Bytes(t.Attempts[i].Message, spared)
	}
	for len(t.Steps) > 1 && saidBy(t) > most {
		t.Steps = t.Steps[1:]
	}
	for i := 0; i < len(t.Steps) && saidBy(t) > most; i++ {
		t.Steps[i].Message = clip.Bytes(t.Steps[i].Message, spared)
	}
	if saidBy(t) > most {
		t.Message = clip.Bytes(t.Message, spared)
	}
}

func saidBy(t *api.TaskStatus) int { return stored(t.Message) + stored(t.Steps) + stored(t.Attempts) }

// SpareChecks shortens lists of checks to so many bytes together, as their run is stored. The first lists keep theirs. A check
// that gives up what it saw says so.
func SpareChecks(most int, lists ...[]api.Check) {
	for _, list := range lists {
		for i := range list {
			c := &list[i]
			if most -= stored(*c); most >= 0 {
				continue
			}
			shorten(c)
		}
	}
}

// shorten has a check say little, and that it saw more.
func shorten(c *api.Check) {
	c.Message = clip.Bytes(c.Message, spared)
	if c.Seen != nil {
		c.Seen = map[string]any{"tooLong": true}
	}
}

// stored is how many bytes a value takes.
func stored(v any) int {
	body, _ := json.Marshal(v) // what a worker has sent can be written again
	return len(body)
}
