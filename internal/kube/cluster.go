package kube

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
)

// requestTimeout ends every request that is not a watch.
const requestTimeout = 15 * time.Second

// Cluster is one Kubernetes cluster. It is safe for concurrent use. Its errors are fault errors: Unreachable where the API
// server did not answer or could not, Unauthorized where it does not let us, Refused where an admission webhook or a
// PodDisruptionBudget says no, NotFound, Conflict and Invalid as Kubernetes means them.
type Cluster struct {
	context string
	client  *rest.RESTClient
	finder  *discovery.DiscoveryClient
	base    *http.Transport
	counter *counter
	clock   clock.WithDelayedExecution

	discovering sync.Mutex // guards found, and is held while it is looked up
	found       *found

	mu      sync.Mutex
	feeds   map[feedKey]*feed
	deleted map[types.UID]time.Time
	keep    time.Duration // how long a watch outlives its last user
	leases  map[string]knownLease
}

func newCluster(contextName string, config *rest.Config, ticks clock.WithDelayedExecution, meter Meter) (*Cluster, error) {
	wrapped, counted, base, err := newTransport(config)
	if err != nil {
		return nil, err
	}
	limiter := flowcontrol.NewTokenBucketRateLimiter(config.QPS, config.Burst)
	if meter != nil {
		counted.next = &metered{next: counted.next, cluster: contextName, meter: meter}
		limiter = &patience{RateLimiter: limiter, cluster: contextName, meter: meter, clock: ticks}
	}
	settings := rest.Config{
		Host: config.Host, APIPath: "/", UserAgent: config.UserAgent,
		RateLimiter: limiter,
		TLSClientConfig: rest.TLSClientConfig{
			Insecure: config.Insecure, CAFile: config.CAFile, CAData: config.CAData, CertFile: config.CertFile, CertData: config.CertData,
		},
		ContentConfig: rest.ContentConfig{
			NegotiatedSerializer: scheme.Codecs.WithoutConversion(), ContentType: "application/json", AcceptContentTypes: "application/json",
		},
		WarningHandler: rest.NoWarnings{},
	}
	client, err := rest.UnversionedRESTClientForConfigAndClient(&settings, &http.Client{Transport: wrapped})
	if err != nil {
		return nil, err
	}
	return &Cluster{
		context: contextName,
		client:  client,
		finder:  discovery.NewDiscoveryClient(client),
		base:    base,
		counter: counted,
		clock:   ticks,
		feeds:   map[feedKey]*feed{},
		deleted: map[types.UID]time.Time{},
		keep:    2 * time.Minute,
		leases:  map[string]knownLease{},
	}, nil
}

// Context returns the name of the cluster's kubeconfig context.
func (c *Cluster) Context() string { return c.context }

func (c *Cluster) watched() *Cluster { return c }

// Requests returns how many requests were made to the cluster since the worker started, watches included.
func (c *Cluster) Requests() int64 { return c.counter.requests.Load() }

// Reachable asks the API server whether it is ready, and whether it lets one list and watch pods, once, for at most 5
// seconds: one that says it is ready may still refuse what is asked next, as long as it is overloaded, has no etcd or fills
// its caches. It reads one pod at most. Whoever may not see pods everywhere goes by the first answer.
func (c *Cluster) Reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := c.client.Get().AbsPath("/readyz").MaxRetries(0).DoRaw(ctx)
	if err == nil {
		err = c.listAndWatch(ctx)
	}
	return c.fault(err, "reach", "the API server")
}

func (c *Cluster) listAndWatch(ctx context.Context) error {
	pods := func() *rest.Request {
		return c.client.Get().AbsPath(resourcePath(schema.GroupVersionResource{Version: "v1", Resource: "pods"}, "", "")).MaxRetries(0)
	}
	raw, err := read(pods().Param("limit", "1").Do(ctx))
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var list metav1.PartialObjectMetadataList
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	// The answer begins once the watch stands.
	watch, err := pods().Param("watch", "1").Param("timeoutSeconds", "1").Param("resourceVersion", list.ResourceVersion).Stream(ctx)
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return watch.Close()
}

// retire lets running users finish with a cluster that the kubeconfig no longer names.
func (c *Cluster) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep = 0
	for key, f := range c.feeds {
		if f.users == 0 {
			f.stop()
			delete(c.feeds, key)
		}
	}
	c.base.CloseIdleConnections()
}

func (c *Cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep = 0
	for key, f := range c.feeds {
		f.stop()
		delete(c.feeds, key)
	}
	c.base.CloseIdleConnections()
}
