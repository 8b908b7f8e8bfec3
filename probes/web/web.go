// Package web is the case of something that answers by HTTP: it asks as its users do, and counts how many are answered.
package web

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is that of the case.
const Name = "http"

// Timeout is how long a run may take where nobody says.
const Timeout = 5 * time.Minute

// Bounds of what is asked.
const (
	maxTimes = 1000
	maxOpen  = 50               // requests at a time
	synced   = 10 * time.Second // for what is known of pods to come
)

// caller is one run.
type caller struct {
	trial     *trial.Trial
	url       *url.URL
	pods      map[string]string // labels of those that are asked in turn, instead of the URL's host
	namespace string            // theirs; "" where it is that of the case
	times     int
	every     time.Duration
	within    time.Duration // for an answer
	atLeast   float64       // of all have to be answered
}

// Run asks, and judges by the share that is answered: with a status of 200 to 399, in time. Whatever else happens to a request is a fault,
// because it is what users get.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	c := &caller{
		trial: t, pods: r.Labels("PODS"), namespace: r.Text("NAMESPACE", ""),
		times: r.Int("TIMES", 40, 1, maxTimes), every: r.Duration("EVERY", 50*time.Millisecond, time.Minute),
		within: r.Duration("WITHIN", 2*time.Second, time.Minute), atLeast: r.Share("AT_LEAST", 0.99),
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if c.url, err = url.Parse(getenv("URL")); err != nil || c.url.Host == "" || c.url.Scheme != "http" && c.url.Scheme != "https" {
		return trial.Blind("BadParameter", "cannot read what the case is told: URL is %q: want one such as http://web.shop:8080/", getenv("URL"))
	}
	next := func() (string, error) { return "", nil }
	if len(c.pods) > 0 {
		err := t.Step("pods", func() error {
			next, err = c.ready(ctx, getenv)
			return err
		})
		if err != nil {
			return err
		}
	}
	return t.Step("ask", func() error { return c.ask(ctx, next) })
}

// ready does what a Service does: of the pods that are ready it names one after the other. They are watched, so that who is about to end is
// asked no more.
func (c *caller) ready(ctx context.Context, getenv func(string) string) (next func() (string, error), err error) {
	s, err := site.Open(Name, Timeout, getenv)
	if err != nil {
		return nil, err
	}
	namespace := cmp.Or(c.namespace, s.Namespace)
	selector := labels.SelectorFromSet(c.pods).String()
	// A watch says nothing of what it may not see: who may not is told by a list.
	if _, err := s.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 1}); err != nil {
		return nil, s.Blame(err, "list pods in "+namespace)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(s.Client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	pods := factory.Core().V1().Pods().Lister().Pods(namespace)
	factory.StartWithContext(ctx)
	bounded, cancel := context.WithTimeout(ctx, synced)
	defer cancel()
	for _, ok := range factory.WaitForCacheSync(bounded.Done()) {
		if !ok {
			return nil, trial.Blind("NoWatch", "cannot watch pods in %s: nothing came within %s", namespace, synced)
		}
	}
	var turn atomic.Uint64
	next = func() (string, error) {
		all, err := pods.List(labels.Everything())
		if err != nil {
			return "", trial.Blind("NoWatch", "cannot read what is known of pods: %w", err)
		}
		hosts, err := addresses(all, namespace)
		if err != nil {
			return "", err
		}
		return hosts[turn.Add(1)%uint64(len(hosts))], nil
	}
	_, err = next()
	return next, err
}

// addresses are those of the pods that are ready. That there is no pod at all is no fault; that none is ready is one.
func addresses(pods []*corev1.Pod, namespace string) ([]string, error) {
	var all []string
	for _, p := range pods {
		if site.Ready(p) && p.Status.PodIP != "" {
			all = append(all, p.Status.PodIP)
		}
	}
	switch {
	case len(pods) == 0:
		return nil, trial.Nothing("NoPods", "there are no such pods in %s", namespace)
	case len(all) == 0:
		return nil, trial.Fault("NoPodReady", "none of %d pods in %s is ready", len(pods), namespace)
	}
	slices.Sort(all)
	return all, nil
}

// ask asks one host after the other, each request with a connection of its own; "" is the URL's own host.
func (c *caller) ask(ctx context.Context, next func() (string, error)) error {
	client := &http.Client{
		Timeout: c.within, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	var (
		mu       sync.Mutex
		answered int
		last     string
		done     sync.WaitGroup
	)
	open := make(chan struct{}, maxOpen)
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for range c.times {
		select {
		case <-ctx.Done():
			done.Wait()
			return trial.Stopped(ctx)
		case open <- struct{}{}:
		}
		done.Go(func() {
			defer func() { <-open }()
			began := time.Now()
			problem := ""
			if host, err := next(); err != nil {
				problem = err.Error()
			} else {
				problem = c.get(ctx, client, host)
			}
			mu.Lock()
			defer mu.Unlock()
			if problem != "" {
				last = problem
				return
			}
			answered++
			c.trial.Took("answer", time.Since(began))
		})
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	done.Wait()
	if err := trial.Stopped(ctx); err != nil {
		return err
	}
	share := float64(answered) / float64(c.times)
	c.trial.Number("asked", float64(c.times))
	c.trial.Number("answered", share)
	if share < c.atLeast {
		return trial.Fault("NotAnswered", "%d of %d requests were answered, and %g%% have to be: the last was told %s",
			answered, c.times, 100*c.atLeast, last)
	}
	return nil
}

// get returns why there was no good answer.
func (c *caller) get(ctx context.Context, client *http.Client, host string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	if err != nil {
		return err.Error()
	}
	if host != "" {
		// Who is asked changes, and what is asked for does not.
		request.Host = c.url.Host
		request.URL.Host = net.JoinHostPort(host, port(c.url))
	}
	r, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	_ = r.Body.Close()
	if r.StatusCode < http.StatusOK || r.StatusCode >= http.StatusBadRequest {
		return r.Status + " by " + request.URL.Host
	}
	return ""
}

// port is that of a URL, also where it does not say.
func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
