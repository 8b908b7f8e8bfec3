package simulation

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// sayEvery is how often a running container logs that all is well.
	sayEvery = 10 * time.Second
	// panicEvery is how often a container with panics logs one.
	panicEvery = 5 * time.Second
	// maxLines is how much of a container's log is kept.
	maxLines = 5000
)

// Line is one line of a container's log.
type Line struct {
	Time time.Time
	Text string
}

// Log returns what a container has logged between its start and a moment: the
// same lines for the same container, whenever it is asked. The log of the
// previous run is that of a container that crashed.
func Log(pod *corev1.Pod, container string, previous bool, now time.Time) ([]Line, error) {
	status, first, err := containerStatus(pod, container)
	if err != nil {
		return nil, err
	}
	behaviour := Normal
	if first {
		behaviour = Behaviour(status.Image)
	}
	crashed := status.LastTerminationState.Terminated
	switch {
	case previous && crashed == nil:
		return nil, fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
	case previous, status.State.Waiting != nil && crashed != nil:
		return crashLog(status.Image, crashed), nil
	case status.State.Terminated != nil && status.State.Terminated.ExitCode != 0:
		return crashLog(status.Image, status.State.Terminated), nil
	case status.State.Terminated != nil:
		ended := status.State.Terminated
		return append(runningLog(Normal, status, ended.StartedAt.Time, ended.FinishedAt.Time),
			Line{ended.FinishedAt.Time, "INFO done"}), nil
	case status.State.Running != nil:
		return runningLog(behaviour, status, status.State.Running.StartedAt.Time, now), nil
	default:
		return nil, fmt.Errorf("container %q in pod %q is waiting to start", container, pod.Name)
	}
}

func containerStatus(pod *corev1.Pod, container string) (status corev1.ContainerStatus, first bool, err error) {
	for i, s := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if s.Name == container {
			return s, i == 0, nil
		}
	}
	return status, false, fmt.Errorf("container %q in pod %q is waiting to start", container, pod.Name)
}

func runningLog(behaviour string, status corev1.ContainerStatus, started, now time.Time) []Line {
	lines := []Line{{started, "INFO starting image=" + status.Image}}
	if status.Ready {
		lines = append(lines, Line{started, "INFO ready"})
	}
	every, say := sayEvery, func(at time.Time, n int) []Line {
		return []Line{{at, fmt.Sprintf("INFO working round=%d errors=0", n)}}
	}
	switch behaviour {
	case PanicLogs:
		every, say = panicEvery, func(at time.Time, _ int) []Line { return panicLines(at) }
	case NeverReady, ReadyLate:
		if !status.Ready {
			say = func(at time.Time, _ int) []Line {
				return []Line{{at, "WARN not ready: waiting for a dependency"}}
			}
		}
	}
	rounds := int(now.Sub(started) / every)
	from := max(1, rounds-maxLines+1)
	for n := from; n <= rounds; n++ {
		lines = append(lines, say(started.Add(time.Duration(n)*every), n)...)
	}
	return lines[max(0, len(lines)-maxLines):]
}

func crashLog(image string, ended *corev1.ContainerStateTerminated) []Line {
	return append([]Line{{ended.StartedAt.Time, "INFO starting image=" + image}}, panicLines(ended.FinishedAt.Time)...)
}

func panicLines(at time.Time) []Line {
	var lines []Line
	for _, text := range []string{
		"panic: runtime error: invalid memory address or nil pointer dereference",
		"[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a1b2c]",
		"goroutine 1 [running]:",
		"main.(*server).handle(0x0)",
		"\t/src/main.go:42 +0x1c",
	} {
		lines = append(lines, Line{at, text})
	}
	return lines
}
