// Package baseline says whether the samples of what was changed are worse than they were before, in looks that are
// repeated over a soak: did anything change, or not?
//
// The samples are averaged in blocks of time. What everybody does at that time is taken off each block: what it is at the
// same time of other days, or what units that were not changed do meanwhile. What is left since the change is compared
// with what was left before it by a one-sided Mann-Whitney U test. Its score is shrunk by how much samples follow each
// other (Geyer's initial positive sequence, over the time before), so that a slow wave is not taken for many witnesses.
// Repeated looks share one budget of false alarms (alpha spending), each pays its part of it. A difference
// that is beyond chance but too small to matter is none. docs/decisions/0021 says why it is done so.
//
// The package asks nobody and keeps nothing: a look is a function of samples, the looks before it, and the time.
package baseline

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Direction is which way a value must move to be worse.
type Direction string

const (
	Higher Direction = "higher" // latency, errors
	Lower  Direction = "lower"  // success, throughput
)

// Against is what the time since a change is held against.
type Against string

const (
	Before      Against = "before"       // the same time of the days before
	StableUnits Against = "stable-units" // what units that were not changed do at the same time
)

const (
	// Budget is the chance that a whole comparison, all its looks, finds something where nothing changed. It is half of
	// the 1% that is promised: what the test assumes holds only about.
	Budget = 0.005
	// Looks is how often a comparison looks, at equal distances: at the twelfth part of its time, at two twelfths, ...
	Looks = 12

	// MaxSamples bounds a series, and MaxStable the units that were not changed.
	MaxSamples = 50_000
	MaxStable  = 64

	day       = 24 * time.Hour
	minDays   = 2  // with fewer nobody knows what a day looks like
	minNow    = 8  // blocks since the change: the normal approximation of U needs that many
	minBefore = 40 // blocks before it: the spread and the memory of a series are measured there
	perSoak   = 48 // blocks in a whole comparison
)

// Sample is one value of a series. NaN and infinite values are no samples: they are left out.
type Sample struct {
	At    time.Time
	Value float64
}

// Data is what a look sees: samples from before the change and since, in order of time.
type Data struct {
	Changed []Sample
	Stable  [][]Sample // a series for each unit that was not changed; only for StableUnits
}

// Comparison is what is asked, the same at each look.
type Comparison struct {
	Against    Against
	Worse      Direction
	Began      time.Time     // the change: what is older is before
	Over       time.Duration // how long it will be compared: looks are spread over it
	Step       time.Duration // distance of two samples
	MinSamples int           // fewer on either side: Inconclusive
	MinEffect  float64       // a smaller shift is no fault, as a part of the value: 0.01 is one hundredth
}

// State is what a look hands to the next; the zero State to the first. It is small, and stays so.
type State struct {
	Looks int     `json:"looks"` // the last part of Over that was looked at, of Looks
	Spent float64 `json:"spent"` // of Budget
	Last  Result  `json:"last"`
}

// Result is what a look finds.
type Result struct {
	Verdict api.Verdict `json:"verdict"` // Passed, Failed, Inconclusive; Error where the comparison itself is wrong
	Message string      `json:"message"`
	Effect  float64     `json:"effect"` // shift since the change, as a part of the value; above 0 is more
	P       float64     `json:"p"`      // chance of such a shift, or a worse one, where nothing changed
	Bound   float64     `json:"bound"`  // P at or under it is beyond chance at this look
	Samples int         `json:"samples"`
	Memory  float64     `json:"memory"` // how many samples in a row say as much as one; 1 where they are independent
}

// Look looks once. Between two looks that are due it repeats the last result, and a State that it has returned for the
// same time makes it return the same again: a look that is repeated after a crash pays once.
func (c Comparison) Look(d Data, earlier State, now time.Time) (Result, State) {
	if err := c.validate(d); err != nil {
		return Result{Verdict: api.Error, Message: "cannot compare: " + err.Error()}, earlier
	}
	elapsed := now.Sub(c.Began)
	if elapsed > c.Over+c.Over/Looks {
		return inconclusive("the %s of the comparison are over", c.Over), earlier
	}
	if first := c.first(); elapsed < first {
		return inconclusive("the first look is due %s after the change", first), earlier
	}
	part := min(int(elapsed*Looks/c.Over), Looks)
	if part <= earlier.Looks {
		return earlier.Last, earlier
	}
	seen, err := c.observe(d, elapsed)
	if err != nil {
		return inconclusive("%s", err), earlier
	}
	spent := spendable(float64(part) / Looks)
	found := c.judge(seen, spent-earlier.Spent)
	found.Message = fmt.Sprintf("%s (look %d of %d)", found.Message, part, Looks)
	return found, State{Looks: part, Spent: spent, Last: found}
}

// Due is when the next look is due. The first waits until there can be enough samples.
func (c Comparison) Due(s State) time.Time {
	return c.Began.Add(max(c.first(), time.Duration(s.Looks+1)*(c.Over/Looks)))
}

func (c Comparison) first() time.Duration {
	_, length := c.blocks()
	return max(c.Over/Looks, minNow*length, time.Duration(c.MinSamples)*c.Step)
}

// blocks is how many blocks a day has, all of them equally long.
func (c Comparison) blocks() (perDay int, length time.Duration) {
	perDay = max(1, int(day/max(c.Over/perSoak, c.Step)))
	return perDay, day / time.Duration(perDay)
}

func inconclusive(format string, args ...any) Result {
	return Result{Verdict: api.Inconclusive, Message: fmt.Sprintf(format, args...)}
}

func (c Comparison) validate(d Data) error {
	switch {
	case c.Over <= 0 || c.Step <= 0 || c.Over < minNow*c.Step:
		return fmt.Errorf("%s is too short for samples every %s: it takes %d of them", c.Over, c.Step, minNow)
	case c.Over > 366*day:
		return errors.New("it takes longer than a year")
	case c.MinSamples < 0 || int64(c.MinSamples) > int64(c.Over/c.Step):
		return fmt.Errorf("%d samples do not fit into %s, every %s", c.MinSamples, c.Over, c.Step)
	case !(c.MinEffect >= 0):
		return errors.New("the least effect is no number from 0 on")
	case c.Worse != Higher && c.Worse != Lower:
		return fmt.Errorf("%q is neither higher nor lower", c.Worse)
	case c.Against != Before && c.Against != StableUnits:
		return fmt.Errorf("%q is neither before nor stable-units", c.Against)
	case len(d.Stable) > MaxStable:
		return fmt.Errorf("%d units were not changed; %d can be looked at", len(d.Stable), MaxStable)
	}
	for _, s := range append(d.Stable, d.Changed) {
		if len(s) > MaxSamples {
			return fmt.Errorf("a series has %d samples; %d can be looked at", len(s), MaxSamples)
		}
	}
	return nil
}

// judge compares what is left since the change with what was left before it. bound is what this look may spend.
func (c Comparison) judge(seen observed, bound float64) Result {
	before, now := seen.before.values(), seen.now.values()
	shift := mean(now) - mean(before)
	if c.Worse == Lower {
		negate(before)
		negate(now)
	}
	found := Result{
		Verdict: api.Passed, Effect: seen.relative(shift), Bound: bound, Samples: seen.samples, Memory: seen.before.memory(),
	}
	found.P = upperTail(score(now, before) / math.Sqrt(found.Memory))
	figures := fmt.Sprintf("%s, p=%.2g, bound %.2g", percent(found.Effect), found.P, bound)
	switch {
	case found.P > bound:
		found.Message = "not worse beyond chance: " + figures
	case math.Abs(found.Effect) < c.MinEffect || (found.Effect > 0) != (c.Worse == Higher):
		found.Message = fmt.Sprintf("worse beyond chance, but by less than %.3g%%: %s", 100*c.MinEffect, figures)
	default:
		found.Verdict, found.Message = api.Failed, "worse beyond chance: "+figures
	}
	return found
}

func percent(part float64) string {
	if math.Abs(part) > 1e6 {
		return "from nothing"
	}
	return fmt.Sprintf("%+.1f%%", 100*part)
}
