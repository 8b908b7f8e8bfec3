package baseline

import (
	"math"
	"slices"
)

// score is how far the Mann-Whitney U of a over b lies above what chance makes of it, in standard deviations: above 0, a
// has the larger values. Equal values share the mean of their ranks. Under the null hypothesis a is drawn from all values
// without replacement: the mean, spread and skew of U follow from the ranks, ties and all. Skew matters where nearly all
// values are equal (no failures, mostly): there the normal distribution alone would find a single odd block significant.
func score(a, b []float64) float64 {
	all := slices.Concat(a, b)
	ranks, step := midranks(all)
	sum := 0.0
	for _, r := range ranks[:len(a)] {
		sum += r
	}
	n, size := float64(len(a)), float64(len(all))
	center := (size + 1) / 2
	var second, third float64
	for _, r := range ranks {
		d := r - center
		second += d * d
		third += d * d * d
	}
	second, third = second/size, third/size
	if second == 0 {
		return 0 // all values are equal
	}
	spread := math.Sqrt(n * second * (size - n) / (size - 1))
	skew := n * third * (size - n) * (size - 2*n) / ((size - 1) * (size - 2)) / (spread * spread * spread)
	over := sum - n*center
	z := math.Copysign(max(0, math.Abs(over)-step/2), over) / spread // U moves in steps: the correction for continuity
	if skew < 1e-6 || z <= 0 {
		return z // a skew to the other side would only make the score larger
	}
	// A gamma variable of that skew, of which Wilson and Hilferty's cube root is nearly normal.
	shape := 4 / (skew * skew)
	return max(0, 3*math.Sqrt(shape)*(math.Cbrt(1+z/math.Sqrt(shape))-1+1/(9*shape)))
}

// midranks ranks values from 1; equal ones get the mean of their ranks. step is the least distance of two ranks.
func midranks(values []float64) (ranks []float64, step float64) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case values[i] < values[j]:
			return -1
		case values[i] > values[j]:
			return 1
		}
		return 0
	})
	ranks, step = make([]float64, len(values)), float64(len(values))
	last := math.Inf(-1)
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		rank := float64(i+1+j) / 2
		for _, at := range order[i:j] {
			ranks[at] = rank
		}
		step, last, i = min(step, rank-last), rank, j
	}
	return ranks, step
}

// upperTail is the chance that a standard normal variable is at least z.
func upperTail(z float64) float64 {
	return math.Erfc(z/math.Sqrt2) / 2
}
