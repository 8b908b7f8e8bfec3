package kubetest

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// play plays the node of a pod that has no status yet, and whoever serves a ProbeRun. The caller holds the lock.
func (s *Server) play(made *unstructured.Unstructured) {
	becomes := map[string]func(*unstructured.Unstructured) map[string]any{"Pod": s.Kubelet, "ProbeRun": s.Prober}[made.GetKind()]
	if becomes == nil || hasStatus(made) {
		return
	}
	live := s.objects[s.pathOf(made)]
	if live == nil || live.GetUID() != made.GetUID() {
		return
	}
	if status := becomes(made.DeepCopy()); status != nil {
		s.status(s.pathOf(made), live.DeepCopy(), status)
	}
}

func hasStatus(o *unstructured.Unstructured) bool {
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	return len(status) > 0
}
