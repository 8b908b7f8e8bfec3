package kit

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

// Pod is what the drivers keep of a pod.
type Pod struct {
	Name       string
	UID        types.UID
	Owner      types.UID
	Node       string
	Hash       string // revision that it carries
	Made       time.Time
	Deleting   bool
	Ended      bool
	Ready      bool
	readySince time.Time // as the node's clock says
	seenReady  time.Time // as ours says: since when we have seen it ready without a break
	restarts   int64
	waiting    []string
	trouble    trouble
}

// mostNames is how many pods and nodes facts name at most.
const mostNames = 100

// Names are the names of pods, and of the nodes that they are on: sorted, each once, at most 100 each.
func Names(all []Pod) (pods, nodes []string) {
	for _, p := range all {
		pods = append(pods, p.Name)
		if p.Node != "" {
			nodes = append(nodes, p.Node)
		}
	}
	return bounded(pods), bounded(nodes)
}

func bounded(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), mostNames)]
}

// decodePod reads pods for a view. When we have seen one ready is a matter of the clock.
func decodePod(on clock.PassiveClock) kube.Decode[Pod] {
	return func(object *unstructured.Unstructured, before *Pod) Pod {
		p := podOf(object)
		if !p.Ready {
			return p
		}
		p.seenReady = on.Now()
		if before != nil && before.Ready && before.readySince.Equal(p.readySince) {
			p.seenReady = before.seenReady
		}
		return p
	}
}

func podOf(object *unstructured.Unstructured) Pod {
	var typed corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		return Pod{Name: object.GetName(), UID: object.GetUID(), Deleting: object.GetDeletionTimestamp() != nil}
	}
	p := Pod{
		Name: typed.Name, UID: typed.UID, Node: typed.Spec.NodeName, Made: typed.CreationTimestamp.Time,
		Hash:     typed.Labels["controller-revision-hash"],
		Deleting: typed.DeletionTimestamp != nil,
		Ended:    typed.Status.Phase == corev1.PodFailed || typed.Status.Phase == corev1.PodSucceeded,
	}
	if p.Hash == "" {
		p.Hash = typed.Labels["pod-template-hash"]
	}
	if p.Node == "" {
		p.Node = boundFor(&typed)
	}
	for _, owner := range typed.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			p.Owner = owner.UID
		}
	}
	for _, condition := range typed.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && !p.Ended {
			p.Ready, p.readySince = true, condition.LastTransitionTime.Time
		}
	}
	p.containers(slices.Concat(typed.Status.InitContainerStatuses, typed.Status.ContainerStatuses))
	p.trouble = troubleOf(&typed)
	return p
}

func (p *Pod) containers(statuses []corev1.ContainerStatus) {
	for _, status := range statuses {
		p.restarts += int64(status.RestartCount)
		if status.State.Waiting != nil && status.State.Waiting.Reason != "" {
			p.waiting = append(p.waiting, status.State.Waiting.Reason)
		}
	}
}

// AvailableIn returns how long it takes until the pod has been ready for long enough: 0 where it is available. A pod counts
// as ready from when we saw it so, whatever the node's clock says; only one that has been ready for far longer than clocks
// differ is believed.
func (p *Pod) AvailableIn(least time.Duration, now time.Time) (time.Duration, bool) {
	if !p.Ready || p.Deleting {
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
