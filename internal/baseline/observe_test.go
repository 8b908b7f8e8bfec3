package baseline

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestADayIsNotHeldAgainstItself(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		reason    string
		days, out []float64 // blocks of half a day, from two days before the change on
	}{
		{"two days before, and one since", []float64{10, 1, 20, 3, 99, 99}, []float64{20, 3, 10, 1, 15, 2}},
		{"a block that only one day has is compared with nothing", []float64{10, 1, nan, 3, 99, 99}, []float64{nan, 3, nan, 1, nan, 2}},
	} {
		got := daily(line{first: -4, blocks: c.days}, 2)
		if diff := cmp.Diff(c.out, got.blocks, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s:\n%s", c.reason, diff)
		}
	}
}
