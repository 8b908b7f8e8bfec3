package kit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines/rule"
)

var born = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// podLike decodes a pod as a watch brings it.
func podLike(t *testing.T, name, hash string, of func(*corev1.Pod)) Pod {
	t.Helper()
	typed := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(name), Labels: map[string]string{"controller-revision-hash": hash}, CreationTimestamp: metav1.NewTime(born),
	}, Spec: corev1.PodSpec{NodeName: "node-1"}}
	of(typed)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		t.Fatal(err)
	}
	return podOf(&unstructured.Unstructured{Object: fields})
}

func waits(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "sidecar", Ready: true},
			{Name: "agent", Image: "registry.local/agent:2", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}},
		}
	}
}

func ready(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(born)})
}

func TestThePodsThatKeepABatch(t *testing.T) {
	crash := func(p *corev1.Pod) {
		waits("CrashLoopBackOff", "back-off 5m0s restarting failed container")(p)
		c := &p.Status.ContainerStatuses[1]
		c.RestartCount, c.LastTerminationState.Terminated = 7, &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "panic: no config"}
	}
	warned := func(reason, message string, at time.Duration, count int64) event {
		return event{about: "p1", at: born.Add(at), fact: rule.Event{Reason: reason, Message: message, Count: count}}
	}
	for _, c := range []struct {
		reason string
		pods   []Pod
		events []event
		facts  rule.Workload
		want   *api.Stuck
	}{
		{reason: "all is well", pods: []Pod{podLike(t, "p1", "new", ready)}, facts: rule.Workload{Desired: 1}},
		{
			reason: "an image that is not there, with its last warnings",
			pods:   []Pod{podLike(t, "p1", "new", waits("ImagePullBackOff", "Back-off pulling image"))}, facts: rule.Workload{Desired: 1},
			events: []event{warned("Failed", "first", time.Minute, 1), warned("Failed", "third", 3*time.Minute, 4), warned("BackOff", "second", 2*time.Minute, 1)},
			want: &api.Stuck{Pods: []api.Pod{{
				Name: "p1", Node: "node-1", Container: "agent", Image: "registry.local/agent:2", Reason: "ImagePullBackOff", Message: "Back-off pulling image",
				Since: born, Events: []string{"Failed: third (4 times)", "BackOff: second"},
			}}},
		},
		{
			reason: "a crash says how it ended",
			pods:   []Pod{podLike(t, "p1", "new", crash)}, facts: rule.Workload{Desired: 1},
			want: &api.Stuck{Pods: []api.Pod{{
				Name: "p1", Node: "node-1", Container: "agent", Image: "registry.local/agent:2", Reason: "CrashLoopBackOff", Restarts: 7, Since: born,
				Message: "back-off 5m0s restarting failed container; it ended with exit code 2, Error, panic: no config",
			}}},
		},
		{
			reason: "one that runs and does not get ready",
			pods: []Pod{podLike(t, "p1", "new", func(p *corev1.Pod) {
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "agent", Image: "i", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
			})}, facts: rule.Workload{Desired: 1},
			want: &api.Stuck{Pods: []api.Pod{{Name: "p1", Node: "node-1", Container: "agent", Image: "i", Reason: "NotReady", Message: "it runs and does not get ready", Since: born}}},
		},
		{
			reason: "one that no node takes",
			pods: []Pod{podLike(t, "p1", "new", func(p *corev1.Pod) {
				p.Spec.NodeName = ""
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/4 nodes are available"}}
			})}, facts: rule.Workload{Desired: 1},
			want: &api.Stuck{Pods: []api.Pod{{Name: "p1", Reason: "Unschedulable", Message: "0/4 nodes are available", Since: born}}},
		},
		{
			reason: "a few are listed, the rest counted; what does not go comes last, and the old version's are not asked about",
			pods: []Pod{
				podLike(t, "a", "new", func(p *corev1.Pod) { now := metav1.NewTime(born); p.DeletionTimestamp = &now }),
				podLike(t, "old", "old", waits("CrashLoopBackOff", "")),
				podLike(t, "e", "new", waits("ErrImagePull", "")), podLike(t, "d", "new", waits("ErrImagePull", "")),
				podLike(t, "c", "new", waits("ErrImagePull", "")), podLike(t, "b", "new", waits("ErrImagePull", "")),
			}, facts: rule.Workload{Desired: 9},
			want: &api.Stuck{Missing: 4, More: 2, Pods: []api.Pod{
				{Name: "b", Node: "node-1", Container: "agent", Image: "registry.local/agent:2", Reason: "ErrImagePull", Since: born},
				{Name: "c", Node: "node-1", Container: "agent", Image: "registry.local/agent:2", Reason: "ErrImagePull", Since: born},
				{Name: "d", Node: "node-1", Container: "agent", Image: "registry.local/agent:2", Reason: "ErrImagePull", Since: born},
			}},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			c.facts.Revision = "new"
			if diff := cmp.Diff(c.want, stuckAmong(c.pods, c.events, c.facts)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWhatAClusterSaysIsWithoutSecrets: the words of a container that died, of a probe that failed and of an event reach histories,
// records and terminals.
func TestWhatAClusterSaysIsWithoutSecrets(t *testing.T) {
	const secret = "hunter2-hunter2"
	says := "panic: cannot reach postgres://agent:" + secret + "@db:5432; password=" + secret
	died := podLike(t, "p1", "new", func(p *corev1.Pod) {
		waits("CrashLoopBackOff", "back-off")(p)
		p.Status.ContainerStatuses[1].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, Message: says}
	})
	for where, shown := range map[string]string{
		"a container that died": died.trouble.message,
		"an event": decodeEvent(&unstructured.Unstructured{Object: map[string]any{
			"message": "Readiness probe failed: " + says,
		}}, nil).fact.Message,
		"a long message": clipped(strings.Repeat("x", mostMessage-45) + says + strings.Repeat("x", 1<<20)),
	} {
		if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "postgres://agent:***") || len(shown) > mostMessage {
			t.Errorf("%s says %q", where, shown)
		}
	}
}
