package engine

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// MaxNoiseWeeks is how many weeks are counted at most: for longer nothing is kept.
const MaxNoiseWeeks = 12

const week = 7 * 24 * time.Hour

// ProbeNoise says how noisy cases were in each of the last weeks, the last one first: all cases, or one. A week ends with this hour.
func (e *Engine) ProbeNoise(ctx context.Context, probeCase string, weeks int) (all []ledger.ProbeNoise, err error) {
	if weeks < 1 || weeks > MaxNoiseWeeks {
		return nil, fault.New(fault.Invalid, "cannot count the noise of %d weeks: it is from 1 to %d", weeks, MaxNoiseWeeks)
	}
	all = []ledger.ProbeNoise{}
	to := e.now().UTC().Truncate(time.Hour).Add(time.Hour)
	for range weeks {
		some, err := e.ledger.ListProbeNoise(ctx, probeCase, to.Add(-week), to)
		if err != nil {
			return nil, err
		}
		all, to = append(all, some...), to.Add(-week)
	}
	return all, nil
}
