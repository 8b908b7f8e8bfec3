package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// simulatedLabel marks the nodes that a stack made; it touches no other.
const simulatedLabel = "local.sluice.dev/simulated"

const nodeWorkers = 16

// ensureNodes makes the cluster's simulated nodes be exactly these: missing
// ones are created, labels put right, surplus ones deleted.
func ensureNodes(ctx context.Context, client kubernetes.Interface, wanted []stack.Node, kubeletPort int) error {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: simulatedLabel})
	if err != nil {
		return fmt.Errorf("cannot list nodes: %w", err)
	}
	surplus := map[string]corev1.Node{}
	for _, node := range list.Items {
		surplus[node.Name] = node
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(nodeWorkers)
	for _, w := range wanted {
		found, exists := surplus[w.Name]
		delete(surplus, w.Name)
		switch {
		case !exists:
			group.Go(func() error { return createNode(ctx, client, nodeObject(w, kubeletPort)) })
		case !hasLabels(found.Labels, labels(w)) || found.Status.DaemonEndpoints.KubeletEndpoint.Port != int32(kubeletPort):
			group.Go(func() error { return correctNode(ctx, client, nodeObject(w, kubeletPort)) })
		}
	}
	for name := range surplus {
		group.Go(func() error {
			err := client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("cannot delete node %s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// createNode tries for a while: an API server that has just become ready may
// still refuse for lack of what its admission plugins look at.
func createNode(ctx context.Context, client kubernetes.Interface, node *corev1.Node) error {
	var err error
	for range 20 {
		_, err = client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err == nil || apierrors.IsAlreadyExists(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return fmt.Errorf("cannot create node %s: %w", node.Name, err)
}

// correctNode puts labels and the kubelet's port right. The port changes when
// the stack had to move to other ports.
func correctNode(ctx context.Context, client kubernetes.Interface, node *corev1.Node) error {
	patches := map[string]map[string]any{
		"":       {"metadata": map[string]any{"labels": node.Labels}},
		"status": {"status": map[string]any{"daemonEndpoints": node.Status.DaemonEndpoints}},
	}
	for subresource, content := range patches {
		patch, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("cannot encode node %s: %w", node.Name, err)
		}
		_, err = client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{}, subresource)
		if err != nil {
			return fmt.Errorf("cannot correct node %s: %w", node.Name, err)
		}
	}
	return nil
}

func hasLabels(have, want map[string]string) bool {
	for key, value := range want {
		if have[key] != value {
			return false
		}
	}
	return true
}

func labels(n stack.Node) map[string]string {
	return map[string]string{
		simulatedLabel:           "true",
		"pool":                   n.Pool,
		corev1.LabelTopologyZone: n.Zone,
		corev1.LabelHostname:     n.Name,
		corev1.LabelOSStable:     "linux",
		corev1.LabelArchStable:   "amd64",
	}
}

func nodeObject(n stack.Node, kubeletPort int) *corev1.Node {
	size := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("32"),
		corev1.ResourceMemory:           resource.MustParse("128Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("500Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: labels(n)},
		Spec:       corev1.NodeSpec{PodCIDR: n.PodCIDR, PodCIDRs: []string{n.PodCIDR}},
		Status: corev1.NodeStatus{
			Capacity:    size,
			Allocatable: maps.Clone(size),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: n.IP},
				{Type: corev1.NodeExternalIP, Address: "127.0.0.1"},
				{Type: corev1.NodeHostName, Address: n.Name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(kubeletPort)}},
			NodeInfo: corev1.NodeSystemInfo{
				Architecture: "amd64", OperatingSystem: "linux", OSImage: "simulated",
				KubeletVersion: stack.KubernetesVersion, KubeProxyVersion: stack.KubernetesVersion,
				ContainerRuntimeVersion: "kwok://simulated",
			},
		},
	}
}
