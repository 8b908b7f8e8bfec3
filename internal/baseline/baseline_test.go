package baseline_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/baseline"
)

var began = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// minutes are samples a minute apart, from so many days before the change until hours after it. value is told the minute
// since the change, and noise with a standard deviation of 1.
func minutes(days, hours int, value func(minute int, noise float64) float64) (out []baseline.Sample) {
	r := rand.New(rand.NewPCG(3, uint64(days*100+hours)))
	for m := -days * 24 * 60; m < hours*60; m++ {
		out = append(out, baseline.Sample{At: began.Add(time.Duration(m) * time.Minute), Value: value(m, r.NormFloat64())})
	}
	return out
}

// calm is a value of about 100.
func calm(_ int, noise float64) float64 { return 100 + 3*noise }

// raised is calm, and so many times as much from a minute on.
func raised(factor float64, from int) func(int, float64) float64 {
	return func(m int, noise float64) float64 {
		if m >= from {
			return factor * calm(m, noise)
		}
		return calm(m, noise)
	}
}

// waving goes up and down by a half with the day, and is at its highest when the change begins.
func waving(m int, noise float64) float64 {
	return calm(m, noise) * (1 + 0.5*math.Cos(2*math.Pi*float64(m)/(24*60)))
}

func comparison() baseline.Comparison {
	return baseline.Comparison{
		Against: baseline.Before, Worse: baseline.Higher, Began: began, Over: 6 * time.Hour, Step: time.Minute,
		MinSamples: 30, MinEffect: 0.02,
	}
}

func TestLook(t *testing.T) {
	without := func(samples []baseline.Sample, from, until int) (out []baseline.Sample) {
		for _, s := range samples {
			if m := s.At.Sub(began).Minutes(); m < float64(from) || m >= float64(until) {
				out = append(out, s)
			}
		}
		return out
	}
	for _, c := range []struct {
		reason  string
		ask     func(*baseline.Comparison)
		data    baseline.Data
		at      time.Duration
		want    api.Verdict
		message string
	}{
		{reason: "nothing changed", data: baseline.Data{Changed: minutes(3, 6, calm)}, want: api.Passed, message: "not worse"},
		{reason: "a tenth more is found", data: baseline.Data{Changed: minutes(3, 6, raised(1.1, 0))}, want: api.Failed, message: "+9.9%"},
		{reason: "a tenth less is no fault where more is worse", data: baseline.Data{Changed: minutes(3, 6, raised(0.9, 0))}, want: api.Passed},
		{reason: "a tenth less is found where less is worse", data: baseline.Data{Changed: minutes(3, 6, raised(0.9, 0))},
			ask: func(c *baseline.Comparison) { c.Worse = baseline.Lower }, want: api.Failed, message: "-10.1%"},
		{reason: "a shift that is certain and too small to matter", data: baseline.Data{Changed: minutes(3, 6, raised(1.012, 0))},
			want: api.Passed, message: "beyond chance, but by less than 2%"},
		{reason: "the same shift, where it matters", data: baseline.Data{Changed: minutes(3, 6, raised(1.012, 0))},
			ask: func(c *baseline.Comparison) { c.MinEffect = 0.001 }, want: api.Failed},
		{reason: "the peak of every day is no fault", data: baseline.Data{Changed: minutes(3, 6, waving)}, want: api.Passed},
		{reason: "a spike of a minute is no fault", data: baseline.Data{Changed: minutes(3, 6, func(m int, noise float64) float64 {
			if m == 100 {
				return 1e9
			}
			return calm(m, noise)
		})}, want: api.Passed},
		{reason: "errors where there never were any", data: baseline.Data{Changed: minutes(3, 6, func(m int, _ float64) float64 {
			if m > 0 && m%3 == 0 {
				return 1
			}
			return 0
		})}, want: api.Failed},
		{reason: "no errors, as ever", data: baseline.Data{Changed: minutes(3, 6, func(int, float64) float64 { return 0 })}, want: api.Passed},

		{reason: "no data at all", want: api.Inconclusive, message: "no data from before the change"},
		{reason: "no data since", data: baseline.Data{Changed: minutes(3, 0, calm)}, want: api.Inconclusive, message: "0 since"},
		{reason: "nothing but NaN and infinite values", data: baseline.Data{Changed: minutes(3, 6, func(m int, _ float64) float64 {
			return []float64{math.NaN(), math.Inf(1)}[(m+1e6)%2]
		})}, want: api.Inconclusive, message: "no data from before"},
		{reason: "NaN since the change", data: baseline.Data{Changed: minutes(3, 6, func(m int, noise float64) float64 {
			if m >= 0 {
				return math.NaN()
			}
			return calm(m, noise)
		})}, want: api.Inconclusive, message: "0 since"},
		{reason: "a series that stopped an hour ago", data: baseline.Data{Changed: without(minutes(3, 6, calm), 300, 360)},
			want: api.Inconclusive, message: "no data for 1h"},
		{reason: "most of the time has no data", data: baseline.Data{Changed: without(minutes(3, 6, calm), 20, 300)},
			want: api.Inconclusive, message: "% of the time since the change has data"},
		{reason: "one day before does not tell what a day is like", data: baseline.Data{Changed: minutes(1, 6, calm)},
			want: api.Inconclusive, message: "1 whole days"},
		{reason: "before the first look", data: baseline.Data{Changed: minutes(3, 6, calm)}, at: 20 * time.Minute,
			want: api.Inconclusive, message: "first look is due"},
		{reason: "a clock that went back", data: baseline.Data{Changed: minutes(3, 6, calm)}, at: -time.Hour,
			want: api.Inconclusive, message: "first look is due"},
		{reason: "long after the comparison", data: baseline.Data{Changed: minutes(3, 9, calm)}, at: 9 * time.Hour,
			want: api.Inconclusive, message: "are over"},
		{reason: "more samples are wanted than there can be yet", data: baseline.Data{Changed: minutes(3, 6, calm)}, at: 100 * time.Minute,
			ask: func(c *baseline.Comparison) { c.MinSamples = 120 }, want: api.Inconclusive, message: "first look is due 2h"},
		{reason: "fewer samples than there should be", data: baseline.Data{Changed: without(minutes(3, 6, calm), 20, 160)}, at: 3 * time.Hour,
			ask: func(c *baseline.Comparison) { c.MinSamples = 60 }, want: api.Inconclusive, message: "40 since: it takes 60"},
		{reason: "samples of the future are not looked at", data: baseline.Data{Changed: minutes(3, 6, raised(2, 185))}, at: 3 * time.Hour,
			want: api.Passed},

		{reason: "no direction", ask: func(c *baseline.Comparison) { c.Worse = "" }, want: api.Error, message: "neither higher nor lower"},
		{reason: "nothing to hold it against", ask: func(c *baseline.Comparison) { c.Against = "" }, want: api.Error, message: "neither before"},
		{reason: "no time", ask: func(c *baseline.Comparison) { c.Over = 0 }, want: api.Error, message: "too short"},
		{reason: "more samples than fit in", ask: func(c *baseline.Comparison) { c.MinSamples = 400 }, want: api.Error, message: "do not fit"},
		{reason: "an effect that is no number", ask: func(c *baseline.Comparison) { c.MinEffect = math.NaN() }, want: api.Error,
			message: "least effect"},
		{reason: "more samples than can be looked at", data: baseline.Data{Changed: minutes(40, 6, calm)}, want: api.Error,
			message: "a series has"},
	} {
		ask, at := comparison(), 6*time.Hour
		if c.ask != nil {
			c.ask(&ask)
		}
		if c.at != 0 {
			at = c.at
		}
		got, _ := ask.Look(c.data, baseline.State{}, began.Add(at))
		if got.Verdict != c.want || !strings.Contains(got.Message, c.message) {
			t.Errorf("%s: %s %q, want %s %q", c.reason, got.Verdict, got.Message, c.want, c.message)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

// TestStableUnitsSeeThroughAnIncident has a trouble that everybody shares: it is no fault of the change, and does not hide one.
func TestStableUnitsSeeThroughAnIncident(t *testing.T) {
	incident := func(level, factor float64) func(int, float64) float64 {
		return func(m int, noise float64) float64 {
			v := level * calm(m, noise)
			if m >= 60 {
				v *= 1.5
			}
			if m >= 0 {
				v *= factor
			}
			return v
		}
	}
	stable := [][]baseline.Sample{minutes(2, 6, incident(0.5, 1)), minutes(2, 6, incident(3, 1)), minutes(2, 6, incident(1, 1))}
	for _, c := range []struct {
		reason  string
		against baseline.Against
		changed []baseline.Sample
		stable  [][]baseline.Sample
		want    api.Verdict
	}{
		{"everybody is slower", baseline.StableUnits, minutes(3, 6, incident(1, 1)), stable, api.Passed},
		{"the time before cannot know that", baseline.Before, minutes(3, 6, incident(1, 1)), nil, api.Failed},
		{"slower than everybody", baseline.StableUnits, minutes(3, 6, incident(1, 1.1)), stable, api.Failed},
		{"there is no unit to compare with", baseline.StableUnits, minutes(3, 6, incident(1, 1)), nil, api.Inconclusive},
		{"units of which nobody knows what they were before", baseline.StableUnits, minutes(3, 6, calm),
			[][]baseline.Sample{minutes(0, 6, calm)}, api.Inconclusive},
	} {
		ask := comparison()
		ask.Against = c.against
		got, _ := ask.Look(baseline.Data{Changed: c.changed, Stable: c.stable}, baseline.State{}, began.Add(6*time.Hour))
		if got.Verdict != c.want {
			t.Errorf("%s: %s %q, want %s", c.reason, got.Verdict, got.Message, c.want)
		}
	}
}

// TestASlowWaveIsOneWitness has the same shift in two series: one whose minutes know nothing of each other, and one that stays
// what it is for two hours, so that six hours are only three numbers.
func TestASlowWaveIsOneWitness(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	held := 0.0
	slow := minutes(7, 6, func(m int, _ float64) float64 {
		if m%120 == 0 {
			held = r.NormFloat64()
		}
		v := 100 + 3*held
		if m >= 0 {
			v += 3
		}
		return v
	})
	quick := minutes(7, 6, raised(1.03, 0))
	for _, c := range []struct {
		reason string
		data   []baseline.Sample
		want   api.Verdict
	}{
		{"every minute is a witness", quick, api.Failed},
		{"two hours are one", slow, api.Passed},
	} {
		got, _ := comparison().Look(baseline.Data{Changed: c.data}, baseline.State{}, began.Add(6*time.Hour))
		if got.Verdict != c.want || got.Effect < 0.02 {
			t.Errorf("%s: %s %q with a memory of %.1f, want %s", c.reason, got.Verdict, got.Message, got.Memory, c.want)
		}
	}
}

// TestALookCountsOnce plays looks every five minutes, each twice, as after a crash, and with its state through JSON.
func TestALookCountsOnce(t *testing.T) {
	d, state := baseline.Data{Changed: minutes(3, 6, calm)}, baseline.State{}
	ask, paid, bounds := comparison(), 0, 0.0
	for at := time.Duration(0); at <= ask.Over; at += 5 * time.Minute {
		result, next := ask.Look(d, state, began.Add(at))
		again, same := ask.Look(d, state, began.Add(at))
		if diff := cmp.Diff(result, again) + cmp.Diff(next, same); diff != "" {
			t.Fatalf("the look after %s is another when it is repeated:\n%s", at, diff)
		}
		if repeated, kept := ask.Look(d, next, began.Add(at+time.Second)); at > time.Hour && (repeated != result || kept != next) {
			t.Errorf("the look after %s counts twice: %+v, then %+v", at, next, kept)
		}
		if next.Spent > state.Spent {
			if due := ask.Due(state); began.Add(at).Before(due) {
				t.Errorf("a look after %s, and the next was due at %s", at, due)
			}
			paid++
			bounds += result.Bound
		}
		text, err := json.Marshal(next)
		if err != nil || len(text) > 1024 {
			t.Fatalf("a state takes %d bytes: %v", len(text), err)
		}
		state = baseline.State{}
		if err := json.Unmarshal(text, &state); err != nil {
			t.Fatal(err)
		}
	}
	if math.Abs(bounds-baseline.Budget) > 1e-12 {
		t.Errorf("the bounds of all looks add up to %v, not to %v", bounds, baseline.Budget)
	}
	if math.Abs(state.Spent-baseline.Budget) > 1e-12 || paid > baseline.Looks {
		t.Errorf("%d looks spent %v of %v", paid, state.Spent, baseline.Budget)
	}
	late, after := ask.Look(d, baseline.State{}, began.Add(ask.Over))
	if math.Abs(late.Bound-baseline.Budget) > 1e-12 || after.Looks != baseline.Looks {
		t.Errorf("looks that were missed are not left to the last: %+v", after)
	}
}
