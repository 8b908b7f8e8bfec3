package workload

// Drivers returns every driver there is, in the order in which they are shown.
func Drivers() []Driver {
	return []Driver{
		deployment{}, // the lock on minReadySeconds: the stock controller keeps the ceiling
		daemonSet{},  // OnDelete: Sluice evicts the pods itself, node by node
	}
}
