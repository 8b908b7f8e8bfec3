package baseline

import "math"

// memory is how many blocks in a row say as much as one independent block: 1 + 2 * the sum of the autocorrelations of
// their ranks. Noise makes far ones wander about 0, so the sum ends as Geyer has shown for Markov chains (1992): sums of
// two neighbours are positive and fall, as long as they are more than noise.
func (l line) memory() float64 {
	ranks := l.ranks()
	spread := autocovariance(ranks, 0)
	if spread == 0 {
		return 1
	}
	total, least := -1.0, math.Inf(1)
	for lag := 0; lag < len(ranks)/3; lag += 2 {
		pair := (autocovariance(ranks, lag) + autocovariance(ranks, lag+1)) / spread
		if pair <= 0 {
			break
		}
		least = min(least, pair)
		total += 2 * least
	}
	return max(1, total)
}

// ranks are the ranks of the values around their mean, each in its block; NaN where there is none.
func (l line) ranks() []float64 {
	values := l.values()
	ranks, _ := midranks(values)
	out, next := make([]float64, len(l.blocks)), 0
	for i, v := range l.blocks {
		out[i] = v // NaN stays
		if !math.IsNaN(v) {
			out[i] = ranks[next] - float64(len(values)+1)/2
			next++
		}
	}
	return out
}

// autocovariance of values around 0 with those lag later, 0 where no two of them are so far apart. It falls with the lag
// as fewer pairs are left, which keeps the noise of far ones down.
func autocovariance(values []float64, lag int) float64 {
	sum, pairs := 0.0, 0
	for i, v := range values {
		if i+lag < len(values) && !math.IsNaN(v) && !math.IsNaN(values[i+lag]) {
			sum += v * values[i+lag]
			pairs++
		}
	}
	if pairs == 0 {
		return 0
	}
	return sum / float64(pairs) * float64(len(values)-lag) / float64(len(values))
}
