package supervisor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

const (
	// startLimit is how long any one part may take to become ready.
	startLimit   = 5 * time.Minute
	probeLimit   = 3 * time.Second
	probeEvery   = 200 * time.Millisecond
	maxProbeBody = 4096
)

// until probes until the probe succeeds, and returns its last error when it
// does not in time.
func until(ctx context.Context, what string, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready after %s", startLimit))
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, probeLimit)
		err := probe(attempt)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for %s: %w: %w", what, context.Cause(ctx), err)
		case <-time.After(probeEvery):
		}
	}
}

// waitReady waits until a part serves. Parts without an interface of their own
// count as soon as they run.
func (c *cluster) waitReady(ctx context.Context, part string) error {
	switch part {
	case stack.Etcd:
		return until(ctx, part, func(ctx context.Context) error {
			return probeHTTP(ctx, "http://"+stack.Loopback(c.ports.EtcdClient)+"/health")
		})
	case stack.APIServer:
		return until(ctx, part, c.probeAPI)
	default:
		return nil
	}
}

func (c *cluster) probeAPI(ctx context.Context) error {
	return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// waitNodes waits until every node is ready, free of the taints of nodes that
// are not, and has shown a sign of life since a moment.
func (c *cluster) waitNodes(ctx context.Context, since time.Time) error {
	return until(ctx, "nodes", func(ctx context.Context) error {
		ready, process, err := c.readyNodes(ctx)
		if err != nil {
			return err
		}
		if !process {
			return fmt.Errorf("the process node is not ready")
		}
		if ready < len(c.nodes) {
			return fmt.Errorf("%d of %d nodes are ready", ready, len(c.nodes))
		}
		leases, err := c.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return err
		}
		alive := 0
		for _, lease := range leases.Items {
			if lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(since) {
				alive++
			}
		}
		// The process node shows them too.
		if wanted := len(c.nodes) + 1; alive < wanted {
			return fmt.Errorf("%d of %d nodes show signs of life", alive, wanted)
		}
		return nil
	})
}

// readyNodes counts the nodes that pods can run on, and tells whether the process node, which is not counted, is one.
func (c *cluster) readyNodes(ctx context.Context) (ready int, process bool, err error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return 0, false, err
	}
	for _, node := range nodes.Items {
		switch {
		case !isReady(node):
		case node.Name == c.process.name:
			process = true
		default:
			ready++
		}
	}
	return ready, process, nil
}

func isReady(node corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable {
			return false
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func probeHTTP(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProbeBody))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, res.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
