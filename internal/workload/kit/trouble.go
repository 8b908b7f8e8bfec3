package kit

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// trouble is why a pod is not ready, or was not: what a person would look for in its status.
type trouble struct {
	container string
	image     string
	reason    string // "" where nothing is wrong
	message   string
	since     time.Time
}

// ordinary are the reasons for which every container waits for a moment.
var ordinary = []string{"", "ContainerCreating", "PodInitializing"}

// troubleOf reads a pod's status: a container that waits for something out of the ordinary, else one that has died, else the
// scheduler's word, else the first container that is not ready.
func troubleOf(typed *corev1.Pod) trouble {
	all := slices.Concat(typed.Status.InitContainerStatuses, typed.Status.ContainerStatuses)
	since := typed.CreationTimestamp.Time
	for _, c := range typed.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			since = c.LastTransitionTime.Time
		}
	}
	if typed.DeletionTimestamp != nil {
		return trouble{reason: "Terminating", message: "it was told to go and is still there", since: typed.DeletionTimestamp.Time}
	}
	for _, c := range all {
		if w := c.State.Waiting; w != nil && !slices.Contains(ordinary, w.Reason) {
			return trouble{c.Name, c.Image, w.Reason, clipped(withDeath(w.Message, c)), since}
		}
	}
	for _, c := range all {
		if c.RestartCount > 0 || c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 {
			return trouble{c.Name, c.Image, "Restarted", clipped(withDeath("", c)), since}
		}
	}
	for _, c := range typed.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return trouble{reason: c.Reason, message: clipped(c.Message), since: since}
		}
	}
	for _, c := range typed.Status.ContainerStatuses {
		switch {
		case c.Ready:
		case c.State.Waiting != nil:
			return trouble{c.Name, c.Image, c.State.Waiting.Reason, clipped(c.State.Waiting.Message), since}
		default:
			return trouble{c.Name, c.Image, "NotReady", "it runs and does not get ready", since}
		}
	}
	for _, c := range typed.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue {
			return trouble{reason: "NotReady", message: clipped(c.Message), since: since}
		}
	}
	return trouble{since: since}
}

// withDeath adds to a message how a container died last.
func withDeath(message string, c corev1.ContainerStatus) string {
	died := c.LastTerminationState.Terminated
	if died == nil {
		died = c.State.Terminated
	}
	if died == nil {
		return message
	}
	text := fmt.Sprintf("it ended with exit code %d", died.ExitCode)
	for _, more := range []string{died.Reason, died.Message} {
		if more != "" {
			text += ", " + more
		}
	}
	if message == "" {
		return text
	}
	return message + "; " + text
}
