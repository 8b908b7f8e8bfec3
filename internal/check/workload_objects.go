package check

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Other is an object of a change that is not moved as a workload.
type Other struct {
	Name string                     // Kind/namespace/name
	Live *unstructured.Unstructured // nil where it is not there
}

// objects looks at what else the change has written by now: that it is ready by kstatus, and that Jobs are complete.
func (l *workloadLook) objects(ctx context.Context) {
	if l.place.Others == nil || !l.step.LooksAtObjects() {
		return
	}
	others, err := l.place.Others(ctx)
	if err != nil {
		l.broken = append(l.broken, err.Error())
		return
	}
	ready := 0
	for _, o := range others {
		switch state, says := l.stateOf(ctx, o); state {
		case stateFailed:
			l.failed = append(l.failed, o.Name+" has failed: "+says)
		case stateProgressing:
			l.waitFor(l.watched, orElse(l.step.ReadyWithin, defaultReadyWithin), o.Name+" is not ready: "+says)
		default:
			ready++
		}
	}
	if len(others) > 0 {
		l.seen["workload.objects"], l.seen["workload.objectsReady"] = len(others), ready
	}
}

func (l *workloadLook) stateOf(ctx context.Context, o Other) (state, string) {
	if o.Live == nil {
		return stateProgressing, "it is not there"
	}
	state, says := statusOf(o.Live)
	switch kind := o.Live.GroupVersionKind().GroupKind(); {
	case kind == schema.GroupKind{Group: "batch", Kind: "Job"} && state == stateCurrent && !atRest(o.Live):
		return stateProgressing, says
	case kind == schema.GroupKind{Kind: "PersistentVolumeClaim"} && state == stateProgressing && l.waitsForPod(ctx, o.Live):
		return stateCurrent, says
	}
	return state, says
}

// atRest reports whether a Job is complete, or suspended: to kstatus one that runs is well.
func atRest(job *unstructured.Unstructured) bool {
	if suspended, _, _ := unstructured.NestedBool(job.Object, "spec", "suspend"); suspended {
		return true
	}
	conditions, _, _ := unstructured.NestedSlice(job.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		fields, _ := c.(map[string]any)
		return fields["type"] == "Complete" && fields["status"] == "True"
	})
}

// waitsForPod reports whether a claim is bound only once a pod uses it. Until then it is as it is to be.
func (l *workloadLook) waitsForPod(ctx context.Context, claim *unstructured.Unstructured) bool {
	name, _, _ := unstructured.NestedString(claim.Object, "spec", "storageClassName")
	if name == "" || l.place.API == nil {
		return false
	}
	class, err := l.place.API.Get(ctx, schema.GroupVersionKind{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"}, "", name)
	if err != nil {
		l.broken = append(l.broken, err.Error())
		return false
	}
	mode, _, _ := unstructured.NestedString(class.Object, "volumeBindingMode")
	return mode == "WaitForFirstConsumer"
}
