package baseline

import (
	"fmt"
	"math"
	"time"
)

// observed is what is left of the changed series once what everybody does at that time is taken off.
type observed struct {
	before, now line
	level       float64 // what a shift is a part of: the value before; 1 where what is left is a part already
	samples     int     // of the changed series since the change
}

// relative is a shift as a part of the value. A shift from nothing is the largest number that JSON can say.
func (o observed) relative(shift float64) float64 {
	if shift == 0 {
		return 0
	}
	return max(-math.MaxFloat64, min(shift/o.level, math.MaxFloat64))
}

// observe takes the samples up to the last block that is complete. Its error says what is missing to tell anything.
func (c Comparison) observe(d Data, elapsed time.Duration) (observed, error) {
	perDay, length := c.blocks()
	grid := grid{began: c.Began, length: length, until: int(elapsed / length)}
	grid.from = grid.oldest(d.Changed)
	changed := grid.average(d.Changed)
	if err := c.enough(changed, grid); err != nil {
		return observed{}, err
	}
	before := changed.part(grid.from, 0)
	o := observed{level: 1, samples: changed.part(0, grid.until).samples()}
	positive, usual := before.positive(), daily(changed, perDay)
	if c.Against == StableUnits {
		positive, usual = grid.meanwhile(d.Stable, mean(before.values()), positive)
	}
	if !positive {
		o.level = math.Abs(mean(before.values()))
	}
	rest := line{first: grid.from, blocks: make([]float64, len(changed.blocks))}
	for i, v := range changed.blocks {
		rest.blocks[i] = v - usual.blocks[i]
		if positive {
			rest.blocks[i] = v/usual.blocks[i] - 1
		}
	}
	o.before, o.now = rest.part(grid.from, 0), rest.part(0, grid.until)
	if n, m := len(o.before.values()), len(o.now.values()); n < minBefore || m < minNow {
		return o, fmt.Errorf("%d blocks of %s before the change and %d since can be compared; it takes %d and %d",
			n, grid.length.Round(time.Second), m, minBefore, minNow)
	}
	return o, nil
}

// enough says what is missing of the changed series itself.
func (c Comparison) enough(changed line, g grid) error {
	if len(changed.blocks) == 0 || g.from >= 0 {
		return fmt.Errorf("no data from before the change")
	}
	before, now := changed.part(g.from, 0), changed.part(0, g.until)
	if m, n := before.samples(), now.samples(); m < c.MinSamples || n < c.MinSamples {
		return fmt.Errorf("%d samples before the change and %d since: it takes %d", m, n, c.MinSamples)
	}
	if days := -g.from / g.perDay(); c.Against == Before && days < minDays {
		return fmt.Errorf("%d whole days of data before the change: it takes %d to know what a day looks like", days, minDays)
	}
	longest, _ := before.silence()
	if _, last := now.silence(); last > max(2*longest, 2) {
		return fmt.Errorf("no data for %s; before the change never for more than %s",
			(time.Duration(last) * g.length).Round(time.Second), (time.Duration(longest) * g.length).Round(time.Second))
	}
	if share, was := now.covered(), before.covered(); share < was/2 {
		return fmt.Errorf("only %.0f%% of the time since the change has data; before it %.0f%% had", 100*share, 100*was)
	}
	return nil
}

// daily is what a series is at the same time of the other days before the change: a day is not compared with itself.
func daily(l line, perDay int) line {
	sums, days := make([]float64, perDay), make([]int, perDay)
	for i, v := range l.blocks {
		if number := l.first + i; number < 0 && !math.IsNaN(v) {
			sums[timeOfDay(number, perDay)] += v
			days[timeOfDay(number, perDay)]++
		}
	}
	out := line{first: l.first, blocks: make([]float64, len(l.blocks))}
	for i, v := range l.blocks {
		number := l.first + i
		at := timeOfDay(number, perDay)
		sum, n := sums[at], days[at]
		if n < minDays {
			out.blocks[i] = math.NaN()
			continue
		}
		if number < 0 {
			sum, n = sum-v, n-1
		}
		out.blocks[i] = sum / float64(n)
	}
	return out
}

func timeOfDay(number, perDay int) int {
	return ((number % perDay) + perDay) % perDay
}

// meanwhile is what the changed series would be if it did what the stable units do: their mean course, each as a part of
// what it was before (or, where values are not all above 0, what it is more than before), from the level of the changed one.
func (g grid) meanwhile(stable [][]Sample, level float64, positive bool) (bool, line) {
	lines := make([]line, 0, len(stable))
	for _, samples := range stable {
		l := g.average(samples)
		before := l.part(g.from, 0)
		if len(before.values()) < minBefore {
			continue // nobody knows what it was before
		}
		positive = positive && before.positive()
		lines = append(lines, l)
	}
	sums, units := make([]float64, g.until-g.from), make([]int, g.until-g.from)
	for _, l := range lines {
		was := mean(l.part(g.from, 0).values())
		for i, v := range l.blocks {
			if math.IsNaN(v) {
				continue
			}
			units[i]++
			if positive {
				sums[i] += v / was
				continue
			}
			sums[i] += v - was
		}
	}
	for i, n := range units {
		course := sums[i] / float64(n) // 0/0 is NaN: nobody to compare with
		sums[i] = level + course
		if positive {
			sums[i] = level * course
		}
	}
	return positive, line{first: g.from, blocks: sums}
}
