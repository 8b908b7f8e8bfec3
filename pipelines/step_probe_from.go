package pipelines

import (
	"cmp"
	"time"
)

// ProbeFrom is where a probe is asked from.
type ProbeFrom string

// The places: the worker itself, or a pod in the cluster of the unit, one for each measurement.
const (
	FromWorker  ProbeFrom = "worker"
	FromCluster ProbeFrom = "cluster"
)

func (ProbeFrom) values() []string { return []string{string(FromWorker), string(FromCluster)} }

// ProbePod is the pod that asks from inside a cluster.
type ProbePod struct {
	Namespace    string            `json:"namespace,omitempty" is:"text"` // where it runs; default sluice-system
	Profile      PodProfile        `json:"profile,omitempty"`             // what it may do; default restricted
	NodeSelector map[string]string `json:"nodeSelector,omitempty" keys:"labelKey" is:"labelValue" items:"1..20" expand:"-"`
}

// leastInside is how long lies between two pods of one step at least, and lies where a step does not say.
const leastInside = 30 * time.Second

// Aim is whom a probe asks, and from where; nil where the step is no probe.
func (k *StepKinds) Aim() *ProbeAim {
	switch {
	case k.HTTP != nil:
		return &k.HTTP.ProbeAim
	case k.TCP != nil:
		return &k.TCP.ProbeAim
	case k.DNS != nil:
		return &k.DNS.ProbeAim
	case k.Certificate != nil:
		return &k.Certificate.ProbeAim
	}
	return nil
}

// FromCluster reports whether the step asks by a pod in the cluster.
func (k *StepKinds) FromCluster() bool {
	aim := k.Aim()
	return aim != nil && aim.From == FromCluster
}

// inside are the rights that a probe from inside a cluster needs.
func (a *ProbeAim) inside() []string {
	pod := ProbePod{}
	if a.Pod != nil {
		pod = *a.Pod
	}
	does := []string{
		"creates pods of the image of the worker's --prober-image in namespace " + cmp.Or(pod.Namespace, "sluice-system") +
			" (profile " + string(cmp.Or(pod.Profile, ProfileRestricted)) + "), and deletes them",
	}
	if pod.Profile == ProfileHostNetwork {
		does = append(does, hostNetworkRight)
	}
	return does
}

// from checks where a probe is asked from, at the step.
func (l *linter) from(s *Step, at spot) {
	aim := s.Aim()
	if aim == nil {
		return
	}
	if aim.From != FromCluster {
		if aim.Pod != nil {
			l.report.addAt(at.at(s.Kind()).key("pod"), "pod goes with from: cluster")
		}
		return
	}
	if s.Interval != nil && s.Interval.Std() < leastInside {
		l.report.addAt(at.at("interval"), "interval must be at least %s with from: cluster: each measurement is a pod", Duration(leastInside))
	}
}

// paced is how a step is measured, with what holds for pods where it does not say.
func (s *Step) paced() Repeat {
	r := s.Repeat
	if s.FromCluster() && r.Interval == nil {
		r.Interval = new(Duration(leastInside))
	}
	return r
}
