package charts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/internal/localtest"
)

// namespace is where charts are installed.
const namespace = "sluice-system"

// cluster is a real API server that enforces Pod Security "restricted", and says what it would warn of.
type cluster struct {
	stack   *localtest.Stack
	config  *rest.Config
	objects dynamic.Interface
	client  *kubernetes.Clientset

	mu       sync.Mutex
	warnings []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (c *cluster) HandleWarningHeader(_ int, _ string, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnings = append(c.warnings, text)
}

// warned are the warnings since this was asked last.
func (c *cluster) warned() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.warnings
	c.warnings = nil
	return all
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	s := stack(t)
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{stack: s, config: config}
	config.WarningHandler = c
	config.QPS, config.Burst = 100, 200
	var _ rest.WarningHandler = c
	if c.objects, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	_, err = c.client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) { // the tests share it
		t.Fatal(err)
	}
	return c
}

// create creates an object, or has the API server only say whether it would take it. Namespaces that it names are made.
func (c *cluster) create(ctx context.Context, content map[string]any, dry bool) error {
	o := &unstructured.Unstructured{Object: content}
	resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	options := metav1.CreateOptions{}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	var to dynamic.ResourceInterface = c.objects.Resource(resource)
	if !strings.HasPrefix(o.GetKind(), "Cluster") && o.GetKind() != "CustomResourceDefinition" {
		in := o.GetNamespace()
		if in == "" {
			in = namespace
		}
		to = c.objects.Resource(resource).Namespace(in)
		_, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: in}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	_, err := to.Create(ctx, o, options)
	return err
}

// TestClustersTakeTheCharts has everything that is rendered created, and pods made of it: Pod Security judges those.
func TestClustersTakeTheCharts(t *testing.T) {
	c := newCluster(t)
	careless := map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "careless"}, "spec": map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}}, "template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "a"}}},
		},
	}}
	if err := c.create(t.Context(), careless, true); err != nil || len(c.warned()) == 0 {
		t.Fatalf("the API server does not warn of a pod that may do anything: %v", err)
	}
	for name, chart := range cases {
		files, err := rendered(chart, fromFile(t, name))
		if err != nil {
			t.Fatal(err)
		}
		// Both releases of a chart have the same names: one is made, of the other it is asked whether it could be.
		dry := name == "sluice-least" || name == "sluice-agent-least"
		for path, text := range files {
			for _, object := range objectsIn(t, text) {
				o := &unstructured.Unstructured{Object: object}
				if o.GetKind() == "ServiceMonitor" {
					continue // of a kind that no cluster has by itself
				}
				if !dry {
					unpin(object)
				}
				if err := c.create(t.Context(), object, dry); err != nil && !apierrors.IsAlreadyExists(err) {
					t.Errorf("%s, %s %s: %v", path, o.GetKind(), o.GetName(), err)
				}
				if warned := c.warned(); len(warned) > 0 {
					t.Errorf("%s, %s %s: the API server warns: %q", path, o.GetKind(), o.GetName(), warned)
				}
			}
		}
	}
	for name, replicas := range map[string]int32{"sluice-server": 3, "sluice-worker": 2, "sluice-agent": 1} {
		if err := c.available(t.Context(), name, replicas); err != nil {
			t.Error(err)
		}
	}
}

// unpin takes away what keeps pods from the nodes that there are here, and classes that there are none of.
func unpin(object map[string]any) {
	unstructured.RemoveNestedField(object, "spec", "template", "spec", "nodeSelector")
}

// available waits until a Deployment has its pods.
func (c *cluster) available(ctx context.Context, name string, replicas int32) error {
	var last *appsv1.Deployment
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		d, err := c.client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if d.Status.AvailableReplicas == replicas {
			return nil
		}
		last = d
	}
	says := []string{}
	if events, err := c.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"}); err == nil {
		for _, e := range events.Items {
			if !slices.Contains(says, e.Message) {
				says = append(says, e.Message)
			}
		}
	}
	return errors.New("Deployment " + name + " has not its pods: " + last.Status.String() + "\n" + strings.Join(says, "\n"))
}
