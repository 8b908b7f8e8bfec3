package api

import "time"

// Stuck is what keeps a batch from getting on: a few of the pods, with how many more there are, and the pods that nobody makes.
type Stuck struct {
	Pods    []Pod `json:"pods,omitempty"`
	More    int   `json:"more,omitempty"`    // pods in the same state that are not listed
	Missing int   `json:"missing,omitempty"` // pods that the workload should have and that its controller has not made
}

// Pod is a pod that is not as it should be.
type Pod struct {
	Name      string `json:"name"`
	Node      string `json:"node,omitempty"`
	Container string `json:"container,omitempty"`
	Image     string `json:"image,omitempty"`
	// As Kubernetes calls it: ImagePullBackOff, CrashLoopBackOff, Unschedulable; else NotReady or Terminating.
	Reason   string    `json:"reason"`
	Message  string    `json:"message,omitempty"`
	Restarts int       `json:"restarts,omitempty"`
	Since    time.Time `json:"since,omitzero"`   // as the cluster's clock says
	Events   []string  `json:"events,omitempty"` // the last warnings about it, the latest first
}
