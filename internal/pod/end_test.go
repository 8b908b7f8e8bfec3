package pod_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/pod"
)

var began = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// seen is a pod in a state, with the container's own.
func seen(phase corev1.PodPhase, state corev1.ContainerState, more ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: phase}}
	p.CreationTimestamp = metav1.NewTime(began.Add(-time.Minute))
	if state != (corev1.ContainerState{}) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: state}}
	}
	for _, m := range more {
		m(p)
	}
	return p
}

func exited(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: metav1.NewTime(began), FinishedAt: metav1.NewTime(began.Add(time.Second)),
	}}
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "of " + reason}}
}

func TestHowAPodEnded(t *testing.T) {
	because := func(reason string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = reason, "the node was low on memory" }
	}
	going := func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.NewTime(began)) }
	drained := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI"}}
	}
	for _, c := range []struct {
		reason string
		pod    *corev1.Pod
		want   pod.End
		over   bool
	}{
		{"one that has no node yet may still run", seen(corev1.PodPending, corev1.ContainerState{}), pod.End{}, false},
		{"one that runs does", seen(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), pod.End{}, false},
		{"its program succeeded", seen(corev1.PodSucceeded, exited(0, "Completed", "fine")), pod.End{Said: "fine", Node: "n1", Took: time.Second}, true},
		{"the container is over before the pod's phase says so", seen(corev1.PodRunning, exited(0, "Completed", "")), pod.End{Node: "n1", Took: time.Second}, true},
		{"its program failed", seen(corev1.PodFailed, exited(3, "Error", "no")), pod.End{Exit: 3, Said: "no", Node: "n1", Took: time.Second}, true},
		{
			"a limit of memory is no word of the program's", seen(corev1.PodFailed, exited(137, "OOMKilled", "")),
			pod.End{Exit: 137, Reason: "OOMKilled", Node: "n1", Took: time.Second}, true,
		},
		{
			"a program that cannot be started", seen(corev1.PodFailed, exited(128, "StartError", "exec format error")),
			pod.End{Exit: 128, Reason: "StartError", Said: "exec format error", Node: "n1", Took: time.Second}, true,
		},
		{
			"its deadline is over", seen(corev1.PodFailed, exited(143, "Error", ""), because("DeadlineExceeded")),
			pod.End{Exit: 143, Reason: "DeadlineExceeded", Said: "the node was low on memory", Node: "n1", Took: time.Second}, true,
		},
		{
			"it was evicted while it ran", seen(corev1.PodFailed, exited(137, "Error", ""), because("Evicted")),
			pod.End{Exit: 137, Reason: "Evicted", Said: "the node was low on memory", Node: "n1", Took: time.Second}, true,
		},
		{
			"it was evicted before it began", seen(corev1.PodFailed, corev1.ContainerState{}, because("Evicted")),
			pod.End{Reason: "Evicted", Said: "the node was low on memory", Node: "n1"}, true,
		},
		{
			"its node was drained", seen(corev1.PodFailed, exited(143, "Error", ""), drained, going),
			pod.End{Exit: 143, Reason: "EvictionByEvictionAPI", Node: "n1", Took: time.Second}, true,
		},
		{
			"somebody deleted it, and it ended by that", seen(corev1.PodRunning, exited(143, "Error", ""), going),
			pod.End{Exit: 143, Reason: pod.Deleted, Node: "n1", Took: time.Second}, true,
		},
		{
			"it succeeded before somebody deleted it", seen(corev1.PodSucceeded, exited(0, "Completed", ""), going),
			pod.End{Node: "n1", Took: time.Second}, true,
		},
		{
			"its node is lost, and says nothing any more",
			seen(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, going), pod.End{Reason: pod.Deleted, Node: "n1"}, true,
		},
		{"a phase that says nothing", seen(corev1.PodUnknown, corev1.ContainerState{}), pod.End{Reason: pod.Lost, Node: "n1"}, true},
		{"no status of its container is no success", seen(corev1.PodSucceeded, corev1.ContainerState{}), pod.End{Reason: pod.Lost, Node: "n1"}, true},
		{"an image that is tried for the first time may still come", seen(corev1.PodPending, waiting("ErrImagePull")), pod.End{}, false},
		{
			"an image that does not come", seen(corev1.PodPending, waiting("ImagePullBackOff")),
			pod.End{Reason: "ImagePullBackOff", Said: "of ImagePullBackOff", Node: "n1"}, true,
		},
		{
			"a secret that is not there", seen(corev1.PodPending, waiting("CreateContainerConfigError")),
			pod.End{Reason: "CreateContainerConfigError", Said: "of CreateContainerConfigError", Node: "n1"}, true,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got, over := pod.EndOf(c.pod)
			if over != c.over {
				t.Errorf("it is over: %t", over)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWhenAPodCanGo(t *testing.T) {
	keep := func(text string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations = map[string]string{"sluice.dev/keep-failed": text} }
	}
	ended := began.Add(time.Second)
	for _, c := range []struct {
		reason string
		pod    *corev1.Pod
		want   time.Time
	}{
		{"never while it runs", seen(corev1.PodRunning, corev1.ContainerState{}, keep("1h")), time.Time{}},
		{"soon where it succeeded", seen(corev1.PodSucceeded, exited(0, "", ""), keep("1h")), ended.Add(10 * time.Minute)},
		{"later where it failed, so that people can look", seen(corev1.PodFailed, exited(1, "", ""), keep("1h")), ended.Add(time.Hour)},
		{"not at once, or whoever was killed would not find it", seen(corev1.PodFailed, exited(1, "", ""), keep("0s")), ended.Add(10 * time.Minute)},
		{"as soon as can be where somebody has changed it", seen(corev1.PodFailed, exited(1, "", ""), keep("for ever")), ended.Add(10 * time.Minute)},
		{"after it was made where nothing says when it ended", seen(corev1.PodFailed, corev1.ContainerState{}, keep("1h")), began.Add(59 * time.Minute)},
	} {
		got, over := pod.Expires(c.pod)
		if !got.Equal(c.want) || over != !c.want.IsZero() {
			t.Errorf("%s: at %s, %t; want %s", c.reason, got, over, c.want)
		}
	}
}

func TestWhatAPodWaitsFor(t *testing.T) {
	for _, c := range []struct {
		reason string
		pod    *corev1.Pod
		want   string
	}{
		{"an image", seen(corev1.PodPending, waiting("ErrImagePull")), "ErrImagePull: of ErrImagePull"},
		{"a node that could take it", seen(corev1.PodPending, corev1.ContainerState{}, func(p *corev1.Pod) {
			p.Spec.NodeName = ""
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes"}}
		}), "Unschedulable: 0/3 nodes"},
		{"its node", seen(corev1.PodPending, waiting("ContainerCreating")), "node n1 has not begun it"},
		{"a scheduler", seen(corev1.PodPending, corev1.ContainerState{}, func(p *corev1.Pod) { p.Spec.NodeName = "" }), "it has no node yet"},
	} {
		if got := pod.Waits(c.pod); got != c.want {
			t.Errorf("%s: it says %q, want %q", c.reason, got, c.want)
		}
	}
}
