// Package kubelet runs the kubelet of a cluster's process node: Kubernetes' own code, with a runtime of processes in place
// of containers, and without everything that needs root or a machine of its own (control groups, mounts, kernel log).
// What pods go through is decided by the real kubelet; this package only puts it together.
package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	noop "go.opentelemetry.io/otel/trace/noop"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	upstream "k8s.io/kubernetes/pkg/kubelet"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/util"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/emptydir"
	"k8s.io/kubernetes/pkg/volume/hostpath"
	"k8s.io/kubernetes/pkg/volume/secret"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"

	"sluice.dev/sluice/deploy/local/internal/processes"
)

// heartbeatLimit is how long one report of the node's state may take.
const heartbeatLimit = 10 * time.Second

// Options say which node to run and where.
type Options struct {
	// Node is its name. The node object is made by somebody else, with its addresses, labels and taints.
	Node string
	// Dir is a folder of its own: pods' volumes and logs, and what the runtime keeps.
	Dir string
	// Programs is the folder of the programs that stand in for images.
	Programs string
	// Addresses are given to pods.
	Addresses netip.Prefix
	// APIServer is the address and port at which pods reach the API server: no Service's address leads anywhere.
	APIServer string
	// Client reaches the API server.
	Client *rest.Config
	// Port is where the API server reaches the kubelet, on the loopback. Clients must show ClientCert, and no other.
	Port                        int
	CertFile, KeyFile, ClientCA string
	// LeaseSeconds is how long the node counts as alive without a sign of life.
	LeaseSeconds int
	// MaxBackoff is the longest pause before a container that crashed is started again. It begins at 10 seconds, or at this
	// where it is shorter.
	MaxBackoff time.Duration
}

// Run runs the node until the context ends. Its processes are gone when it returns.
func Run(ctx context.Context, o Options) error {
	runtime, err := processes.New(processes.Options{
		Dir: filepath.Join(o.Dir, "runtime"), Programs: processes.Programs(o.Programs), Addresses: o.Addresses,
	})
	if err != nil {
		return err
	}
	defer runtime.Close(context.WithoutCancel(ctx))
	config, flags, err := o.configuration()
	if err != nil {
		return err
	}
	deps, err := o.dependencies(runtime, config)
	if err != nil {
		return err
	}
	k, err := upstream.NewMainKubelet(ctx, config, deps, &flags.ContainerRuntimeOptions,
		o.Node, types.NodeName(o.Node), nil, "", externalCloud, flags.CertDirectory, flags.RootDirectory, config.PodLogsDir, "", "",
		false, nil, nil, "", false, false, flags.MinimumGCAge, flags.MaxPerPodContainerCount, flags.MaxContainerCount, nil,
		config.NodeStatusMaxImages, false)
	if err != nil {
		return fmt.Errorf("cannot make kubelet: %w", err)
	}
	k.BirthCry()
	k.StartGarbageCollection(ctx)
	go k.ListenAndServe(ctx, config, deps.TLSConfig, nil, deps.TracerProvider)
	go k.Run(ctx, deps.PodConfig.Updates())
	<-ctx.Done()
	return nil
}

// externalCloud makes the kubelet leave the addresses of its node alone: it would look for one that is not on the loopback.
const externalCloud = "external"

func (o Options) configuration() (*kubeletconfig.KubeletConfiguration, *options.KubeletFlags, error) {
	c, err := options.NewKubeletConfiguration()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot configure kubelet: %w", err)
	}
	c.Address, c.Port, c.ReadOnlyPort, c.HealthzPort = "127.0.0.1", int32(o.Port), 0, 0
	c.PodLogsDir = filepath.Join(o.Dir, "logs")
	c.MaxPods = maxPods
	c.NodeLeaseDurationSeconds = int32(o.LeaseSeconds)
	c.CrashLoopBackOff.MaxContainerRestartPeriod = &metav1.Duration{Duration: o.MaxBackoff}
	// A container that waits for its next start is shown so at the next sync: with pauses this short, it must come soon.
	c.SyncFrequency.Duration = time.Second
	c.SerializeImagePulls = false
	c.ResolverConfig = ""
	// Nobody answers there. Without one, every pod is warned of it.
	c.ClusterDNS, c.ClusterDomain = []string{"127.0.0.1"}, "cluster.local"
	// There is no machine that pods could fill.
	c.EvictionHard, c.ImageGCHighThresholdPercent, c.LocalStorageCapacityIsolation = nil, 100, false
	c.CgroupsPerQOS, c.EnforceNodeAllocatable, c.MakeIPTablesUtilChains = false, nil, false
	c.EnableControllerAttachDetach = false
	flags := options.NewKubeletFlags()
	// The log before the last is wanted of what crashes quickly.
	flags.MaxPerPodContainerCount = 3
	flags.RootDirectory = filepath.Join(o.Dir, "kubelet")
	flags.CertDirectory = filepath.Join(o.Dir, "kubelet", "pki")
	for _, dir := range []string{flags.RootDirectory, flags.CertDirectory, c.PodLogsDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("cannot make folder of kubelet: %w", err)
		}
	}
	return c, flags, nil
}

func (o Options) dependencies(runtime *processes.Runtime, config *kubeletconfig.KubeletConfiguration) (*upstream.Dependencies, error) {
	client, err := kubernetes.NewForConfig(o.Client)
	if err != nil {
		return nil, fmt.Errorf("cannot make client: %w", err)
	}
	heartbeat := rest.CopyConfig(o.Client)
	heartbeat.Timeout, heartbeat.QPS = heartbeatLimit, -1
	heartbeatClient, err := kubernetes.NewForConfig(heartbeat)
	if err != nil {
		return nil, fmt.Errorf("cannot make client: %w", err)
	}
	serving, err := o.serving()
	if err != nil {
		return nil, err
	}
	services, err := newServices(runtime, o.APIServer)
	if err != nil {
		return nil, err
	}
	deps := &upstream.Dependencies{
		KubeClient: client, HeartbeatClient: heartbeatClient, EventClient: client.CoreV1(),
		RemoteRuntimeService: services, RemoteImageService: runtime.Programs,
		CAdvisorInterface: newMachine(o.Node),
		ContainerManager:  noGroups{cm.NewStubContainerManager()},
		OSInterface:       fileSystem{root: o.Dir},
		HostUtil:          newHost(),
		Mounter:           mount.NewFakeMounter(nil),
		Subpather:         &subpath.FakeSubpath{},
		OOMAdjuster:       oom.NewFakeOOMAdjuster(),
		VolumePlugins:     volumePlugins(),
		TLSConfig:         serving,

		PodStartupLatencyTracker:  util.NewPodStartupLatencyTracker(),
		NodeStartupLatencyTracker: util.NewNodeStartupLatencyTracker(),
	}
	recordEvents(deps, client.CoreV1(), o.Node)
	return deps, nil
}

// serving makes the kubelet answer the API server alone: whoever reaches it can run programs.
func (o Options) serving() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate of kubelet: %w", err)
	}
	ca, err := os.ReadFile(o.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate of kubelet's client: %w", err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("cannot read certificate of kubelet's client: there is none in %s", o.ClientCA)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: clients,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}, nil
}

// recordEvents makes the kubelet's events reach the API server. While the kubelet is made it must see another recorder:
// with a real one it opens the kernel's log to learn of processes that the kernel killed, which takes root. It asks for
// its tracer right after that.
func recordEvents(deps *upstream.Dependencies, client typedcorev1.EventsGetter, node string) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.Events("")})
	recorder := broadcaster.NewRecorder(legacyscheme.Scheme, corev1.EventSource{Component: "kubelet", Host: node})
	deps.Recorder = &record.FakeRecorder{}
	deps.TracerProvider = tracers{TracerProvider: noop.NewTracerProvider(), asked: sync.OnceFunc(func() { deps.Recorder = recorder })}
}

// volumePlugins are the kinds of volumes that need no storage.
func volumePlugins() []volume.VolumePlugin {
	var plugins []volume.VolumePlugin
	for _, probe := range []func() []volume.VolumePlugin{
		configmap.ProbeVolumePlugins, downwardapi.ProbeVolumePlugins, emptydir.ProbeVolumePlugins,
		ownProjected, secret.ProbeVolumePlugins,
		func() []volume.VolumePlugin { return hostpath.ProbeVolumePlugins(volume.VolumeConfig{}) },
	} {
		plugins = append(plugins, probe()...)
	}
	return plugins
}
