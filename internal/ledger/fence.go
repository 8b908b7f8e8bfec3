package ledger

import (
	"context"
	"math"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Fences numbers the runs of a component in a cluster.
type Fences interface {
	// NextFence returns a number for (cluster, component) that is above every number returned before it and above floor. A floor
	// that no number can be above is Invalid, and so is a negative one.
	NextFence(ctx context.Context, cluster string, subject api.Subject, floor int64) (int64, error)
}

// CheckFloor is Invalid where a floor is out of range.
func CheckFloor(floor int64) error {
	if floor < 0 || floor == math.MaxInt64 {
		return fault.New(fault.Invalid, "floor %d is out of range", floor)
	}
	return nil
}
