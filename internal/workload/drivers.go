package workload

import "k8s.io/utils/clock"

// Drivers returns every driver there is.
func Drivers() []Driver {
	on := clock.RealClock{}
	return []Driver{
		New(deployment{}, on), // the lock on minReadySeconds: the stock controller keeps the ceiling
		New(daemonSet{}, on),  // OnDelete: Sluice evicts the pods itself, node by node
	}
}
