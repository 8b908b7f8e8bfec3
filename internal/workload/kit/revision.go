package kit

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/workload/podtemplate"
)

// Revision is a template that a controller has kept: a ControllerRevision or a ReplicaSet.
type Revision struct {
	Name     string
	UID      types.UID
	Owner    types.UID
	Hash     string // as its pods carry it
	number   int64  // the newest has the highest
	template map[string]any
	Digest   string

	// Of a ReplicaSet.
	Created   time.Time
	Replicas  int64
	Available int64
	Least     int64 // its own minReadySeconds
	Observed  bool  // its status is about the spec that it has now
}

// DecodeControllerRevision reads the revisions of DaemonSets and StatefulSets.
func DecodeControllerRevision(object *unstructured.Unstructured, before *Revision) Revision {
	r := revisionOf(object, "controller-revision-hash")
	r.number, _, _ = unstructured.NestedInt64(object.Object, "revision")
	if before != nil {
		r.template, r.Digest = before.template, before.Digest // its data never changes
		return r
	}
	template, _, _ := unstructured.NestedMap(object.Object, "data", "spec", "template")
	delete(template, "$patch")
	r.template, r.Digest = template, podtemplate.Digest(template)
	return r
}

// DecodeReplicaSet reads the revisions of Deployments.
func DecodeReplicaSet(object *unstructured.Unstructured, before *Revision) Revision {
	r := revisionOf(object, "pod-template-hash")
	r.number, _ = strconv.ParseInt(object.GetAnnotations()["deployment.kubernetes.io/revision"], 10, 64)
	r.Created = object.GetCreationTimestamp().Time
	r.Replicas, _, _ = unstructured.NestedInt64(object.Object, "spec", "replicas")
	r.Least, _, _ = unstructured.NestedInt64(object.Object, "spec", "minReadySeconds")
	r.Available, _, _ = unstructured.NestedInt64(object.Object, "status", "availableReplicas")
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	r.Observed = observed >= object.GetGeneration()
	if before != nil {
		r.template, r.Digest = before.template, before.Digest
		return r
	}
	template := runtime.DeepCopyJSON(podtemplate.Of(object))
	unstructured.RemoveNestedField(template, "metadata", "labels", "pod-template-hash")
	r.template, r.Digest = template, podtemplate.Digest(template)
	return r
}

func revisionOf(object *unstructured.Unstructured, label string) Revision {
	return Revision{Name: object.GetName(), UID: object.GetUID(), Owner: controllerOf(object), Hash: object.GetLabels()[label]}
}

func controllerOf(object *unstructured.Unstructured) types.UID {
	for _, owner := range object.GetOwnerReferences() {
		if owner.Controller != nil && *owner.Controller {
			return owner.UID
		}
	}
	return ""
}
