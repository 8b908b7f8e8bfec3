package baseline_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/baseline"
)

var exhaustive = flag.Bool("exhaustive", false, "simulate 1,000 rollouts of every kind")

// sliceEnv names the commit that chooses which slice of the rollouts is played where not all of them are.
const sliceEnv = "SLUICE_SLICE"

// The rollouts of each kind, by seed, and the slices that they are played in. The whole table holds every slice, so that no commit
// meets one that fails.
const (
	rollouts = 1000
	slices   = 11
)

// sliceOf is the slice that a commit chooses.
func sliceOf(commit string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(commit))
	return int(h.Sum32() % slices)
}

// course is how a simulated series goes, minute by minute.
type course struct {
	name     string
	over     time.Duration // the soak
	follow   float64       // how much a minute follows the one before (AR(1))
	wave     float64       // how far it goes up and down with the day
	requests float64       // a minute, at the mean of the day
	gaps     float64       // how often, a minute, a gap of 5 to 40 minutes begins
}

var courses = []course{
	{name: "autocorrelated", over: 12 * time.Hour, follow: 0.9, requests: 600},
	{name: "daily", over: 6 * time.Hour, follow: 0.5, wave: 0.4, requests: 600},
	{name: "sparse", over: 24 * time.Hour, follow: 0.5, requests: 2, gaps: 1.0 / 240},
}

// metric is what is measured, and how it gets worse.
type metric struct {
	name      string
	worse     baseline.Direction
	minEffect float64
	bad       float64 // what the change does: a failure rate, or a factor
}

var metrics = []metric{
	{name: "success 99.5% to 97%", worse: baseline.Lower, minEffect: 0.01, bad: 0.03},
	{name: "latency +20%", worse: baseline.Higher, minEffect: 0.05, bad: 1.2},
}

const (
	historyDays = 3
	stableDays  = 2
	stableUnits = 3
)

// world makes the series of one rollout. Everything in it is random and follows from the seed.
type world struct {
	*rand.Rand
	course
	metric
	start time.Time
	phase float64    // of the day when the change begins
	peaks [8]float64 // how high the wave of a day is: no two days are alike
}

func (w world) series(level float64, days int, changed bool) []baseline.Sample {
	before := days * 24 * 60
	total := before + int(w.over/time.Minute)
	out := make([]baseline.Sample, 0, total)
	noise, silent := 0.0, 0
	const spread = 0.15
	for i := range total {
		noise = w.follow*noise + math.Sqrt(1-w.follow*w.follow)*w.NormFloat64()
		if silent > 0 {
			silent--
			continue
		}
		if w.gaps > 0 && w.Float64() < w.gaps {
			silent = 5 + w.IntN(35)
		}
		day := w.peaks[i/(24*60)] * math.Sin(2*math.Pi*float64(i-before)/(24*60)+w.phase)
		n := w.poisson(w.requests * (1 + w.wave*day))
		if n == 0 {
			continue
		}
		bad := changed && i >= before
		out = append(out, baseline.Sample{
			At:    w.start.Add(time.Duration(i-before) * time.Minute),
			Value: w.value(level, n, spread*noise, w.wave*day, bad),
		})
	}
	return out
}

func (w world) value(level float64, n int, noise, day float64, bad bool) float64 {
	if w.worse == baseline.Lower {
		rate := 0.005
		if bad {
			rate = w.bad
		}
		failures := min(n, w.poisson(float64(n)*rate*math.Exp(2*noise+day)))
		return 1 - float64(failures)/float64(n)
	}
	latency := level * math.Exp(noise+day/2+0.5*w.NormFloat64()/math.Sqrt(float64(n)))
	if bad {
		latency *= w.bad
	}
	return latency
}

// poisson draws a number of events; many are drawn as a normal number.
func (w world) poisson(mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*w.NormFloat64())))
	}
	n, left := 0, math.Exp(-mean)
	for p := w.Float64(); p > left; p *= w.Float64() {
		n++
	}
	return n
}

// tally is how simulated rollouts ended.
type tally struct {
	rollouts, stopped int
	untold            int           // Inconclusive at the end
	after             time.Duration // until they were stopped, all together
}

func (t *tally) add(o tally) {
	t.rollouts += o.rollouts
	t.stopped += o.stopped
	t.untold += o.untold
	t.after += o.after
}

// delay is how far into the soak a rollout was stopped on the average, in percent.
func (t *tally) delay(over time.Duration) float64 {
	return 100 * float64(t.after) / float64(over) / float64(max(1, t.stopped))
}

// rollout plays one soak, with the looks that a worker would take every five minutes.
func rollout(k kind, seed uint64, changed bool) (out tally) {
	r := rand.New(rand.NewPCG(seed, 1))
	w := world{Rand: r, course: k.course, metric: k.metric, start: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), phase: 2 * math.Pi * r.Float64()}
	for i := range w.peaks {
		w.peaks[i] = 1 + 0.1*r.NormFloat64()
	}
	d, days := baseline.Data{}, historyDays
	if k.against == baseline.StableUnits {
		days = stableDays
		for range stableUnits {
			d.Stable = append(d.Stable, w.series(50+100*r.Float64(), days, false))
		}
	}
	d.Changed = w.series(100, days, changed)
	comparison := baseline.Comparison{
		Against: k.against, Worse: k.worse, Began: w.start, Over: k.over, Step: time.Minute, MinSamples: 30, MinEffect: k.minEffect,
	}
	state, last := baseline.State{}, baseline.Result{}
	out.rollouts = 1
	for at := k.over / baseline.Looks; at <= k.over; at += 5 * time.Minute {
		last, state = comparison.Look(d, state, w.start.Add(at))
		if last.Verdict == api.Failed {
			out.stopped, out.after = 1, at
			return out
		}
	}
	if last.Verdict != api.Passed {
		out.untold = 1
	}
	return out
}

// kind is a series, what is measured of it, and what it is compared with.
type kind struct {
	course
	metric
	against baseline.Against
}

func kinds() (all []kind) {
	for _, c := range courses {
		for _, m := range metrics {
			all = append(all, kind{c, m, baseline.Before}, kind{c, m, baseline.StableUnits})
		}
	}
	return all
}

// TestFalseStopsAndFoundFaults holds the test to what is promised of it, over whole soaks: nothing is stopped without a
// change, and what got worse is found. A short run plays a slice, about 1,000 rollouts of either sort, which the commit chooses;
// -exhaustive plays 1,000 of each kind, and holds each kind and each slice.
func TestFalseStopsAndFoundFaults(t *testing.T) {
	commit := os.Getenv(sliceEnv)
	chosen := sliceOf(commit)
	var calm, worse [slices]tally
	for _, k := range kinds() {
		var c, w tally
		for seed := range rollouts {
			slice := seed % slices
			if !*exhaustive && slice != chosen {
				continue
			}
			still, changed := rollout(k, uint64(seed), false), rollout(k, uint64(seed), true)
			c.add(still)
			w.add(changed)
			calm[slice].add(still)
			worse[slice].add(changed)
		}
		t.Logf("%-14s %-20s %-12s soak %-4s %4d false stops of %d, %4d found of %d, after %2.0f%% of the soak; cannot tell: %d", k.course.name,
			k.metric.name, k.against, k.over, c.stopped, c.rollouts, w.stopped, w.rollouts, w.delay(k.over), c.untold+w.untold)
		if *exhaustive {
			hold(t, k.course.name+", "+k.metric.name+", "+string(k.against), c, w)
		}
	}
	var allCalm, allWorse tally
	for slice := range slices {
		if !*exhaustive && slice != chosen {
			continue
		}
		hold(t, fmt.Sprintf("slice %d of %d (commit %q)", slice+1, slices, commit), calm[slice], worse[slice])
		allCalm.add(calm[slice])
		allWorse.add(worse[slice])
	}
	what := fmt.Sprintf("slice %d of %d, of commit %q", chosen+1, slices, commit)
	if *exhaustive {
		what = "all slices"
	}
	t.Logf("%s: %d false stops in %d rollouts without change, %d of %d faults found", what,
		allCalm.stopped, allCalm.rollouts, allWorse.stopped, allWorse.rollouts)
}

// hold fails the test where more than 1% were stopped for nothing, or less than 95% of faults were found.
func hold(t *testing.T, name string, calm, worse tally) {
	t.Helper()
	if calm.stopped*100 > calm.rollouts {
		t.Errorf("%s: %d of %d rollouts without change were stopped", name, calm.stopped, calm.rollouts)
	}
	if worse.stopped*100 < 95*worse.rollouts {
		t.Errorf("%s: %d of %d faults were found", name, worse.stopped, worse.rollouts)
	}
	if calm.untold*100 > calm.rollouts {
		t.Errorf("%s: %d of %d rollouts without change ended without a verdict", name, calm.untold, calm.rollouts)
	}
}
