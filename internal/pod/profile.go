package pod

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Profile is what a pod may do where it runs.
type Profile string

// The profiles. None has a container that is privileged, runs as root or gains rights.
const (
	// Restricted is what the Pod Security Standard of that name allows, so that every namespace takes it.
	Restricted Profile = "restricted"
	// Node is Restricted, and runs on nodes that take nobody else: it tolerates every taint.
	Node Profile = "node"
	// HostNetwork is Node with the network of its node. Only namespaces that enforce no Pod Security Standard take it.
	HostNetwork Profile = "host-network"
)

// Profiles are the names of all profiles.
func Profiles() []string { return []string{string(Restricted), string(Node), string(HostNetwork)} }

func (p Profile) known() bool { return slices.Contains(Profiles(), string(p)) }

// user is who every pod runs as, whatever its image says: a name there would not tell the node that it is not root.
const user = 65532

func (p Profile) shape(s *corev1.PodSpec) {
	s.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)), FSGroup: new(int64(user)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	for i := range s.Containers {
		s.Containers[i].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	if p == Node || p == HostNetwork {
		s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	if p == HostNetwork {
		s.HostNetwork, s.DNSPolicy = true, corev1.DNSClusterFirstWithHostNet
	}
}

// Limits are what a pod may use, in Kubernetes' quantities: "500m", "128Mi".
type Limits struct {
	CPU     string
	Memory  string
	Storage string // of its node, for logs and what it writes
}

// What a pod may use where nothing is said, and what it is sure of.
var (
	defaults = map[corev1.ResourceName]string{
		corev1.ResourceCPU: "500m", corev1.ResourceMemory: "128Mi", corev1.ResourceEphemeralStorage: "64Mi",
	}
	requests = map[corev1.ResourceName]string{
		corev1.ResourceCPU: "20m", corev1.ResourceMemory: "32Mi",
		corev1.ResourceEphemeralStorage: "0", // not every node reports that it has any
	}
)

func (l Limits) requirements() (corev1.ResourceRequirements, error) {
	r := corev1.ResourceRequirements{Limits: corev1.ResourceList{}, Requests: corev1.ResourceList{}}
	given := map[corev1.ResourceName]string{
		corev1.ResourceCPU: l.CPU, corev1.ResourceMemory: l.Memory, corev1.ResourceEphemeralStorage: l.Storage,
	}
	for name, text := range given {
		if text == "" {
			text = defaults[name]
		}
		limit, err := resource.ParseQuantity(text)
		if err != nil || limit.Sign() <= 0 {
			return r, fmt.Errorf("its limit of %s, %q, is no quantity above 0 such as %s", name, text, defaults[name])
		}
		request := resource.MustParse(requests[name])
		if request.Cmp(limit) > 0 {
			request = limit
		}
		r.Limits[name], r.Requests[name] = limit, request
	}
	return r, nil
}
