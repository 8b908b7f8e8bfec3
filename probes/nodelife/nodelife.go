// Package nodelife is the case of nodes: a pod that is put on a node runs there. It looks at a bounded sample, each node by itself.
package nodelife

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "node-life"

// Timeout is how long a run may take where nobody says.
const Timeout = 2 * time.Minute

// Bounds of a run.
const (
	maxSample = 50
	atOnce    = 10
)

// nodes is one run.
type nodes struct {
	*site.Site
	trial    *trial.Trial
	pod      site.PodSettings
	within   time.Duration // for a pod to run, and for it to go
	sample   int
	named    []string // the nodes, where the run is told
	selector map[string]string
}

// Run puts a pod on each node of a sample. A pod that is there and cannot run is a fault of its node, with what the kubelet says. A node
// that is known not to be ready, or that people have cordoned, is skipped: nobody needs a pod to learn of it.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	n := &nodes{
		trial: t, pod: site.ReadPod(r), within: r.Duration("WITHIN", 30*time.Second, 10*time.Minute),
		sample: r.Int("SAMPLE", 10, 1, maxSample), named: r.List("NODES", maxSample), selector: r.Labels("NODE_LABELS"),
	}
	if target := getenv("SLUICE_TARGET"); target != "" {
		n.named = []string{target}
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if n.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	if err := n.Sweep(ctx, site.Pods); err != nil {
		return err
	}
	err = n.all(ctx)
	if left := n.Clear(site.Pods); left != nil {
		t.Text("left", left.Error())
	}
	return err
}

func (n *nodes) all(ctx context.Context) error {
	chosen, err := n.choose(ctx)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return trial.Nothing("NoNodes", "no node has the labels %s", labels.Set(n.selector))
	}
	var names []string
	errs := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for _, node := range chosen {
		names = append(names, node.Name)
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			err := n.trial.StepOf(node.Name, "pod", func() error { return n.one(ctx, node) })
			mu.Lock()
			defer mu.Unlock()
			errs[node.Name] = err
		})
	}
	wg.Wait()
	n.trial.Number("nodes", float64(len(names)))
	return trial.Worst(names, errs)
}

// choose returns the nodes that the run is about: those that it is told, or a sample by rendezvous hash, another for each run.
func (n *nodes) choose(ctx context.Context) ([]*corev1.Node, error) {
	client := n.Client.CoreV1().Nodes()
	var found []*corev1.Node
	for _, name := range n.named {
		node, err := client.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, trial.Nothing("NodeGone", "node %s is not there any more", name)
		}
		if err != nil {
			return nil, site.Blame(err, "look at node "+name)
		}
		found = append(found, node)
	}
	if len(n.named) > 0 {
		return found, nil
	}
	return n.SampleNodes(ctx, n.selector, n.sample)
}

// unfit is why a node is not looked at.
func unfit(node *corev1.Node) error {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return trial.Nothing("NodeNotReady", "the node is not ready: %s: %s", c.Reason, c.Message)
		}
	}
	if node.Spec.Unschedulable {
		return trial.Nothing("NodeCordoned", "the node is cordoned")
	}
	return nil
}

// one puts a pod on a node, past the scheduler: it is about the node alone.
func (n *nodes) one(ctx context.Context, node *corev1.Node) error {
	if err := unfit(node); err != nil {
		return err
	}
	pods, name := n.Client.CoreV1().Pods(n.Namespace), n.podName(node.Name)
	spec := n.pod.Spec()
	spec.NodeName, spec.NodeSelector = node.Name, nil
	spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	if _, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: n.Made(name), Spec: spec}, metav1.CreateOptions{}); err != nil {
		return site.Blame(err, "create a pod")
	}
	pod, ready, err := n.FollowPod(ctx, n.within, name, site.Ready)
	switch {
	case err != nil:
		return site.Blame(err, "look at the pod")
	case pod == nil:
		return trial.Blind("PodDeleted", "somebody deleted pod %s", name)
	case !ready:
		code, text := site.Waits(pod)
		if warned := n.Warned(ctx, name); warned != "" {
			text += "; " + warned
		}
		return trial.Fault(code, "a pod does not run after %s: %s", n.within, text)
	}
	if err := pods.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}); err != nil {
		return site.Blame(err, "delete the pod")
	}
	_, gone, err := n.PodGone(ctx, n.within, name)
	if err != nil {
		return site.Blame(err, "look at the pod")
	}
	if !gone {
		return trial.Fault("PodNotGone", "a pod is still there %s after it was deleted", n.within)
	}
	return nil
}

// podName is the name of a node's pod, however long the node's is.
func (n *nodes) podName(node string) string { return n.Name(site.Digest(node)) }
