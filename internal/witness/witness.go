// Package witness reads what is in a cluster, for those who want to know whether Sluice did what it says. It shares no
// code with the engine: it must not import internal/kube, internal/workload or pipelines, and it never writes.
package witness

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// userAgent tells the witness's requests from the engine's in an audit log.
const userAgent = "sluice-witness"

// Reader reads one cluster.
type Reader struct {
	cluster string
	core    rest.Interface
	apps    rest.Interface
}

// Open makes a reader for a context of a kubeconfig. It sends nothing yet.
func Open(kubeconfig, cluster string) (*Reader, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: cluster},
	).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot read context %s of %s: %w", cluster, kubeconfig, err)
	}
	return New(cluster, config)
}

// New makes a reader for a cluster that can be reached as config says. It sends nothing yet.
func New(cluster string, config *rest.Config) (*Reader, error) {
	core, err := clientFor(config, "/api", schema.GroupVersion{Version: "v1"})
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for %s: %w", cluster, err)
	}
	apps, err := clientFor(config, "/apis", schema.GroupVersion{Group: "apps", Version: "v1"})
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for %s: %w", cluster, err)
	}
	return &Reader{cluster: cluster, core: core, apps: apps}, nil
}

func clientFor(config *rest.Config, path string, version schema.GroupVersion) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = userAgent
	config.QPS, config.Burst = 50, 100
	config.APIPath, config.GroupVersion = path, &version
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return rest.RESTClientFor(config)
}

// Cluster is the name of the cluster that is read.
func (r *Reader) Cluster() string { return r.cluster }

func (r *Reader) list(ctx context.Context, client rest.Interface, resource, namespace string, into runtime.Object) error {
	if err := client.Get().Namespace(namespace).Resource(resource).Do(ctx).Into(into); err != nil {
		return fmt.Errorf("cannot list %s of %s in %s: %w", resource, namespace, r.cluster, err)
	}
	return nil
}

func (r *Reader) watchPods(ctx context.Context, namespace, from string) (watch.Interface, error) {
	options := &metav1.ListOptions{Watch: true, ResourceVersion: from}
	return r.core.Get().Namespace(namespace).Resource("pods").VersionedParams(options, scheme.ParameterCodec).Watch(ctx)
}

// Snapshots reads several clusters, one after another. It fails as soon as one cannot be read.
func Snapshots(ctx context.Context, readers []*Reader, namespaces ...string) (map[string]Snapshot, error) {
	all := make(map[string]Snapshot, len(readers))
	for _, r := range readers {
		s, err := r.Snapshot(ctx, namespaces...)
		if err != nil {
			return nil, err
		}
		all[r.cluster] = s
	}
	return all, nil
}
