package site

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probes/internal/trial"
)

// Complete waits until all pods of a Deployment are of its template and available, and no others are left, for at most so
// long. Its pods have the label app with its name.
func (s *Site) Complete(ctx context.Context, within time.Duration, name string, replicas int) error {
	want := int32(replicas)
	d, ok, err := Follow(ctx, within, s.Client.AppsV1().Deployments(s.Namespace), &appsv1.Deployment{}, name,
		func(d *appsv1.Deployment) bool {
			is := d.Status
			return is.ObservedGeneration >= d.Generation && is.Replicas == want && is.UpdatedReplicas == want && is.AvailableReplicas == want
		})
	switch {
	case err != nil:
		return Blame(err, "look at the Deployment")
	case d == nil:
		return trial.Blind("DeploymentDeleted", "somebody deleted Deployment %s", name)
	case ok:
		return nil
	case d.Status.ObservedGeneration < d.Generation:
		return trial.Fault("DeploymentNotSeen", "no controller has looked at the Deployment in %s", within)
	}
	code, text := s.waits(ctx, name)
	return trial.Fault(code, "of %d pods %d are available and %d are of the new template after %s: %s",
		want, d.Status.AvailableReplicas, d.Status.UpdatedReplicas, within, text)
}

// waits is what the first pod that is not ready waits for.
func (s *Site) waits(ctx context.Context, name string) (code, text string) {
	list, err := s.Client.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name, Limit: sweepMost})
	if err != nil {
		return "DeploymentNotComplete", "its pods cannot be listed: " + err.Error()
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if Ready(pod) || pod.DeletionTimestamp != nil {
			continue
		}
		code, text := Waits(pod)
		return code, "pod " + pod.Name + ": " + text
	}
	if len(list.Items) == 0 {
		return "NoPods", "it has no pods"
	}
	return "DeploymentNotComplete", "all pods that it has are ready, or going"
}
