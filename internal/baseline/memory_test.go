package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMemoryIsHowManyBlocksSayAsMuchAsOne(t *testing.T) {
	for _, c := range []struct {
		reason      string
		follow      float64
		gaps        bool
		least, most float64
	}{
		{"independent values", 0, false, 1, 1.5},
		{"an AR(1) of one half: (1+0.5)/(1-0.5) is 3", 0.5, false, 2.2, 3.8},
		{"an AR(1) of 0.9: 19", 0.9, false, 12, 26},
		{"the same with every third block missing", 0.9, true, 12, 26},
	} {
		r := rand.New(rand.NewPCG(7, 7))
		l, v := line{}, 0.0
		for i := range 6000 {
			v = c.follow*v + math.Sqrt(1-c.follow*c.follow)*r.NormFloat64()
			l.blocks = append(l.blocks, math.Exp(v)) // ranks do not mind
			if c.gaps && i%3 == 0 {
				l.blocks[i] = math.NaN()
			}
		}
		if got := l.memory(); got < c.least || got > c.most {
			t.Errorf("%s: %.1f", c.reason, got)
		}
	}
	if got := (line{blocks: []float64{2, 2, 2, 2}}).memory(); got != 1 {
		t.Errorf("values that never change: %v", got)
	}
}
