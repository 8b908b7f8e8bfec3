package occasion_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/rights"
)

var stack localtest.Get

func TestMain(m *testing.M) {
	os.Exit(localtest.Main(m, []string{"a"}, 3, func(get localtest.Get) { stack = get }))
}

// TestOfARealCluster goes through what happens to nodes and workloads as an API server and the stock controllers have it.
func TestOfARealCluster(t *testing.T) {
	t.Parallel()
	c, of := entitled(t, rights.Events())
	h := &heard{}
	end := begin(t, of, h.happened)
	defer func() { end() }()
	h.nodesUntil(t, probing.NodeNew, "", 3) // the stack was made a moment ago

	nodes := &corev1.NodeList{}
	if err := c.List(t.Context(), nodes); err != nil {
		t.Fatal(err)
	}
	added := nodes.Items[0].DeepCopy()
	added.ObjectMeta = metav1.ObjectMeta{Name: "added", Annotations: added.Annotations, Labels: added.Labels}
	added.Labels[corev1.LabelHostname], added.Status = "added", corev1.NodeStatus{Allocatable: added.Status.Allocatable, Capacity: added.Status.Capacity}
	added.Spec.PodCIDR, added.Spec.PodCIDRs, added.Spec.ProviderID = "", nil, ""
	create(t, c, added)
	h.nodesUntil(t, probing.NodeNew, "", 4)

	// The first boot that is known is no other one: what a slow watcher sees is the last that was written.
	began := time.Now()
	for boot := 0; len(h.of(probing.NodeRebooted)) == 0 && time.Since(began) < time.Minute; boot++ {
		patch(t, c.Status(), added, fmt.Sprintf(`{"status": {"nodeInfo": {"bootID": "boot-%d"}}}`, boot))
		time.Sleep(time.Second)
	}
	h.nodesUntil(t, probing.NodeRebooted, "", 1)

	spec := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}
	spec.Spec.Containers = []corev1.Container{{Name: "main", Image: "web:1"}}
	replicas := int32(4)
	selector := &metav1.LabelSelector{MatchLabels: spec.Labels}
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
	web.Spec = appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: spec}
	create(t, c, web)
	h.until(t, probing.Deployed, "Deployment/default/web")
	h.nodesUntil(t, probing.BatchMoved, "Deployment/default/web", 4)

	// Whatever else is written to it is no other revision.
	patch(t, c, web, `{"metadata": {"annotations": {"by": "hand"}}, "spec": {"replicas": 5}}`)
	h.settled(t, probing.Deployed, "Deployment/default/web", 1)

	began = time.Now()
	patch(t, c, web, `{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}}`)
	for count(h.of(probing.Deployed), "Deployment/default/web") < 2 && time.Since(began) < time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("a revision is told of %s after it is written", time.Since(began).Round(time.Millisecond))
	h.settled(t, probing.Deployed, "Deployment/default/web", 2)
	h.nodesUntil(t, probing.BatchMoved, "Deployment/default/web", 9)
	// It goes back to a revision that it had.
	patch(t, c, web, `{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:1"}]}}}}`)
	h.settled(t, probing.Deployed, "Deployment/default/web", 3)
	h.nodesUntil(t, probing.BatchMoved, "Deployment/default/web", 14)

	agent := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "default"}}
	spec.Labels = map[string]string{"app": "agent"}
	agent.Spec = appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: spec.Labels}, Template: spec}
	agent.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType
	create(t, c, agent)
	h.nodesUntil(t, probing.BatchMoved, "DaemonSet/default/agent", 4)
	patch(t, c, agent, `{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}}`)
	h.settled(t, probing.Deployed, "DaemonSet/default/agent", 2)
	pods := &corev1.PodList{}
	if err := c.List(t.Context(), pods, client.MatchingLabels(spec.Labels)); err != nil {
		t.Fatal(err)
	}
	batch := pods.Items[0]
	if err := c.Delete(t.Context(), &batch, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	got := h.nodesUntil(t, probing.BatchMoved, "DaemonSet/default/agent", 5)
	if n := count(got, batch.Spec.NodeName); n != 2 {
		t.Errorf("the batch was on %s, and it has come to %v", batch.Spec.NodeName, got)
	}

	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "store", Namespace: "default"}}
	spec.Labels = map[string]string{"app": "store"}
	set.Spec = appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: spec.Labels}, Template: spec, ServiceName: "store"}
	create(t, c, set)
	h.nodesUntil(t, probing.BatchMoved, "StatefulSet/default/store", 1)

	// Whoever begins anew tells nothing under another key.
	time.Sleep(2 * time.Second)
	end()
	after := &heard{}
	end = begin(t, of, after.happened)
	after.nodesUntil(t, probing.NodeNew, "", 4)
	after.until(t, probing.Deployed, "DaemonSet/default/agent")
	after.nodesUntil(t, probing.BatchMoved, "DaemonSet/default/agent", 1)
	after.nothing(t)
	for _, kind := range everything {
		for _, key := range after.keys(kind) {
			if !slices.Contains(h.keys(kind), key) {
				t.Errorf("%s is told again, as %s: it was %q", kind, key, h.keys(kind))
			}
		}
	}

	static := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "etcd-added", Namespace: "kube-system", Labels: map[string]string{"tier": "control-plane", "component": "etcd"},
	}, Spec: corev1.PodSpec{NodeName: "added", Containers: spec.Spec.Containers}}
	create(t, c, static)
	after.until(t, probing.ControlPlaneRestarted, "etcd added")
}

// entitled is a client of the administrator's, and how somebody reaches the same cluster who may do what is given and nothing else.
func entitled(t *testing.T, needs []rights.Need) (client.Client, *rest.Config) {
	t.Helper()
	all, err := clientcmd.BuildConfigFromFlags("", stack(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	all.QPS, all.Burst = 100, 200
	c, err := client.New(all, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "watcher"}}
	for _, n := range needs {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{n.Group}, Resources: []string{n.Resource}, Verbs: n.Verbs})
	}
	create(t, c, role)
	create(t, c, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "watcher"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "watcher"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "watcher"}},
	})
	some := rest.CopyConfig(all)
	some.Impersonate.UserName = "watcher"
	return c, some
}

// settled waits until so many events of a kind and name were told, and then for whether more are.
func (h *heard) settled(t *testing.T, kind probing.EventKind, name string, n int) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); count(h.of(kind), name) < n && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(1500 * time.Millisecond)
	if got := count(h.of(kind), name); got != n {
		t.Errorf("%s of %s was told %d times, not %d", kind, name, got, n)
	}
}

func count(all []string, one string) (n int) {
	for _, other := range all {
		if other == one {
			n++
		}
	}
	return n
}

func create(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// patcher is a client, or that of a subresource.
type patcher[O any] interface {
	Patch(ctx context.Context, o client.Object, p client.Patch, opts ...O) error
}

func patch[O any](t *testing.T, c patcher[O], o client.Object, text string) {
	t.Helper()
	if err := c.Patch(t.Context(), o.DeepCopyObject().(client.Object), client.RawPatch("application/strategic-merge-patch+json", []byte(text))); err != nil {
		t.Fatal(err)
	}
}
