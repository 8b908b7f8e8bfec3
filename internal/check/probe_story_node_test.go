package check

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// proxies is a component of nodes, on two nodes that run processes: its second version keeps what the node needs to make a pod.
type proxies struct {
	t *testing.T
	c *kube.Cluster
}

// seizes is the program of the second version. As long as it runs, the node can make no sandbox, and its own pod is as ready as can be.
const seizes = `cd "$VOLUMES/run/node" && mv sandboxes held && : > sandboxes
trap 'rm sandboxes; mv held sandboxes; exit 0' TERM
while :; do sleep 0.1; done`

// holdsTheBatch: a component of the nodes is released, its pods are ready, and the node that has it runs no pod any more. The case that is
// aimed at the nodes of the batch finds that, by a pod of its own which an API server, a scheduler and a kubelet refuse as they do.
func (p *proxies) holdsTheBatch(stack *localtest.Stack, server string) {
	t := p.t
	stack.NeedProgram(t, "probes")
	const first, second = "jobs-process", "jobs-other"
	other := stack.AddProcessNode(t, "jobs", server, second)
	p.create(&corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: second, Labels: map[string]string{
			localtest.ProcessNode: "true", corev1.LabelHostname: second, corev1.LabelOSStable: "linux",
		}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: localtest.ProcessNode, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
	})
	t.Cleanup(func() { // before its kubelet ends: what comes after would be scheduled to it
		if err := p.c.Delete(context.Background(), corev1.SchemeGroupVersion.WithKind("Node"), "", second, ""); err != nil {
			t.Error(err)
		}
	})
	p.create(p.daemons("1", "sleep 600", other))
	p.caseOfNodes()
	p.runs("1", first, second)
	untouched := p.on(first)

	if f := p.ask("before"); f.Verdict != api.Passed || !strings.Contains(f.Message, "2 results") {
		t.Fatalf("while all is well it is %s: %s", f.Verdict, f.Message)
	}
	p.move("2", seizes, other)
	p.runs("2", second)
	f := p.ask("batch")
	if f.Verdict != api.Failed || !strings.HasPrefix(f.Message, "node-life failed on "+second+": ") ||
		!strings.Contains(strings.ToLower(f.Message), "failed to create pod sandbox") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	if now := p.on(second); !ready(now) || now.Status.ContainerStatuses[0].RestartCount > 0 {
		t.Errorf("the component itself says that it is ill: %+v", now.Status)
	}
	p.move("1", "sleep 600", other)
	p.runs("1", second)
	if f := p.ask("back"); f.Verdict != api.Passed {
		t.Errorf("after the way back it is %s: %s", f.Verdict, f.Message)
	}
	if now := p.on(first); now == nil || now.UID != untouched.UID {
		t.Error("the node to which the batch has not come was touched")
	}
}

// daemons are the component in a version.
func (p *proxies) daemons(version, script string, other *localtest.Node) *unstructured.Unstructured {
	labels := map[string]any{"app": "node-proxy"}
	return kubetest.Object(p.t, map[string]any{
		"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"namespace": "sluice-probes", "name": "node-proxy"},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": labels}, "updateStrategy": map[string]any{"type": "OnDelete"},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "node-proxy", "version": version}},
				"spec": map[string]any{
					"nodeSelector": map[string]any{localtest.ProcessNode: "true"}, "terminationGracePeriodSeconds": 5,
					"tolerations": []any{map[string]any{"operator": "Exists"}},
					"containers": []any{map[string]any{
						"name": "main", "image": "sluice.local/fixture:1", "command": []any{"/bin/sh", "-c", script},
						"volumeMounts": []any{map[string]any{"name": "node", "mountPath": "/run/node"}},
					}},
					"volumes": []any{map[string]any{"name": "node", "hostPath": map[string]any{"path": filepath.Join(other.Dir, "runtime")}}},
				},
			},
		},
	})
}

// caseOfNodes is the case node-life as it ships, with the account that its document asks for.
func (p *proxies) caseOfNodes() {
	subject := []any{map[string]any{"kind": "ServiceAccount", "namespace": "sluice-probes", "name": "node-life"}}
	p.create(kubetest.Object(p.t, map[string]any{"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata": map[string]any{"namespace": "sluice-probes", "name": "node-life"}}))
	p.create(kubetest.Object(p.t, map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "node-life"},
		"rules": []any{
			map[string]any{"apiGroups": []any{""}, "resources": []any{"nodes", "events"}, "verbs": []any{"get", "list"}},
			map[string]any{"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"create", "get", "list", "watch", "delete"}},
		},
	}))
	p.create(kubetest.Object(p.t, map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": "node-life"},
		"roleRef": map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "node-life"}, "subjects": subject,
	}))
	p.create(&probing.Config{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig},
		ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: "node-life"},
		Spec: probing.ConfigSpec{
			Probe: "node-life", Version: "1", Timeout: metav1.Duration{Duration: time.Minute}, Freshness: metav1.Duration{Duration: time.Hour},
			Pod: probing.PodSpec{
				Image: "sluice.local/probes:1", Args: []string{"node-life"}, Profile: "node", ServiceAccount: "node-life",
				Env:          []probing.Variable{{Name: "IMAGE", Value: "sluice.local/fixture:1"}, {Name: "WITHIN", Value: "4s"}},
				NodeSelector: map[string]string{localtest.ProcessNode: "true"},
			},
			Target:      probing.TargetSpec{Kind: probing.OfNodes, Apart: true},
			Enforcement: probing.Enforcement{Mode: probing.Enforcing},
		},
	})
}

// ask is the check after a batch that has come to the nodes whose pods have the version that the component has now.
func (p *proxies) ask(key string) Finding {
	q := jobAsked(p.c, key, pipelines.Job{})
	q.Point, q.Facts.Workload = pipelines.AfterBatch, rule.Workload{Kind: "DaemonSet", Namespace: "sluice-probes", Name: "node-proxy"}
	q.Step = pipelines.ResolvedStep{Name: "black-box-probes/cases", StepKinds: pipelines.StepKinds{Probe: &pipelines.ProbeCase{Bound: true}}}
	q.Place.Pods = func(context.Context) (pods Pods, err error) {
		version, _, _ := unstructured.NestedString(p.set().Object, "spec", "template", "metadata", "labels", "version")
		for _, one := range p.pods() {
			if one.Labels["version"] == version {
				pods.New = append(pods.New, one)
			} else {
				pods.Old = append(pods.Old, one)
			}
		}
		return pods, nil
	}
	return NewProbeCases(clock.RealClock{}, asIs).Ask(p.t.Context(), q)
}

// move has the component be of a version, and its pod on the second node made anew.
func (p *proxies) move(version, script string, other *localtest.Node) {
	p.t.Helper()
	old := p.on(other.Name)
	want := p.daemons(version, script, other)
	waitFor(p.t, "the component cannot be changed", func() bool {
		want.SetResourceVersion(p.set().GetResourceVersion())
		_, err := p.c.Update(p.t.Context(), want)
		return err == nil
	})
	waitFor(p.t, "its controller has not seen the change", func() bool {
		seen, _, _ := unstructured.NestedInt64(p.set().Object, "status", "observedGeneration")
		return seen == p.set().GetGeneration()
	})
	if err := p.c.Delete(p.t.Context(), podKind, old.Namespace, old.Name, old.UID); err != nil {
		p.t.Fatal(err)
	}
}

// runs waits until nodes have ready pods of a version.
func (p *proxies) runs(version string, nodes ...string) {
	p.t.Helper()
	for _, name := range nodes {
		waitFor(p.t, fmt.Sprintf("node %s has no pod of version %s that is ready", name, version), func() bool {
			now := p.on(name)
			return now != nil && now.Labels["version"] == version && ready(now) && now.DeletionTimestamp == nil
		})
	}
}

var (
	podKind = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	setKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}
)

func (p *proxies) set() *unstructured.Unstructured {
	p.t.Helper()
	o, err := p.c.Get(p.t.Context(), setKind, "sluice-probes", "node-proxy")
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

func (p *proxies) pods() (all []*corev1.Pod) {
	p.t.Helper()
	objects, err := p.c.List(p.t.Context(), podKind, "sluice-probes", kube.Filter{Labels: "app=node-proxy"})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, o := range objects {
		one := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, one); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// on is the pod of the component on a node; nil where there is none.
func (p *proxies) on(node string) *corev1.Pod {
	for _, one := range p.pods() {
		if one.Spec.NodeName == node {
			return one
		}
	}
	return nil
}

func (p *proxies) create(o any) {
	p.t.Helper()
	if _, err := p.c.Create(p.t.Context(), kubetest.Object(p.t, o)); err != nil && fault.CodeOf(err) != fault.Conflict {
		p.t.Fatal(err)
	}
}
