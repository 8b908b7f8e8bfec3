package workload

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/kube"
)

// skew is by how much a node's clock is believed to be wrong at most.
const skew = time.Minute

// pod is what the drivers keep of a pod.
type pod struct {
	name       string
	uid        types.UID
	owner      types.UID
	node       string
	hash       string // revision that it carries
	deleting   bool
	ended      bool
	ready      bool
	readySince time.Time // as the node's clock says
	seenReady  time.Time // as ours says: since when we have seen it ready without a break
	restarts   int64
	waiting    []string
	trouble    trouble
}

// decodePod reads pods for a view. When we have seen one ready is a matter of the clock.
func decodePod(on clock.PassiveClock) kube.Decode[pod] {
	return func(object *unstructured.Unstructured, before *pod) pod {
		p := podOf(object)
		if !p.ready {
			return p
		}
		p.seenReady = on.Now()
		if before != nil && before.ready && before.readySince.Equal(p.readySince) {
			p.seenReady = before.seenReady
		}
		return p
	}
}

func podOf(object *unstructured.Unstructured) pod {
	var typed corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		return pod{name: object.GetName(), uid: object.GetUID(), deleting: object.GetDeletionTimestamp() != nil}
	}
	p := pod{
		name: typed.Name, uid: typed.UID, node: typed.Spec.NodeName,
		hash:     typed.Labels["controller-revision-hash"],
		deleting: typed.DeletionTimestamp != nil,
		ended:    typed.Status.Phase == corev1.PodFailed || typed.Status.Phase == corev1.PodSucceeded,
	}
	if p.hash == "" {
		p.hash = typed.Labels["pod-template-hash"]
	}
	if p.node == "" {
		p.node = boundFor(&typed)
	}
	for _, owner := range typed.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			p.owner = owner.UID
		}
	}
	for _, condition := range typed.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && !p.ended {
			p.ready, p.readySince = true, condition.LastTransitionTime.Time
		}
	}
	p.containers(slices.Concat(typed.Status.InitContainerStatuses, typed.Status.ContainerStatuses))
	p.trouble = troubleOf(&typed)
	return p
}

func (p *pod) containers(statuses []corev1.ContainerStatus) {
	for _, status := range statuses {
		p.restarts += int64(status.RestartCount)
		if status.State.Waiting != nil && status.State.Waiting.Reason != "" {
			p.waiting = append(p.waiting, status.State.Waiting.Reason)
		}
	}
}

// availableIn returns how long it takes until the pod has been ready for long enough: 0 where it is available. A pod counts
// as ready from when we saw it so, whatever the node's clock says; only one that has been ready for far longer than clocks
// differ is believed.
func (p *pod) availableIn(least time.Duration, now time.Time) (time.Duration, bool) {
	if !p.ready || p.deleting {
		return 0, false
	}
	if now.Sub(p.readySince) >= least+skew {
		return 0, true
	}
	return max(0, least-now.Sub(p.seenReady)), true
}

// boundFor returns the node for which a DaemonSet made a pod that is not scheduled yet.
func boundFor(typed *corev1.Pod) string {
	affinity := typed.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == "metadata.name" && field.Operator == corev1.NodeSelectorOpIn && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}
