package occasion

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/probing"
)

// mostConditions is how many conditions of a node are looked at.
const mostConditions = 50

// The annotation in which a Deployment has the number of its revision, and the fields in which it and a ControllerRevision have it.
const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	numberOfDeployment = `"f:deployment.kubernetes.io/revision"`
	numberOfRevision   = `"f:revision"`
)

// known are the labels that are kept: those by which it is seen that a case has made an object, and the hashes of revisions.
var known = []string{
	probing.LabelRun, probing.LabelCase, appsv1.ControllerRevisionHashLabelKey, appsv1.DefaultDeploymentUniqueLabelKey, partsName,
}

// meta is what is kept of any object.
func meta(o client.Object) metav1.ObjectMeta {
	kept := metav1.ObjectMeta{
		Name: o.GetName(), Namespace: o.GetNamespace(), UID: o.GetUID(), Generation: o.GetGeneration(),
		ResourceVersion: o.GetResourceVersion(), CreationTimestamp: o.GetCreationTimestamp(),
	}
	for _, label := range known {
		if value, ok := o.GetLabels()[label]; ok {
			if kept.Labels == nil {
				kept.Labels = map[string]string{}
			}
			kept.Labels[label] = value
		}
	}
	return kept
}

// stripNode keeps what a node is judged by.
func stripNode(in any) (any, error) {
	n, ok := in.(*corev1.Node)
	if !ok {
		return in, nil
	}
	out := &corev1.Node{ObjectMeta: meta(n)}
	out.Status.NodeInfo.BootID = n.Status.NodeInfo.BootID
	for _, c := range n.Status.Conditions[:min(len(n.Status.Conditions), mostConditions)] {
		out.Status.Conditions = append(out.Status.Conditions, corev1.NodeCondition{
			Type: c.Type, Status: c.Status, Reason: c.Reason, LastTransitionTime: c.LastTransitionTime,
		})
	}
	return out, nil
}

// stripPod keeps where a pod is, and which containers run in it since when.
func stripPod(in any) (any, error) {
	p, ok := in.(*corev1.Pod)
	if !ok {
		return in, nil
	}
	out := &corev1.Pod{ObjectMeta: meta(p)}
	out.Spec.NodeName, out.Status.Phase, out.Status.StartTime = p.Spec.NodeName, p.Status.Phase, p.Status.StartTime
	for _, c := range p.Status.ContainerStatuses {
		kept := corev1.ContainerStatus{Name: c.Name, RestartCount: c.RestartCount, ContainerID: c.ContainerID}
		if c.State.Running != nil {
			kept.State.Running = &corev1.ContainerStateRunning{StartedAt: c.State.Running.StartedAt}
		}
		out.Status.ContainerStatuses = append(out.Status.ContainerStatuses, kept)
	}
	return out, nil
}

// stripWorkload keeps which revision a workload has, since when, and how many of its pods have it.
func stripWorkload(in any) (any, error) {
	switch o := in.(type) {
	case *appsv1.Deployment:
		out := &appsv1.Deployment{ObjectMeta: meta(o)}
		if number, ok := o.Annotations[revisionAnnotation]; ok {
			out.Annotations = map[string]string{revisionAnnotation: number}
		}
		out.ManagedFields = numbered(o.ManagedFields, numberOfDeployment)
		out.Spec.Selector, out.Spec.Replicas, out.Status = o.Spec.Selector, o.Spec.Replicas, o.Status
		out.Status.Conditions = nil
		return out, nil
	case *appsv1.DaemonSet:
		out := &appsv1.DaemonSet{ObjectMeta: meta(o)}
		out.Spec.Selector, out.Status = o.Spec.Selector, o.Status
		out.Status.Conditions = nil
		return out, nil
	case *appsv1.StatefulSet:
		out := &appsv1.StatefulSet{ObjectMeta: meta(o)}
		out.Spec.Selector, out.Spec.Replicas, out.Status = o.Spec.Selector, o.Spec.Replicas, o.Status
		out.Status.Conditions = nil
		return out, nil
	case *appsv1.ControllerRevision:
		out := &appsv1.ControllerRevision{ObjectMeta: meta(o), Revision: o.Revision}
		out.OwnerReferences = o.OwnerReferences
		out.ManagedFields = numbered(o.ManagedFields, numberOfRevision)
		return out, nil
	}
	return in, nil
}

// numbered keeps of who wrote an object's fields when the number of its revision was written, and nothing else.
func numbered(all []metav1.ManagedFieldsEntry, field string) []metav1.ManagedFieldsEntry {
	for _, e := range all {
		if e.Time != nil && (e.FieldsV1 == nil || strings.Contains(e.FieldsV1.GetRawString(), field)) {
			return []metav1.ManagedFieldsEntry{{Time: e.Time}}
		}
	}
	return nil
}
