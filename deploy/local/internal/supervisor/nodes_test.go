package supervisor

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

func TestEnsureNodes(t *testing.T) {
	const port = 20499
	before := stack.Shape{Nodes: 3, Pools: []stack.Pool{{Name: "canary", Nodes: 1}}}.NodesOf("c", 0)
	wanted := stack.Shape{Nodes: 4, Pools: []stack.Pool{{Name: "canary", Nodes: 2}}}.NodesOf("c", 0)
	surplus := stack.Shape{Nodes: 1}.NodesOf("old", 1)[0]
	client := fake.NewClientset(
		nodeObject(before[0], port), nodeObject(before[1], port), nodeObject(before[2], port-1),
		nodeObject(surplus, port),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "real"}},
	)
	for range 2 {
		if err := ensureNodes(context.Background(), client, wanted, port); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range list.Items {
		got = append(got, n.Name+" "+n.Labels["pool"])
		if n.Name != "real" && n.Status.DaemonEndpoints.KubeletEndpoint.Port != port {
			t.Errorf("the kubelet of %s is at port %d, want %d", n.Name, n.Status.DaemonEndpoints.KubeletEndpoint.Port, port)
		}
	}
	slices.Sort(got)
	want := []string{"c-node-01 canary", "c-node-02 canary", "c-node-03 general", "c-node-04 general", "real "}
	if !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v: missing ones made, pools and ports put right, surplus ones gone, others left", got, want)
	}
}

func TestIsReady(t *testing.T) {
	ready := []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	tests := map[string]struct {
		node corev1.Node
		want bool
	}{
		"Fresh":   {corev1.Node{}, false},
		"Ready":   {corev1.Node{Status: corev1.NodeStatus{Conditions: ready}}, true},
		"Unknown": {corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}}}, false},
		"Tainted": {corev1.Node{
			Spec:   corev1.NodeSpec{Taints: []corev1.Taint{{Key: corev1.TaintNodeNotReady}}},
			Status: corev1.NodeStatus{Conditions: ready},
		}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := isReady(tc.node); got != tc.want {
				t.Errorf("ready is %v, want %v", got, tc.want)
			}
		})
	}
}
