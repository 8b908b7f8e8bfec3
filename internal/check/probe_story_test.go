package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// TestANodeThatCannotRunPodsHoldsTheBatch: a component of the nodes is released, its own pods look healthy, and the nodes that have it can
// run no pod any more. A case that is aimed at the nodes of the batch sees it, and nothing else does. The prober is the real one; what
// its program finds on a node is played, as no node is there.
func TestANodeThatCannotRunPodsHoldsTheBatch(t *testing.T) {
	s := kubetest.New(t)
	var mu sync.Mutex
	var ranOn []string // the nodes that the case's own pods are kept from
	broken := map[string]bool{}
	s.Kubelet = func(p *unstructured.Unstructured) map[string]any {
		text, _ := p.MarshalJSON()
		var of corev1.Pod
		if err := json.Unmarshal(text, &of); err != nil {
			t.Error(err)
			return nil
		}
		about := ""
		for _, v := range of.Spec.Containers[0].Env {
			if v.Name == prober.EnvTarget {
				about = v.Value
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, term := range of.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, e := range term.MatchExpressions {
				ranOn = append(ranOn, e.Values...)
			}
		}
		code, said := int64(0), ""
		if broken[about] {
			code = 1
			said = `{"verdict": "Failed", "code": "PodNotReady", "message": "a pod does not run after 30s: failed to create pod sandbox"}`
		}
		return map[string]any{"phase": map[int64]string{0: "Succeeded", 1: "Failed"}[code], "containerStatuses": []any{map[string]any{
			"name": "main", "state": map[string]any{"terminated": map[string]any{
				"exitCode": code, "message": said, "startedAt": "2026-11-30T05:00:00Z", "finishedAt": "2026-11-30T05:00:30Z",
			}},
		}}}
	}
	put := func(v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		s.Put(o)
	}
	for _, name := range []string{"sluice-probes", "kube-system"} {
		put(&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	var pods []*corev1.Pod
	for i := range 4 {
		name := fmt.Sprintf("node-%d", i)
		put(&corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name}})
		if i >= 2 {
			continue // the batch has not come there
		}
		pods = append(pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy-" + name, CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Minute))},
			Spec:       corev1.PodSpec{NodeName: name},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		})
	}
	put(&probing.Config{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig},
		ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: "node-life"},
		Spec: probing.ConfigSpec{
			Probe: "node-life", Version: "1.0.0", Pod: probing.PodSpec{Image: "registry.example/sluice-probes:1.0.0"},
			Timeout: metav1.Duration{Duration: time.Minute}, Freshness: metav1.Duration{Duration: time.Hour},
			Target: probing.TargetSpec{Kind: probing.OfNodes, Apart: true}, Enforcement: probing.Enforcement{Mode: probing.Enforcing},
		},
	})
	serve(t, s)

	ask := func(key string) check.Finding {
		return check.NewProbeCases(clock.RealClock{}, func(text string) string { return text }).Ask(t.Context(), check.Question{
			Step: pipelines.ResolvedStep{Name: "black-box-probes/cases", StepKinds: pipelines.StepKinds{
				Probe: &pipelines.ProbeCase{Bound: true, Freshness: new(pipelines.Duration(5 * time.Minute))},
			}},
			Point: pipelines.AfterBatch, Key: key,
			Facts: rule.Facts{Workload: rule.Workload{Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy", Revision: "rev-2"}},
			Place: &check.Place{Cluster: "eu-1", API: s.Cluster(), Pods: func(context.Context) (check.Pods, error) { return check.Pods{New: pods}, nil }},
		})
	}
	if f := ask("batch-1"); f.Verdict != api.Passed {
		t.Fatalf("while all is well it is %s: %s", f.Verdict, f.Message)
	}
	if n := len(s.All(probing.KindRun)); n != 2 {
		t.Errorf("%d runs were made, not one for each node of the batch", n)
	}
	mu.Lock()
	slices.Sort(ranOn)
	if got := strings.Join(slices.Compact(ranOn), " "); got != "node-0 node-1" {
		t.Errorf("the pods of the case keep off %q, not each off the node that it is about", got)
	}
	broken["node-1"] = true
	mu.Unlock()
	for i := range pods { // the next batch: its pods are as new as can be
		pods[i].CreationTimestamp = metav1.NewTime(time.Now().Add(time.Second))
	}
	f := ask("batch-2")
	want := "node-life failed on node-1: PodNotReady: a pod does not run after 30s: failed to create pod sandbox"
	if f.Verdict != api.Failed || !strings.HasPrefix(f.Message, want) {
		t.Errorf("%s: %s; want Failed: %s", f.Verdict, f.Message, want)
	}
}

// serve has a prober serve the cluster, as an agent does.
func serve(t *testing.T, s *kubetest.Server) {
	t.Helper()
	var p *prober.Prober
	reports := httptest.NewUnstartedServer(nil)
	p = prober.New(prober.Options{
		Say: func(context.Context, probing.Said) error { return nil }, URL: "http://" + reports.Listener.Addr().String(),
		Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	reports.Config.Handler = p.Reports()
	reports.Start()
	k := &control.Keeper{Controllers: []control.Controller{p.Controller()}, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(context.Background())
	k.Want(ctx, []control.Cluster{{Name: "eu-1", Config: func() (*rest.Config, error) {
		c := s.Config()
		c.ContentType = runtime.ContentTypeJSON // all that the cluster understands
		return c, nil
	}}})
	t.Cleanup(func() {
		stop()
		k.Wait()
		reports.Close()
	})
}
