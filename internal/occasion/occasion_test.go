package occasion_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
)

func TestWhatWasThereBeforeIsNoChange(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s,
		node(t, "a", "one", "Ready=True", "DiskPressure=False", "KernelDeadlock=True"), node(t, "b", "one", "Ready=False"),
		set(t, "proxy", "proxy:1"), part(t, "etcd", "a", "x", 3, 24*time.Hour))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
}

func TestChangesOfNodesAreTold(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s, node(t, "a", "one", "Ready=True", "DiskPressure=False"), node(t, "b", "one", "Ready=True"))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)

	s.Put(node(t, "c", "", "Ready=False"))
	h.nothing(t, everything...) // nothing could run there yet
	s.Put(node(t, "c", "one", "Ready=True", "DiskPressure=False"))
	h.until(t, probing.NodeNew, "c c")

	s.Put(node(t, "a", "two", "Ready=True", "DiskPressure=False"))
	h.until(t, probing.NodeRebooted, "a a")

	s.Put(node(t, "b", "one", "Ready=True", "KernelDeadlock=True"))
	h.until(t, probing.NodeCondition, "KernelDeadlock=True b")

	s.Delete(node(t, "c", ""))
	s.Put(node(t, "c", "three", "Ready=True"))
	if got := h.nodesUntil(t, probing.NodeNew, "", 2); !slices.Equal(got, []string{"c", "c"}) {
		t.Errorf("a node of the same name is another node: %v", got)
	}
	if got := h.of(probing.NodeRebooted); len(got) != 1 {
		t.Errorf("a node that came up for the first time was not rebooted: %q", got)
	}
}

func TestNodesThatComeAtOnceAreOneEvent(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	for i := range 100 {
		s.Put(node(t, fmt.Sprintf("n%03d", i), "one", "Ready=True"))
	}
	nodes := h.nodesUntil(t, probing.NodeNew, "", 100)
	if once := slices.Compact(slices.Clone(nodes)); len(once) != 100 || len(nodes) != 100 {
		t.Errorf("%d nodes are new, and were told of %d times", len(once), len(nodes))
	}
	if n := len(h.of(probing.NodeNew)); n > 10 {
		t.Errorf("100 nodes are %d events", n)
	}
}

func TestARevisionAndWhereItHasComeAreTold(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s, node(t, "a", "one", "Ready=True"), node(t, "b", "one", "Ready=True"), set(t, "proxy", "proxy:1"), set(t, "other", "other:1"))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	s.Put(set(t, "proxy", "proxy:2"))
	h.until(t, probing.Deployed, "DaemonSet/kube-system/proxy")
	if got := h.nodesUntil(t, probing.BatchMoved, "DaemonSet/kube-system/proxy", 2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("it has come to %v", got)
	}
	s.Put(set(t, "proxy", "proxy:3"))
	if got := h.nodesUntil(t, probing.BatchMoved, "DaemonSet/kube-system/proxy", 4); !slices.Equal(got, []string{"a", "a", "b", "b"}) {
		t.Errorf("the one after it has come to %v", got)
	}
	if got, want := len(h.keys(probing.Deployed)), 2; got != want {
		t.Errorf("%d revisions were deployed, not %d", got, want)
	}
	if once := slices.Compact(h.keys(probing.BatchMoved)); len(once) != 4 {
		t.Errorf("pods have keys of their own: %q", once)
	}
}

// What a case makes is no change: it would run because of itself, for ever.
func TestWhatACaseMakesIsNoChange(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	own := set(t, "life", "pause:1")
	own.SetLabels(map[string]string{probing.LabelRun: "pod-life-1"})
	s.Put(own, set(t, "other", "other:1"))
	h.until(t, probing.Deployed, "DaemonSet/kube-system/other")
	if got := h.of(probing.Deployed); len(got) != 1 {
		t.Errorf("%q were told", got)
	}
}

func TestPartsOfTheControlPlaneAreToldOf(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s, part(t, "etcd", "a", "x", 3, 24*time.Hour), part(t, "kube-apiserver", "a", "y", 0, 24*time.Hour))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	s.Put(part(t, "etcd", "a", "x2", 4, 0))
	h.until(t, probing.ControlPlaneRestarted, "etcd a")
	s.Delete(part(t, "kube-apiserver", "a", "y", 0, 0))
	s.Put(part(t, "kube-apiserver", "a", "y", 0, 24*time.Hour)) // the object was made anew, the container runs on
	time.Sleep(1500 * time.Millisecond)
	if got := h.of(probing.ControlPlaneRestarted); len(got) != 1 {
		t.Errorf("%q were told", got)
	}
	s.Delete(part(t, "kube-apiserver", "a", "y", 0, 0))
	s.Put(part(t, "kube-apiserver", "a", "y2", 0, 0))
	h.until(t, probing.ControlPlaneRestarted, "kube-apiserver a")
}

// Whoever begins anew tells what happened a short while ago, under the keys that it had: no run is made twice.
func TestAfterARestartNothingHasAnotherKey(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s, node(t, "a", "one", "Ready=True"), set(t, "proxy", "proxy:1"), part(t, "etcd", "a", "x", 3, 24*time.Hour))
	before := &heard{}
	end := begin(t, s.Config(), before.happened)
	before.nothing(t, everything...)
	s.Put(set(t, "proxy", "proxy:2"))
	before.nodesUntil(t, probing.BatchMoved, "DaemonSet/kube-system/proxy", 1)
	before.until(t, probing.Deployed, "DaemonSet/kube-system/proxy")
	s.Put(node(t, "b", "one", "Ready=True"), part(t, "etcd", "a", "x2", 4, 0))
	before.until(t, probing.NodeNew, "b b")
	before.until(t, probing.ControlPlaneRestarted, "etcd a")
	before.nodesUntil(t, probing.BatchMoved, "DaemonSet/kube-system/proxy", 2)
	s.Put(node(t, "a", "one", "Ready=True", "KernelDeadlock=True@"+since(0)))
	before.until(t, probing.NodeCondition, "KernelDeadlock=True a")
	end()

	after := &heard{}
	defer begin(t, s.Config(), after.happened)()
	after.until(t, probing.NodeNew, "b b")
	after.until(t, probing.ControlPlaneRestarted, "etcd a")
	after.until(t, probing.NodeCondition, "KernelDeadlock=True a")
	after.until(t, probing.Deployed, "DaemonSet/kube-system/proxy")
	for _, kind := range everything {
		for _, key := range after.keys(kind) {
			if !slices.Contains(before.keys(kind), key) {
				t.Errorf("%s is told again, as %s: it was %q", kind, key, before.keys(kind))
			}
		}
	}
}

// What happened while nobody watched is told by whoever begins, once, where the objects say when it was.
func TestWhatHappenedMeanwhileIsToldOnce(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	old(t, s, node(t, "a", "one", "Ready=False@"+since(time.Minute)), part(t, "etcd", "a", "x", 3, time.Minute),
		part(t, "kube-scheduler", "a", "y", 3, time.Hour))
	s.Put(node(t, "b", "one", "Ready=True"))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.until(t, probing.NodeNew, "b b")
	h.until(t, probing.NodeCondition, "Ready=False a")
	h.until(t, probing.ControlPlaneRestarted, "etcd a")
	time.Sleep(1500 * time.Millisecond)
	var all []string
	for _, kind := range everything {
		all = append(all, h.of(kind)...)
	}
	if diff := cmp.Diff([]string{"b b", "Ready=False a", "etcd a"}, all); diff != "" {
		t.Error(diff)
	}
}

// A resource that may not be watched holds up no other one.
func TestWhatIsForbiddenHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Forbid("daemonsets")
	old(t, s, node(t, "a", "one", "Ready=True"))
	h := &heard{}
	defer begin(t, s.Config(), h.happened)()
	h.nothing(t, everything...)
	s.Put(node(t, "b", "one", "Ready=True"))
	h.until(t, probing.NodeNew, "b b")
}
