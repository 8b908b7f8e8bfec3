package processes

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// loopback is where pods live that share the node's network.
const loopback = "127.0.0.1"

// sandbox is a pod: an address, and what its containers share.
type sandbox struct {
	id      string
	config  *runtimeapi.PodSandboxConfig
	address string
	created time.Time
	ready   bool
}

func (s *sandbox) state() runtimeapi.PodSandboxState {
	if s.ready {
		return runtimeapi.PodSandboxState_SANDBOX_READY
	}
	return runtimeapi.PodSandboxState_SANDBOX_NOTREADY
}

// hostNetwork tells whether the pod shares the node's network. All do; those that ask for it have its address too.
func hostNetwork(config *runtimeapi.PodSandboxConfig) bool {
	return config.GetLinux().GetSecurityContext().GetNamespaceOptions().GetNetwork() == runtimeapi.NamespaceMode_NODE
}

// RunPodSandbox gives a pod its address.
func (r *Runtime) RunPodSandbox(_ context.Context, config *runtimeapi.PodSandboxConfig, _ string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &sandbox{id: newID(), config: config, created: time.Now(), ready: true, address: loopback}
	if !hostNetwork(config) && r.Addresses.IsValid() {
		address, err := r.freeAddress()
		if err != nil {
			return "", err
		}
		s.address = address
	}
	if err := r.saveSandbox(s); err != nil {
		return "", err
	}
	r.sandboxes[s.id] = s
	return s.id, nil
}

// freeAddress is the first that no pod has. The network's own address is left out.
func (r *Runtime) freeAddress() (string, error) {
	taken := map[string]bool{}
	for _, s := range r.sandboxes {
		taken[s.address] = true
	}
	for a := r.Addresses.Masked().Addr().Next(); r.Addresses.Contains(a); a = a.Next() {
		if !taken[a.String()] {
			return a.String(), nil
		}
	}
	return "", fmt.Errorf("cannot give the pod an address: all of %s are taken", netip.Prefix.String(r.Addresses))
}

// StopPodSandbox kills what runs in a pod. It is no error if there is no such pod.
func (r *Runtime) StopPodSandbox(ctx context.Context, id string) error {
	r.mu.Lock()
	s := r.sandboxes[id]
	running := r.containersOf(id)
	r.mu.Unlock()
	if s == nil {
		return nil
	}
	for _, c := range running {
		if err := r.StopContainer(ctx, c.id, 0); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.ready = false
	return r.saveSandbox(s)
}

// RemovePodSandbox forgets a pod and its containers.
func (r *Runtime) RemovePodSandbox(ctx context.Context, id string) error {
	if err := r.StopPodSandbox(ctx, id); err != nil {
		return err
	}
	r.mu.Lock()
	gone := r.containersOf(id)
	r.mu.Unlock()
	for _, c := range gone {
		if err := r.RemoveContainer(ctx, c.id); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sandboxes, id)
	if err := os.RemoveAll(r.sandboxDir(id)); err != nil {
		return fmt.Errorf("cannot remove pod: %w", err)
	}
	return nil
}

// containersOf lists a pod's containers. It is called with mu held.
func (r *Runtime) containersOf(sandbox string) []*container {
	var found []*container
	for _, c := range r.containers {
		if c.sandbox.id == sandbox {
			found = append(found, c)
		}
	}
	return found
}

// PodSandboxStatus tells of one pod.
func (r *Runtime) PodSandboxStatus(_ context.Context, id string, _ bool) (*runtimeapi.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil {
		return nil, notFound("pod sandbox", id)
	}
	status := &runtimeapi.PodSandboxStatus{
		Id: s.id, Metadata: s.config.Metadata, State: s.state(), CreatedAt: s.created.UnixNano(),
		Labels: s.config.Labels, Annotations: s.config.Annotations,
		Linux: &runtimeapi.LinuxPodSandboxStatus{Namespaces: &runtimeapi.Namespace{
			Options: s.config.GetLinux().GetSecurityContext().GetNamespaceOptions(),
		}},
	}
	if !hostNetwork(s.config) {
		status.Network = &runtimeapi.PodSandboxNetworkStatus{Ip: s.address}
	}
	return &runtimeapi.PodSandboxStatusResponse{Status: status}, nil
}

// ListPodSandbox lists pods, the latest first.
func (r *Runtime) ListPodSandbox(_ context.Context, filter *runtimeapi.PodSandboxFilter) ([]*runtimeapi.PodSandbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*runtimeapi.PodSandbox
	for _, s := range slices.SortedFunc(maps.Values(r.sandboxes), func(a, b *sandbox) int { return b.created.Compare(a.created) }) {
		if filter.GetId() != "" && filter.GetId() != s.id ||
			filter.GetState() != nil && filter.GetState().State != s.state() ||
			!hasLabels(s.config.Labels, filter.GetLabelSelector()) {
			continue
		}
		list = append(list, &runtimeapi.PodSandbox{
			Id: s.id, Metadata: s.config.Metadata, State: s.state(), CreatedAt: s.created.UnixNano(),
			Labels: s.config.Labels, Annotations: s.config.Annotations,
		})
	}
	return list, nil
}

func hasLabels(have, want map[string]string) bool {
	for key, value := range want {
		if have[key] != value {
			return false
		}
	}
	return true
}
