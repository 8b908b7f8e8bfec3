package baseline

import "math"

// spendable is how much of Budget may be spent once a part of the comparison's time is over: the function of O'Brien and
// Fleming's kind by Lan and DeMets (1983). It is small at first, when few samples say little, and leaves most to the end.
// Each look pays with what the function has grown by since the last that was held, and the chances of false alarms
// add up to no more than Budget, however the looks depend on each other.
func spendable(part float64) float64 {
	full := math.Sqrt2 * math.Erfcinv(Budget) // of a normal variable, more than this to either side with chance Budget
	return math.Erfc(full / math.Sqrt(2*min(part, 1)))
}
