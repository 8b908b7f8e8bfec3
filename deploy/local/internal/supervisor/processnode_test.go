package supervisor

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

func TestEnsureProcessNode(t *testing.T) {
	const port = 20500
	wanted := processNode{name: "c-process"}.object(port)
	tests := map[string]struct {
		found  *corev1.Node
		taints int
		reason string
	}{
		"Missing": {nil, 1, "it is made"},
		"Bare":    {&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "c-process"}}, 1, "somebody took its taint away, which would let everything run there"},
		"Moved":   {processNode{name: "c-process"}.object(port - 1), 1, "the stack moved to other ports"},
		"Cordoned": {&corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "c-process"},
			Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}},
		}, 2, "what others say of it stays"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			if tc.found != nil {
				client = fake.NewClientset(tc.found)
			}
			for range 2 {
				if err := ensureProcessNode(context.Background(), client, wanted); err != nil {
					t.Fatal(err)
				}
			}
			node, err := client.CoreV1().Nodes().Get(context.Background(), "c-process", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(node.Spec.Taints) != tc.taints || !hasTaint(node.Spec.Taints, wanted.Spec.Taints[0]) {
				t.Errorf("%s: taints are %v", tc.reason, node.Spec.Taints)
			}
			if node.Labels[stack.ProcessLabel] != "true" || node.Status.DaemonEndpoints.KubeletEndpoint.Port != port ||
				len(node.Status.Addresses) != len(wanted.Status.Addresses) {
				t.Errorf("%s: the node is %+v", tc.reason, node)
			}
		})
	}
}
