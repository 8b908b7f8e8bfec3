package occasion_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
)

// A burst of Event objects tells nothing, and none of them is needed: what has changed is seen in the objects that have changed, every one
// of them.
func TestFailureMode_P07(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s, node(t, "a", "one", "Ready=True"))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	for i := range 200 {
		s.Put(object(t, `{apiVersion: v1, kind: Event, metadata: {name: e%d, namespace: default}, type: Warning, reason: NodeNotReady,
			involvedObject: {kind: Node, name: a}}`, i))
	}
	h.nothing(t, everything...)
	for i := range 50 { // twice what an event source may tell of at once
		s.Put(node(t, fmt.Sprintf("n%02d", i), "one", "Ready=True"))
	}
	nodes := h.nodesUntil(t, probing.NodeNew, "", 50)
	if once := slices.Compact(nodes); len(once) != 50 {
		t.Errorf("%d of 50 nodes were told of", len(once))
	}
}

// What is known because of a condition is looked at anew when that is over: also where it ends because whoever said so is gone, and took
// the condition along.
func TestFailureMode_P08(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	for _, name := range []string{"a", "b"} {
		old(t, s, node(t, name, "one", "Ready=True", "KernelDeadlock=True", "DiskPressure=False"))
	}
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	s.Put(node(t, "a", "one", "Ready=True", "KernelDeadlock=False", "DiskPressure=False"), node(t, "b", "one", "Ready=True"))
	h.until(t, probing.NodeCondition, "KernelDeadlock=False a")
	h.until(t, probing.NodeCondition, "KernelDeadlock=Gone b")
	time.Sleep(1500 * time.Millisecond)
	if got := h.of(probing.NodeCondition); len(got) != 2 {
		t.Errorf("a condition that was well and is not there any more is no change: %q", got)
	}
	for _, w := range s.Writes() {
		t.Errorf("whoever only watches has written: %s", w)
	}
}

// One that takes long to be told of an event holds up the events of that name, and no other one.
func TestFailureMode_P12(t *testing.T) {
	t.Parallel()
	const names = 40
	s := kubetest.New(t)
	h, hold := &heard{}, make(chan struct{})
	var once sync.Once
	free := func() { once.Do(func() { close(hold) }) }
	end := begin(t, s.Config(), func(ctx context.Context, e probing.Event) {
		if e.Name == "DaemonSet/kube-system/slow" {
			<-hold
		}
		h.happened(ctx, e)
	})
	defer end()
	defer free()
	h.nothing(t, everything...)
	s.Put(set(t, "slow", "slow:1"))
	time.Sleep(500 * time.Millisecond) // by then it is being told
	for i := range names {
		s.Put(set(t, fmt.Sprintf("set%02d", i), "set:1"))
	}
	for i := range names {
		h.until(t, probing.Deployed, fmt.Sprintf("DaemonSet/kube-system/set%02d", i))
	}
	if slices.Contains(h.of(probing.Deployed), "DaemonSet/kube-system/slow") {
		t.Fatal("it was not slow: the test proves nothing")
	}
	free()
	h.until(t, probing.Deployed, "DaemonSet/kube-system/slow")
}

// A storm of changes is told of as little as it says, and holds up nothing else.
func TestAStormOfChangesHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	const names, times = 20, 150
	s := kubetest.New(t)
	for i := range names {
		old(t, s, node(t, fmt.Sprintf("n%02d", i), "one", "Ready=True", "DiskPressure=False"))
	}
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	began := time.Now()
	for round := range times {
		for i := range names {
			status := []string{"True", "False"}[round%2]
			s.Put(node(t, fmt.Sprintf("n%02d", i), "one", "Ready=True", "DiskPressure="+status))
		}
		if round == times/2 {
			s.Put(node(t, "calm", "one", "Ready=True"))
		}
	}
	took := time.Since(began)
	h.until(t, probing.NodeNew, "calm calm")
	t.Logf("%d changes in %s; the calm one is told %s after it", names*times, took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	time.Sleep(time.Second)
	// Each condition is told of once in 30 s, and those that turn together are one event.
	if got := h.of(probing.NodeCondition); len(got) > 10 || took < 20*time.Second && len(h.nodesUntil(t, probing.NodeCondition, "", 0)) > names {
		t.Errorf("%d changes are %d events: %q", names*times, len(got), got)
	}
}
