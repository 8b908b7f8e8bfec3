package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
)

// waited is what a step of a check waits for before it judges anything, such as a window that is closed.
type waited struct {
	step, message string
	until         time.Time // zero where that is not known
}

// decodeWaited reads it from the heartbeats of checks that are measured; false where no step waits.
func decodeWaited(by converter.DataConverter, details *commonpb.Payloads) (waited, bool) {
	all := decodeTallies(by, details)
	for _, step := range slices.Sorted(maps.Keys(all)) {
		t := all[step]
		if t.Waits == "" || t.Verdict != "" {
			continue
		}
		w := waited{step: step, message: t.Waits}
		if text, ok := t.Seen[check.SeenUntil].(string); ok {
			if until, err := time.Parse(time.RFC3339, text); err == nil {
				w.until = until
			}
		}
		return w, true
	}
	return waited{}, false
}

// decodeTallies reads what checks have counted from their heartbeats; nothing where they said none, or other things.
func decodeTallies(by converter.DataConverter, details *commonpb.Payloads) (all check.Tallies) {
	if len(details.GetPayloads()) == 0 || by.FromPayloads(details, &all) != nil {
		return nil
	}
	return all
}

// advice is which steps of background checks are decided and have not passed. While they are measured these are Advisory: any other would
// have ended them.
func advice(tallies check.Tallies) (all []string) {
	for step, t := range tallies {
		if t.Verdict != "" && t.Verdict != api.Passed {
			all = append(all, step+": "+string(t.Verdict)+": "+t.Message)
		}
	}
	return all
}

// tell adds to what waits for checks which of them waits, for what and until when: the workflow does not know, and heartbeats do.
func (e *Engine) tell(ctx context.Context, server *Server, workflow string, w *api.Waiting) {
	if server == nil || w == nil || w.Kind != api.WaitCheck {
		return
	}
	under, ok := e.underWay(ctx, server, workflow)
	if !ok || under.waits == nil {
		return
	}
	w.Name = under.waits.step
	w.Unmet = append(w.Unmet, under.waits.message)
	w.Until = under.waits.until
}
