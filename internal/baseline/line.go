package baseline

import (
	"math"
	"time"
)

// grid is how time is cut into blocks of equal length. They are counted from the change: block -1 ends with it, block 0
// begins there.
type grid struct {
	began       time.Time
	length      time.Duration
	from, until int // until is the first that is not looked at
}

func (g grid) number(at time.Time) int {
	d := at.Sub(g.began)
	n := int(d / g.length)
	if d%g.length < 0 {
		n--
	}
	return n
}

func (g grid) perDay() int {
	return int(day / g.length)
}

// oldest is the block of the first sample; no more blocks than a series can have samples.
func (g grid) oldest(samples []Sample) int {
	for _, s := range samples {
		if s.real() {
			return max(g.number(s.At), -MaxSamples)
		}
	}
	return 0
}

func (s Sample) real() bool {
	return !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0)
}

// line is a series in the blocks of a grid, the mean of the samples of each; NaN where there is none.
type line struct {
	first  int // number of blocks[0]
	blocks []float64
	counts []int // of the samples in a block; nil where it was made of none
}

func (g grid) average(samples []Sample) line {
	size := max(0, g.until-g.from)
	l := line{first: g.from, blocks: make([]float64, size), counts: make([]int, size)}
	for _, s := range samples {
		if i := g.number(s.At) - g.from; s.real() && i >= 0 && i < size {
			l.blocks[i] += s.Value
			l.counts[i]++
		}
	}
	for i, n := range l.counts {
		l.blocks[i] /= float64(n) // 0/0 is NaN
	}
	return l
}

// part is the blocks from..until-1 of a line.
func (l line) part(from, until int) line {
	out := line{first: from, blocks: l.blocks[from-l.first : until-l.first]}
	if l.counts != nil {
		out.counts = l.counts[from-l.first : until-l.first]
	}
	return out
}

// samples is how many samples are in the blocks.
func (l line) samples() (n int) {
	for _, c := range l.counts {
		n += c
	}
	return n
}

// values are the blocks that have one, in order.
func (l line) values() []float64 {
	out := make([]float64, 0, len(l.blocks))
	for _, v := range l.blocks {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

// positive says whether all values are above 0.
func (l line) positive() bool {
	for _, v := range l.blocks {
		if v <= 0 {
			return false
		}
	}
	return true
}

// covered is the part of the blocks that have a value.
func (l line) covered() float64 {
	return float64(len(l.values())) / float64(len(l.blocks))
}

// silence is the longest run of blocks without a value, and how long the one at the end is.
func (l line) silence() (longest, last int) {
	for _, v := range l.blocks {
		last++
		if !math.IsNaN(v) {
			last = 0
		}
		longest = max(longest, last)
	}
	return longest, last
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func negate(values []float64) {
	for i := range values {
		values[i] = -values[i]
	}
}
