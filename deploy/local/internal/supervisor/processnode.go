package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// processNode is the one node of a cluster whose pods are real processes.
type processNode struct {
	name      string
	programs  string
	addresses netip.Prefix
}

// object is the node before its kubelet fills in the rest. It is tainted, so that only pods that ask for it run there.
func (n processNode) object(port int) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: map[string]string{
			stack.ProcessLabel:     "true",
			corev1.LabelHostname:   n.name,
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: "amd64",
		}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: stack.ProcessLabel, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: "127.0.0.1"},
				{Type: corev1.NodeExternalIP, Address: "127.0.0.1"},
				{Type: corev1.NodeHostName, Address: n.name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
		},
	}
}

// ensureProcessNode makes the process node be there, with its labels, addresses and port. Taints that others added stay.
func ensureProcessNode(ctx context.Context, client kubernetes.Interface, wanted *corev1.Node) error {
	if err := createNode(ctx, client, wanted.DeepCopy()); err != nil {
		return err
	}
	found, err := client.CoreV1().Nodes().Get(ctx, wanted.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot find node %s: %w", wanted.Name, err)
	}
	if !hasTaint(found.Spec.Taints, wanted.Spec.Taints[0]) {
		found.Spec.Taints = append(found.Spec.Taints, wanted.Spec.Taints...)
		if _, err := client.CoreV1().Nodes().Update(ctx, found, metav1.UpdateOptions{}); err != nil && !apierrors.IsConflict(err) {
			return fmt.Errorf("cannot taint node %s: %w", wanted.Name, err)
		}
	}
	addresses, err := json.Marshal(map[string]any{"status": map[string]any{"addresses": wanted.Status.Addresses}})
	if err != nil {
		return fmt.Errorf("cannot encode node %s: %w", wanted.Name, err)
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, wanted.Name, types.MergePatchType, addresses, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("cannot correct node %s: %w", wanted.Name, err)
	}
	return correctNode(ctx, client, wanted)
}

func hasTaint(taints []corev1.Taint, wanted corev1.Taint) bool {
	for _, taint := range taints {
		if taint.MatchTaint(&wanted) {
			return true
		}
	}
	return false
}
