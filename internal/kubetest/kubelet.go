package kubetest

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// play plays the node of a pod that has no status yet. The caller holds the lock.
func (s *Server) play(made *unstructured.Unstructured) {
	if s.Kubelet == nil || made.GetKind() != "Pod" || hasStatus(made) {
		return
	}
	live := s.objects[s.pathOf(made)]
	if live == nil || live.GetUID() != made.GetUID() {
		return
	}
	if status := s.Kubelet(made.DeepCopy()); status != nil {
		s.status(s.pathOf(made), live.DeepCopy(), status)
	}
}

func hasStatus(o *unstructured.Unstructured) bool {
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	return len(status) > 0
}
