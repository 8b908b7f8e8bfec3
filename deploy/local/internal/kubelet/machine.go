package kubelet

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	cadvisorapiv2 "github.com/google/cadvisor/info/v2"
	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
)

// How large the node says it is. Nothing holds pods to it but the scheduler.
const (
	cores   = 16
	memory  = 32 << 30
	disk    = 500 << 30
	maxPods = 110
)

// osImage is what the node shows as its operating system, so that nobody takes it for a real one.
const osImage = "simulated: pods run as processes of the local stack"

// machine is what the kubelet is told of the machine that it has to itself.
type machine struct{ testing.Fake }

func newMachine(node string) *machine { return &machine{testing.Fake{NodeName: node}} }

// MachineInfo tells the size.
func (m *machine) MachineInfo() (*cadvisorapi.MachineInfo, error) {
	return &cadvisorapi.MachineInfo{NumCores: cores, MemoryCapacity: memory, Timestamp: time.Time{}}, nil
}

// VersionInfo tells the system.
func (m *machine) VersionInfo() (*cadvisorapi.VersionInfo, error) {
	return &cadvisorapi.VersionInfo{KernelVersion: "simulated", ContainerOsVersion: osImage}, nil
}

func room() (cadvisorapiv2.FsInfo, error) {
	return cadvisorapiv2.FsInfo{Device: "none", Capacity: disk, Available: disk}, nil
}

// ImagesFsInfo is an empty disk.
func (m *machine) ImagesFsInfo(context.Context) (cadvisorapiv2.FsInfo, error) { return room() }

// RootFsInfo is an empty disk.
func (m *machine) RootFsInfo() (cadvisorapiv2.FsInfo, error) { return room() }

// ContainerFsInfo is an empty disk.
func (m *machine) ContainerFsInfo(context.Context) (cadvisorapiv2.FsInfo, error) { return room() }

// GetDirFsInfo is an empty disk.
func (m *machine) GetDirFsInfo(string) (cadvisorapiv2.FsInfo, error) { return room() }

// noGroups has no control groups and says so once: the stub that it stands on fails whenever a pod's are asked for.
type noGroups struct{ cm.ContainerManager }

// NewPodContainerManager returns one whose pods have no limits.
func (n noGroups) NewPodContainerManager() cm.PodContainerManager {
	return noLimits{n.ContainerManager.NewPodContainerManager()}
}

type noLimits struct{ cm.PodContainerManager }

// GetPodCgroupConfig says that there is nothing to say.
func (noLimits) GetPodCgroupConfig(*corev1.Pod, corev1.ResourceName) (*cm.ResourceConfig, error) {
	return nil, nil
}

// SetPodCgroupConfig accepts what it cannot enforce.
func (noLimits) SetPodCgroupConfig(klog.Logger, *corev1.Pod, *cm.ResourceConfig) error { return nil }

// fileSystem keeps the kubelet from making files outside of its folder: it would put links to logs into /var/log.
type fileSystem struct {
	container.RealOS
	root string
}

func (f fileSystem) own(path string) bool {
	return strings.HasPrefix(filepath.Clean(path)+"/", f.root+"/")
}

// MkdirAll makes no folder elsewhere.
func (f fileSystem) MkdirAll(path string, perm os.FileMode) error {
	if !f.own(path) {
		return nil
	}
	return f.RealOS.MkdirAll(path, perm)
}

// Symlink makes no link elsewhere.
func (f fileSystem) Symlink(target, path string) error {
	if !f.own(path) {
		return nil
	}
	return f.RealOS.Symlink(target, path)
}

// Remove removes nothing elsewhere.
func (f fileSystem) Remove(path string) error {
	if !f.own(path) {
		return nil
	}
	return f.RealOS.Remove(path)
}

// Glob finds nothing elsewhere: what it finds would be removed.
func (f fileSystem) Glob(pattern string) ([]string, error) {
	if !f.own(pattern) {
		return nil, nil
	}
	return f.RealOS.Glob(pattern)
}

// host is the machine without mounts.
type host struct{ *hostutil.HostUtil }

func newHost() host { return host{hostutil.NewHostUtil()} }

// MakeRShared does nothing: nothing is mounted, and it takes root.
func (host) MakeRShared(string) error { return nil }

// tracers tells when the kubelet first asks for a tracer.
type tracers struct {
	trace.TracerProvider
	asked func()
}

// Tracer returns one that traces nothing.
func (t tracers) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	t.asked()
	return t.TracerProvider.Tracer(name, options...)
}
