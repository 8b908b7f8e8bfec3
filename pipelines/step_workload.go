package pipelines

// Workload looks at the workloads of a unit: whether the pods of the new revision are ready and stay so, how often their containers
// were started again, why they wait, what Kubernetes warns of, whether somebody leads, and whether webhooks answer.
type Workload struct {
	// every pod of the new revision is ready, and no workload says that it has failed (kstatus); default true
	Ready *bool `json:"ready,omitempty"`
	// what else the change writes is ready too (kstatus), such as CustomResourceDefinitions, Services and Jobs; default that of ready
	Objects *bool `json:"objects,omitempty"`
	// how long a pod or object may be unready, as it is seen from here; default 5m
	ReadyWithin *Duration `json:"readyWithin,omitempty"`
	// starts of containers after the first, in all pods of the new revision together, of pods that were replaced meanwhile too;
	// default 0, -1 any number
	MaxRestarts *int `json:"maxRestarts,omitempty" range:"-1..1000000"`
	// why no container may wait; default those that do not pass by themselves, such as CrashLoopBackOff and ImagePullBackOff
	WaitingReasons []string        `json:"waitingReasons,omitempty" is:"reason" items:"1..50"`
	Events         []EventLimit    `json:"events,omitempty" items:"1..50"` // warnings that are not borne
	Leader         *LeaderElection `json:"leader,omitempty"`
	Webhooks       []WebhookRef    `json:"webhooks,omitempty" items:"1..20"` // every one of them must answer
}

// EventLimit is how many warnings of a reason about pods of the new revision are borne. Events get lost: that there are none says
// nothing, that there are some does.
type EventLimit struct {
	Reason string `json:"reason" is:"reason"`
	Max    int    `json:"max,omitempty" range:"0..1000000"` // default 0
}

// LeaderElection names the Lease by which a workload elects its leader: a pod of it must hold the Lease, and renew it before it
// runs out. Whether it is renewed goes by its changing, seen from here: clocks of other machines have no say.
type LeaderElection struct {
	Lease     string    `json:"lease" is:"text"`
	Namespace string    `json:"namespace,omitempty" is:"text"` // default that of the workload
	Within    *Duration `json:"within,omitempty"`              // how long there may be no leader; default 1m
}

// DefaultWaitingReasons are why no container may wait where a step names none.
func DefaultWaitingReasons() []string {
	return []string{
		"CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError",
		"RunContainerError", "PostStartHookError",
	}
}

func lintWorkload(l *linter, s *Step, at spot) {
	w := s.Workload
	l.wait(w.ReadyWithin, at.at("readyWithin"), "readyWithin")
	if w.Leader != nil {
		l.wait(w.Leader.Within, at.at("leader", "within"), "leader.within")
	}
	events := at.at("events")
	var reasons []string
	for _, e := range w.Events {
		reasons = append(reasons, e.Reason)
	}
	l.unique("event", reasons, func(i int) spot { return events.at(i) })
}

// LooksAtObjects reports whether what the change writes beside workloads must be ready.
func (w *Workload) LooksAtObjects() bool {
	if w.Objects != nil {
		return *w.Objects
	}
	return w.NeedsReady()
}

// NeedsReady reports whether pods must be ready.
func (w *Workload) NeedsReady() bool { return w.Ready == nil || *w.Ready }
