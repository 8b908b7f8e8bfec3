package pod

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Exceptional are the capabilities that a pod may have beyond its profile. None of them changes anything outside of its container.
func Exceptional() []string { return []string{"NET_BIND_SERVICE", "NET_RAW"} }

// except gives a pod capabilities. Who is not root has one of them by the file of its program alone, which takes that a program may gain
// rights.
func except(s *corev1.PodSpec, capabilities []string) {
	if len(capabilities) == 0 {
		return
	}
	for i := range s.Containers {
		may := s.Containers[i].SecurityContext
		may.AllowPrivilegeEscalation = new(true)
		for _, c := range capabilities {
			may.Capabilities.Add = append(may.Capabilities.Add, corev1.Capability(c))
		}
	}
}

// place tells the scheduler where a pod may go. A node is named as a DaemonSet does it, and one that is not meant by its label: a term has
// one name only.
func place(s *corev1.PodSpec, onlyOn string, notOn []string) {
	var term corev1.NodeSelectorTerm
	if onlyOn != "" {
		term.MatchFields = []corev1.NodeSelectorRequirement{
			{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{onlyOn}},
		}
	}
	if len(notOn) > 0 {
		term.MatchExpressions = []corev1.NodeSelectorRequirement{
			{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpNotIn, Values: notOn},
		}
	}
	if term.MatchFields == nil && term.MatchExpressions == nil {
		return
	}
	s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}},
	}}
}
