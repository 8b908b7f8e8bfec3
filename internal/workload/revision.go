package workload

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// revision is a template that a controller has kept: a ControllerRevision or a ReplicaSet.
type revision struct {
	name     string
	uid      types.UID
	owner    types.UID
	hash     string // as its pods carry it
	number   int64  // the newest has the highest
	template map[string]any
	digest   string

	// Of a ReplicaSet.
	created   time.Time
	replicas  int64
	available int64
	least     int64 // its own minReadySeconds
	observed  bool  // its status is about the spec that it has now
}

func decodeControllerRevision(object *unstructured.Unstructured, before *revision) revision {
	r := revision{name: object.GetName(), uid: object.GetUID(), owner: controllerOf(object), hash: object.GetLabels()["controller-revision-hash"]}
	r.number, _, _ = unstructured.NestedInt64(object.Object, "revision")
	if before != nil {
		r.template, r.digest = before.template, before.digest // its data never changes
		return r
	}
	template, _, _ := unstructured.NestedMap(object.Object, "data", "spec", "template")
	delete(template, "$patch")
	r.template, r.digest = template, templateDigest(template)
	return r
}

func decodeReplicaSet(object *unstructured.Unstructured, before *revision) revision {
	r := revision{name: object.GetName(), uid: object.GetUID(), owner: controllerOf(object), hash: object.GetLabels()["pod-template-hash"]}
	r.number, _ = strconv.ParseInt(object.GetAnnotations()["deployment.kubernetes.io/revision"], 10, 64)
	r.created = object.GetCreationTimestamp().Time
	r.replicas, _, _ = unstructured.NestedInt64(object.Object, "spec", "replicas")
	r.least, _, _ = unstructured.NestedInt64(object.Object, "spec", "minReadySeconds")
	r.available, _, _ = unstructured.NestedInt64(object.Object, "status", "availableReplicas")
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	r.observed = observed >= object.GetGeneration()
	if before != nil {
		r.template, r.digest = before.template, before.digest
		return r
	}
	template := runtime.DeepCopyJSON(templateOf(object))
	unstructured.RemoveNestedField(template, "metadata", "labels", "pod-template-hash")
	r.template, r.digest = template, templateDigest(template)
	return r
}

func controllerOf(object *unstructured.Unstructured) types.UID {
	for _, owner := range object.GetOwnerReferences() {
		if owner.Controller != nil && *owner.Controller {
			return owner.UID
		}
	}
	return ""
}
