package canary

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

func newClient() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// readyPods does what a Service does where nothing leads to one: of the pods that are ready it names one after the other.
func (a *app) readyPods(ctx context.Context, name string) (func() string, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(a.Client, 0, informers.WithNamespace(a.Namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "app=" + name }))
	pods := factory.Core().V1().Pods().Informer()
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
		return nil, trial.Blind("Interrupted", "cannot watch pods: %w", ctx.Err())
	}
	var turn atomic.Uint64
	return func() string {
		var addresses []string
		for _, key := range pods.GetStore().ListKeys() {
			o, _, _ := pods.GetStore().GetByKey(key)
			if pod, ok := o.(*corev1.Pod); ok && site.Ready(pod) && pod.Status.PodIP != "" {
				addresses = append(addresses, pod.Status.PodIP)
			}
		}
		if len(addresses) == 0 {
			return ""
		}
		return "http://" + hostPort(addresses[turn.Add(1)%uint64(len(addresses))], port) + "/"
	}, nil
}
