package baseline

import (
	"math"
	"math/bits"
	"testing"
)

// TestScoreAgreesWithPublishedTables compares with critical values of U for one-sided tests, two samples of equal size
// (Mann and Whitney's tables as textbooks print them): the largest U of the smaller side that is significant. The normal
// approximation may miss the exact chance by a tenth.
func TestScoreAgreesWithPublishedTables(t *testing.T) {
	for _, c := range []struct{ size, at05, at025, at01 int }{
		{8, 15, 13, 9},
		{10, 27, 23, 19},
		{12, 42, 37, 31},
		{15, 72, 64, 56},
		{20, 138, 127, 114},
	} {
		for alpha, critical := range map[float64]int{0.05: c.at05, 0.025: c.at025, 0.01: c.at01} {
			if p := upperTail(score(withU(c.size, c.size*c.size-critical))); p > 1.1*alpha {
				t.Errorf("samples of %d, U %d: p is %.4f, and should be at most %v", c.size, critical, p, alpha)
			}
			if p := upperTail(score(withU(c.size, c.size*c.size-critical-1))); p < 0.9*alpha {
				t.Errorf("samples of %d, U %d: p is %.4f, and should be above %v", c.size, critical+1, p, alpha)
			}
		}
	}
}

// withU makes two samples of a size without ties, in which so many pairs have the larger value in a.
func withU(size, u int) (a, b []float64) {
	for i := range size {
		b = append(b, float64(i+1))
	}
	for range size {
		over := min(u, size)
		a = append(a, float64(over)+0.5+float64(len(a))/1000)
		u -= over
	}
	return a, b
}

// TestScoreIsNoSurerThanAllDraws draws a from all values in every possible way, and compares: an approximation may be
// less certain than the truth, but not much more, least of all where nearly all values are equal.
func TestScoreIsNoSurerThanAllDraws(t *testing.T) {
	for _, c := range []struct {
		reason string
		values []float64
	}{
		{"no ties", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}},
		{"rounded values", []float64{1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 7}},
		{"a few failures among successes", []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2}},
		{"one failure", []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
		{"mostly failures", []float64{0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		for _, size := range []int{8, 4} {
			for mask, p := range exactTails(c.values, size) {
				a, b := split(c.values, mask)
				if got := upperTail(score(a, b)); p < 0.05 && got < p/2 {
					t.Errorf("%s: p of %v is %.2g, and %.2g by all draws", c.reason, a, got, p)
					break
				}
			}
		}
	}
}

// exactTails is, for each draw of so many values, the part of all draws whose ranks add up to as much or more.
func exactTails(values []float64, size int) map[uint]float64 {
	ranks, _ := midranks(values)
	sums := map[uint]float64{}
	for mask := range uint(1) << len(values) {
		if bits.OnesCount(mask) == size {
			a, _ := split(ranks, mask)
			sums[mask] = mean(a)
		}
	}
	counts := map[float64]int{}
	for _, s := range sums {
		counts[s]++
	}
	tails := map[uint]float64{}
	for mask, s := range sums {
		n := 0
		for other, count := range counts {
			if other >= s {
				n += count
			}
		}
		tails[mask] = float64(n) / float64(len(sums))
	}
	return tails
}

func split(values []float64, mask uint) (in, out []float64) {
	for i, v := range values {
		if mask&(1<<i) != 0 {
			in = append(in, v)
			continue
		}
		out = append(out, v)
	}
	return in, out
}

func TestScoreOfEqualSamplesIsNothing(t *testing.T) {
	for _, c := range []struct {
		reason string
		a, b   []float64
	}{
		{"all values are equal", []float64{1, 1, 1}, []float64{1, 1}},
		{"the same values on either side", []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}},
	} {
		if got := score(c.a, c.b); got != 0 {
			t.Errorf("%s: %v", c.reason, got)
		}
	}
	if got := score([]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}); got >= 0 {
		t.Errorf("smaller values have score %v", got)
	}
}

func TestSpendingNeverExceedsItsBudget(t *testing.T) {
	last := 0.0
	for part := 1; part <= Looks; part++ {
		next := spendable(float64(part) / Looks)
		if next < last {
			t.Errorf("after part %d, %v may be spent, after %v before", part, next, last)
		}
		last = next
	}
	if math.Abs(last-Budget) > 1e-12 || spendable(2) != spendable(1) {
		t.Errorf("in the end %v may be spent of %v", last, Budget)
	}
}
