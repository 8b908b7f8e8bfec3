// Package processes is a container runtime that has no containers: it plays what the kubelet asks of one (the Container
// Runtime Interface) with processes of this machine. It needs no root and isolates nothing; whoever may create a pod runs
// programs as the person who started the stack. The package knows nothing of Kubernetes' API: the kubelet decides what
// runs, when it is started again and what is said about it.
package processes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"
)

// What the runtime calls itself; nodes show it as their container runtime.
const (
	Name    = "processes"
	Version = "1.0.0"
)

// killedWith is the exit code of a process that was killed, as shells count it.
const killedWith = 137

// Options say where a runtime keeps what it has, and what it can run.
type Options struct {
	// Dir is a folder of its own. What it holds of an earlier runtime is taken up: containers that ran then count as killed.
	Dir string
	// Programs are the images.
	Programs Programs
	// Addresses are given to pods, one each; all must be this machine's own. An empty prefix gives every pod 127.0.0.1.
	Addresses netip.Prefix
}

// Runtime runs the containers of one node. Its methods are those of the Container Runtime Interface.
type Runtime struct {
	Options
	started time.Time
	starter *starter
	streams streaming.Server

	mu         sync.Mutex
	closed     bool
	sandboxes  map[string]*sandbox
	containers map[string]*container
}

var _ cri.RuntimeService = (*Runtime)(nil)

// New takes up what the folder holds and begins to serve streams of exec and port-forward on the loopback. Processes that
// an earlier runtime left behind are killed.
func New(o Options) (*Runtime, error) {
	r := &Runtime{
		Options: o, started: time.Now(), starter: newStarter(),
		sandboxes: map[string]*sandbox{}, containers: map[string]*container{},
	}
	for _, dir := range []string{r.sandboxDir(""), r.containerDir("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("cannot make folder of runtime: %w", err)
		}
	}
	killLeftovers(o.Dir)
	if err := r.load(); err != nil {
		return nil, err
	}
	config := streaming.DefaultConfig
	config.Addr = "127.0.0.1:0"
	var err error
	if r.streams, err = streaming.NewServer(config, streams{r}); err != nil {
		return nil, fmt.Errorf("cannot make server of streams: %w", err)
	}
	go r.streams.Start(true)
	return r, nil
}

func (r *Runtime) sandboxDir(id string) string   { return filepath.Join(r.Dir, "sandboxes", id) }
func (r *Runtime) containerDir(id string) string { return filepath.Join(r.Dir, "containers", id) }

// Close kills every process and waits until all are gone. None is started any more.
func (r *Runtime) Close(context.Context) error {
	r.mu.Lock()
	r.closed = true
	var running []*container
	for _, c := range r.containers {
		running = append(running, c)
	}
	r.mu.Unlock()
	for _, c := range running {
		c.kill()
	}
	for _, c := range running {
		c.wait(time.Minute)
	}
	// What left its container's group is still there.
	killLeftovers(r.Dir)
	return r.streams.Stop()
}

// Version says what this is.
func (r *Runtime) Version(context.Context, string) (*runtimeapi.VersionResponse, error) {
	return &runtimeapi.VersionResponse{Version: "0.1.0", RuntimeName: Name, RuntimeVersion: Version, RuntimeApiVersion: "v1"}, nil
}

// Status is always that all is well.
func (r *Runtime) Status(context.Context, bool) (*runtimeapi.StatusResponse, error) {
	return &runtimeapi.StatusResponse{Status: &runtimeapi.RuntimeStatus{Conditions: []*runtimeapi.RuntimeCondition{
		{Type: runtimeapi.RuntimeReady, Status: true}, {Type: runtimeapi.NetworkReady, Status: true},
	}}}, nil
}

// RuntimeConfig says that control groups are not the runtime's.
func (r *Runtime) RuntimeConfig(context.Context) (*runtimeapi.RuntimeConfigResponse, error) {
	return &runtimeapi.RuntimeConfigResponse{Linux: &runtimeapi.LinuxRuntimeConfiguration{
		CgroupDriver: runtimeapi.CgroupDriver_CGROUPFS,
	}}, nil
}

// UpdateRuntimeConfig tells of the pods' network, of which there is none.
func (r *Runtime) UpdateRuntimeConfig(context.Context, *runtimeapi.RuntimeConfig) error { return nil }

// UpdateContainerResources accepts what it cannot enforce.
func (r *Runtime) UpdateContainerResources(context.Context, string, *runtimeapi.ContainerResources) error {
	return nil
}

// UpdatePodSandboxResources accepts what it cannot enforce.
func (r *Runtime) UpdatePodSandboxResources(
	context.Context, *runtimeapi.UpdatePodSandboxResourcesRequest,
) (*runtimeapi.UpdatePodSandboxResourcesResponse, error) {
	return &runtimeapi.UpdatePodSandboxResourcesResponse{}, nil
}

var errClosed = errors.New("cannot start a container: the runtime is closed")

var errCannot = errors.New("a runtime of processes cannot do that")

// CheckpointContainer is refused.
func (r *Runtime) CheckpointContainer(context.Context, *runtimeapi.CheckpointContainerRequest) error {
	return errCannot
}

// GetContainerEvents is refused: the kubelet then lists containers every second.
func (r *Runtime) GetContainerEvents(
	context.Context, chan *runtimeapi.ContainerEventResponse, func(runtimeapi.RuntimeService_GetContainerEventsClient),
) error {
	return errCannot
}

// ContainerStats is refused: nothing is measured.
func (r *Runtime) ContainerStats(context.Context, string) (*runtimeapi.ContainerStats, error) {
	return nil, errCannot
}

// ListContainerStats is empty: nothing is measured.
func (r *Runtime) ListContainerStats(context.Context, *runtimeapi.ContainerStatsFilter) ([]*runtimeapi.ContainerStats, error) {
	return nil, nil
}

// PodSandboxStats is refused: nothing is measured.
func (r *Runtime) PodSandboxStats(context.Context, string) (*runtimeapi.PodSandboxStats, error) {
	return nil, errCannot
}

// ListPodSandboxStats is empty: nothing is measured.
func (r *Runtime) ListPodSandboxStats(context.Context, *runtimeapi.PodSandboxStatsFilter) ([]*runtimeapi.PodSandboxStats, error) {
	return nil, nil
}

// ListMetricDescriptors is empty: nothing is measured.
func (r *Runtime) ListMetricDescriptors(context.Context) ([]*runtimeapi.MetricDescriptor, error) {
	return nil, nil
}

// ListPodSandboxMetrics is empty: nothing is measured.
func (r *Runtime) ListPodSandboxMetrics(context.Context) ([]*runtimeapi.PodSandboxMetrics, error) {
	return nil, nil
}
