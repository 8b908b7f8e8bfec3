package check

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// casesOnANode has cases run by a prober, an API server and a node as they are.
func casesOnANode(t *testing.T, stack *localtest.Stack, c *kube.Cluster) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: stack.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: c.Context()},
	).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(step pipelines.ProbeCase, key string) Finding {
		q := jobAsked(c, key, pipelines.Job{})
		q.Step = pipelines.ResolvedStep{Name: "probes/cases", StepKinds: pipelines.StepKinds{Probe: &step}}
		q.Place.Pods = func(context.Context) (Pods, error) { return Pods{}, nil }
		return NewProbeCases(clock.RealClock{}, asIs).Ask(t.Context(), q)
	}
	f := ask(pipelines.ProbeCase{Bound: true}, "none")
	if f.Verdict != api.Error || !strings.Contains(f.Message, "no case is bound") {
		t.Errorf("in a cluster that knows no probes it is %s: %s", f.Verdict, f.Message)
	}

	reports := httptest.NewUnstartedServer(nil)
	p := prober.New(prober.Options{
		Say: func(context.Context, probing.Said) error { return nil }, URL: "http://" + reports.Listener.Addr().String(),
		Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	reports.Config.Handler = p.Reports()
	reports.Start()
	defer reports.Close()
	k := &control.Keeper{Controllers: []control.Controller{p.Controller()}, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	k.Want(ctx, []control.Cluster{{Name: "jobs", Config: func() (*rest.Config, error) { return config, nil }}})
	defer func() { stop(); k.Wait() }()

	put := func(o *unstructured.Unstructured) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // the prober defines the kinds
			_, err := c.Create(t.Context(), o)
			if err == nil || fault.CodeOf(err) == fault.Conflict {
				return
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	put(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "sluice-probes"},
	}})
	for name, script := range map[string]string{
		"good": "exit 0", "cannot-tell": "exit 75",
		"bad": `echo '{"verdict": "Failed", "code": "PodNotReady", "message": "not within 30s"}' > ${TERMINATION_LOG:-/dev/termination-log}; exit 1`,
	} {
		put(kubetest.Object(t, map[string]any{
			"apiVersion": "sluice.dev/v1alpha1", "kind": probing.KindConfig,
			"metadata": map[string]any{"namespace": "sluice-probes", "name": name, "labels": map[string]any{probing.LabelSet + "all": "true"}},
			"spec": probing.ConfigSpec{
				Probe: name, Version: "1", Timeout: metav1.Duration{Duration: 20 * time.Second}, Freshness: metav1.Duration{Duration: time.Hour},
				Pod: probing.PodSpec{
					Image: "sluice.local/fixture:1", Command: []string{"/bin/sh", "-c", script}, Profile: "node",
					NodeSelector: map[string]string{localtest.ProcessNode: "true"},
				},
			},
		}))
	}
	for _, w := range []struct {
		reason string
		step   pipelines.ProbeCase
		want   api.Verdict
		says   string
	}{
		{"a case passes", pipelines.ProbeCase{Case: "good"}, api.Passed, "1 of 1 cases passed"},
		{"a case cannot tell", pipelines.ProbeCase{Case: "cannot-tell"}, api.Inconclusive, "cannot-tell could not tell"},
		{"a case fails", pipelines.ProbeCase{Case: "bad"}, api.Failed, "bad failed"},
		{"one of a set fails, as it did before", pipelines.ProbeCase{Set: "all"}, api.Inconclusive, "before the change already: it fail"},
	} {
		t.Run(w.reason, func(t *testing.T) {
			if f := ask(w.step, w.reason); f.Verdict != w.want || !strings.Contains(f.Message, w.says) {
				t.Errorf("%s: %s; want %s: %s", f.Verdict, f.Message, w.want, w.says)
			}
		})
	}
	if all, err := caserun.Made(t.Context(), c); err != nil || len(all) < 4 {
		t.Errorf("%d runs are there, %v", len(all), err)
	}
	t.Run("a node that runs no pods holds the batch", func(t *testing.T) {
		story := proxies{t, c}
		story.holdsTheBatch(stack, config.Host)
	})
}
