package site

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probes/internal/param"
)

// user is who the pods of cases run as.
const user = 65532

// grace is how long a pod of a case has to end, in seconds.
const grace = 2

// PodSettings are what the pods of a case are made of.
type PodSettings struct {
	Image        string
	NodeSelector map[string]string
	Tolerate     bool // every taint
}

// ReadPod reads IMAGE, NODE_SELECTOR and TOLERATE.
func ReadPod(r *param.Reader) PodSettings {
	return PodSettings{
		Image: r.Text("IMAGE", "registry.k8s.io/pause:3.10"), NodeSelector: r.Labels("NODE_SELECTOR"),
		Tolerate: r.Choice("TOLERATE", "nothing", "everything") == "everything",
	}
}

// Spec is a pod that every namespace takes, that asks nothing of the API server and uses next to nothing.
func (p PodSettings) Spec() corev1.PodSpec {
	resources := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
	}
	spec := corev1.PodSpec{
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(grace)),
		NodeSelector:                  p.NodeSelector,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "main", Image: p.Image, ImagePullPolicy: corev1.PullIfNotPresent,
			Resources: corev1.ResourceRequirements{Requests: resources, Limits: resources.DeepCopy()},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
	if p.Tolerate {
		spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	return spec
}

// Ready reports whether a pod is.
func Ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// Waits says what a pod that is not ready waits for, and as which code: what its node says of it, or the scheduler.
func Waits(p *corev1.Pod) (code, text string) {
	if p.Status.Phase == corev1.PodFailed {
		return "PodFailed", join(p.Status.Reason, p.Status.Message)
	}
	for _, s := range p.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" {
			return w.Reason, join(w.Reason, w.Message)
		}
		if t := s.State.Terminated; t != nil {
			return "ContainerEnded", join(t.Reason, t.Message)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "PodNotScheduled", join(c.Reason, c.Message)
		}
	}
	if p.Spec.NodeName == "" {
		return "PodNotScheduled", "no scheduler has looked at it"
	}
	if len(p.Status.ContainerStatuses) == 0 {
		return "PodNotStarted", "node " + p.Spec.NodeName + " has not begun it"
	}
	return "PodNotReady", "it is " + string(p.Status.Phase) + " on node " + p.Spec.NodeName
}

func join(reason, message string) string {
	return strings.TrimPrefix(strings.TrimSuffix(reason+": "+message, ": "), ": ")
}

// Warned is the last warning about a pod; "" where there is none, or none is to be had: events are evidence, no more.
func (s *Site) Warned(ctx context.Context, pod string) string {
	list, err := s.Client.CoreV1().Events(s.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Pod,type=Warning,involvedObject.name=" + pod, Limit: sweepMost,
	})
	if err != nil || len(list.Items) == 0 {
		return ""
	}
	last := list.Items[0]
	for _, e := range list.Items {
		if e.LastTimestamp.After(last.LastTimestamp.Time) {
			last = e
		}
	}
	return join(last.Reason, last.Message)
}
