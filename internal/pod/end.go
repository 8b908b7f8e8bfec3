package pod

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// End is how a pod ended, or why it will never begin.
type End struct {
	// Exit is the exit status of its program; only where Reason is "".
	Exit int32
	// Reason is why its program did not come to an end of its own, in Kubernetes' words where it has one: OOMKilled, Evicted,
	// DeadlineExceeded, ImagePullBackOff, NotStarted, Deleted.
	Reason string
	// Said is its termination message; where it failed without one, the end of its log; where Reason is set, what Kubernetes says.
	Said string
	Node string
	// Took is for how long its program ran, by the clock of its node.
	Took time.Duration
}

// Reasons that Kubernetes has no word for.
const (
	Deleted    = "Deleted"    // somebody else took it away before it had ended
	NotStarted = "NotStarted" // it did not begin in the time it was given
	Lost       = "Lost"       // its node does not say what became of it
)

// broken are the reasons of a container that is over without having come to an end of its own.
var broken = []string{"OOMKilled", "StartError", "ContainerCannotRun", "ContainerStatusUnknown", "DeadlineExceeded"}

// hopeless are the reasons of a container that waits for what does not come by waiting. ErrImagePull is not among them: it is tried
// again, and is ImagePullBackOff then.
var hopeless = []string{
	"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ErrInvalidImageName", "ImageInspectError", "CreateContainerConfigError",
	"CreateContainerError", "RunContainerError",
}

// EndOf returns how a pod ended. It is false as long as the pod runs, or may yet.
func EndOf(p *corev1.Pod) (End, bool) {
	end := End{Node: p.Spec.NodeName}
	var state corev1.ContainerState
	if i := slices.IndexFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == container }); i >= 0 {
		state = p.Status.ContainerStatuses[i].State
	}
	if t := state.Terminated; t != nil {
		end.Exit, end.Said, end.Took = t.ExitCode, t.Message, t.FinishedAt.Sub(t.StartedAt.Time)
		end.Reason = disturbed(p, t)
		if end.Reason != "" && end.Said == "" {
			end.Said = p.Status.Message
		}
		return end, true
	}
	switch {
	case p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodUnknown:
		end.Reason, end.Said = cmp.Or(p.Status.Reason, Lost), p.Status.Message
	case p.DeletionTimestamp != nil:
		end.Reason, end.Said = cmp.Or(disruption(p), Deleted), p.Status.Message
	case state.Waiting != nil && slices.Contains(hopeless, state.Waiting.Reason):
		end.Reason, end.Said = state.Waiting.Reason, state.Waiting.Message
	default:
		return End{}, false
	}
	return end, true
}

// disturbed is why a program that is over was ended by somebody else; "" where it ended by itself. One that succeeded has.
func disturbed(p *corev1.Pod, t *corev1.ContainerStateTerminated) string {
	switch {
	case slices.Contains(broken, t.Reason):
		return t.Reason
	case t.ExitCode == 0:
		return ""
	case p.Status.Reason != "":
		return p.Status.Reason
	case disruption(p) != "":
		return disruption(p)
	case p.DeletionTimestamp != nil:
		return Deleted
	}
	return ""
}

// disruption is why the cluster takes a pod away: a drain, a preemption, a node that is lost.
func disruption(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return c.Reason
		}
	}
	return ""
}

// Started reports whether the program of a pod has begun.
func Started(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// Waits says what a pod that has not begun waits for.
func Waits(p *corev1.Pod) string {
	for _, s := range p.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" {
			return joined(w.Reason, w.Message)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return joined(c.Reason, c.Message)
		}
	}
	if p.Spec.NodeName != "" {
		return "node " + p.Spec.NodeName + " has not begun it"
	}
	return "it has no node yet"
}

func joined(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + message
}

// keepSucceeded is for how long a pod stays that has succeeded: whoever was killed while it ended still finds it.
const keepSucceeded = 10 * time.Minute

// Expires returns when a pod that has ended can be taken away, by the clock of its node. It is false for one that has not ended.
func Expires(p *corev1.Pod) (time.Time, bool) {
	end, ended := EndOf(p)
	if !ended {
		return time.Time{}, false
	}
	at := p.CreationTimestamp.Time
	for _, s := range p.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil && t.FinishedAt.After(at) {
			at = t.FinishedAt.Time
		}
	}
	if end.Reason == "" && end.Exit == 0 {
		return at.Add(keepSucceeded), true
	}
	keep, err := time.ParseDuration(p.Annotations[annotationKeep])
	if err != nil || keep < keepSucceeded {
		keep = keepSucceeded
	}
	return at.Add(keep), true
}
