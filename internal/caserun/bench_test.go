package caserun_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
)

const namespace = "sluice-probes"

// bench is a cluster in memory, and whoever has cases run there, by a clock that the test moves.
type bench struct {
	*kubetest.Server
	t       *testing.T
	cluster *kube.Cluster
	clock   *testclock.FakeClock
	runner  *caserun.Runner
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}))
	fake := testclock.NewFakeClock(time.Now())
	return &bench{Server: s, t: t, cluster: s.Cluster(), clock: fake, runner: &caserun.Runner{Clock: fake}}
}

func aCase(name string) *probing.Config {
	return &probing.Config{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "uid-of-case"},
		Spec:       probing.ConfigSpec{Probe: name, Version: "1", Timeout: metav1.Duration{Duration: time.Minute}},
	}
}

// asks are runs of a case for some targets, for one cause.
func asks(key string, targets ...string) (all []caserun.Ask) {
	config := aCase("life")
	for _, t := range targets {
		all = append(all, caserun.Ask{Config: config, Target: t, Cause: probing.Cause{Kind: probing.ByGate, Key: key}})
	}
	return all
}

// runs are those that the cluster has, by name.
func (b *bench) runs() []*probing.Run {
	b.t.Helper()
	var all []*probing.Run
	for _, o := range b.All(probing.KindRun) {
		r := &probing.Run{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, r); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y *probing.Run) int { return slices.Compare([]string{x.Name}, []string{y.Name}) })
	return all
}

// becomes writes how far the run of an ask is.
func (b *bench) becomes(a caserun.Ask, status probing.RunStatus) {
	b.t.Helper()
	for _, r := range b.runs() {
		if r.Name == a.Name() {
			r.TypeMeta, r.Status = metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun}, status
			b.Put(kubetest.Object(b.t, r))
			return
		}
	}
	b.t.Fatalf("there is no run %s", a.Name())
}

func done(v api.Verdict) probing.RunStatus {
	return probing.RunStatus{Phase: probing.RunDone, Node: "n1", Version: "1", Result: &probing.Result{Verdict: v}}
}

// waiting is a Run that goes on.
type waiting struct {
	b     *bench
	begun chan struct{}
	ends  chan []caserun.End
	err   error // once ends has come
}

// begin has asks run, and returns once all are made.
func (b *bench) begin(ctx context.Context, all []caserun.Ask) *waiting {
	b.t.Helper()
	w := &waiting{b: b, begun: make(chan struct{}), ends: make(chan []caserun.End, 1)}
	go func() {
		ends, err := b.runner.Run(ctx, b.cluster, all, none, func([]caserun.End) { close(w.begun) })
		w.err = err
		w.ends <- ends
	}()
	select {
	case <-w.begun:
	case <-time.After(20 * time.Second):
		b.t.Fatal("the runs are not made")
	}
	return w
}

func none([]caserun.End) bool { return false }

// over returns what came of it, and moves the clock meanwhile by steps.
func (w *waiting) over(step time.Duration) []caserun.End {
	w.b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case ends := <-w.ends:
			return ends
		default:
		}
		if step > 0 && w.b.clock.HasWaiters() {
			w.b.clock.Step(step)
		}
	}
	w.b.t.Fatal("it waits")
	return nil
}

// told is an End in a word: its verdict, or the code of why there is none.
func told(e caserun.End) string {
	switch {
	case e.Result != nil:
		return string(e.Result.Verdict)
	case e.Why != nil:
		return string(fault.CodeOf(e.Why))
	}
	return ""
}

func toldAll(ends []caserun.End) (all []string) {
	for _, e := range ends {
		all = append(all, told(e))
	}
	return all
}

func (b *bench) nodes(n int, labels map[string]any) {
	for i := range n {
		b.Put(kubetest.Object(b.t, map[string]any{"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": fmt.Sprintf("n%04d", i), "labels": labels}}))
	}
}
