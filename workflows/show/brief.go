package show

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/workflows/pace"
)

// Brief is a check without what it saw, for the run: hundreds of units tell it theirs.
func Brief(c *api.Check) *api.Check {
	if c == nil {
		return nil
	}
	short := *c
	short.Seen, short.Message = nil, clip.Bytes(c.Message, pace.Tuned().MaxMessage)
	return &short
}

// Briefly is the beginning of a list, for the run, with how many there are more.
func Briefly(kept []string) []string {
	if len(kept) > pace.Tuned().MaxKept {
		kept = append(slices.Clone(kept[:pace.Tuned().MaxKept]), fmt.Sprintf("%d more", len(kept)-pace.Tuned().MaxKept))
	}
	short := make([]string, len(kept))
	for i, object := range kept {
		short[i] = clip.Bytes(object, pace.Tuned().MaxMessage/pace.Tuned().MaxKept*2)
	}
	return short
}
