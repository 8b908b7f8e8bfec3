package check

import (
	"context"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

const flapping = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "flaps", "namespace": "default"}, "spec": {
	"nodeSelector": {"local.sluice.dev/process": "true"}, "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 1,
	"containers": [{"name": "main", "image": "sluice.local/fixture:1", "ports": [{"containerPort": 8443}],
		"env": [{"name": "READY", "value": "yes:3s,no:3s,yes:3s,no:3s,yes"}],
		"readinessProbe": {"periodSeconds": 1, "failureThreshold": 1, "httpGet": {"path": "/readyz", "port": 8443}}}]}}`

// whatFlaps has a check look at a pod of which its kubelet says that it is ready, and is not, and is again.
func whatFlaps(t *testing.T, c *kube.Cluster) {
	p := &unstructured.Unstructured{}
	if err := p.UnmarshalJSON([]byte(flapping)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	place := &Place{Cluster: "eu-1", API: c, Pods: func(ctx context.Context) (Pods, error) {
		live, err := c.Get(ctx, p.GroupVersionKind(), p.GetNamespace(), p.GetName())
		if err != nil {
			return Pods{}, err
		}
		pod := &corev1.Pod{}
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, pod)
		return Pods{New: []*corev1.Pod{pod}}, err
	}}
	place.Objects = func(context.Context) ([]*unstructured.Unstructured, error) { return nil, nil }
	facts := rule.Facts{Workload: rule.Workload{Kind: "Deployment", Namespace: "default", Name: "agent"}}
	source, kept := NewWorkload(clock.RealClock{}, nil), json.RawMessage(nil)
	waitFor(t, "nobody tells that its readiness was lost twice", func() bool {
		f := source.Ask(t.Context(), Question{
			Step:  pipelines.ResolvedStep{Name: "w/s", StepKinds: pipelines.StepKinds{Workload: &pipelines.Workload{}}},
			Facts: facts, Place: place, Kept: kept,
		})
		kept = f.Keep
		return f.Seen["workload.flaps"] == int64(2)
	})
}
