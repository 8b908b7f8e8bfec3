package kit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/internal/workload/podtemplate"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// TestADriverInOneFile moves a herd there and back.
func TestADriverInOneFile(t *testing.T) {
	p := newPasture(t)
	driver := kit.New(herds{}, clock.RealClock{})
	from, to := p.herd("1"), p.herd("2")
	p.start(from)
	spec := workload.Spec{Run: "run-1", Fence: 1, Target: to, WayBack: from, PatchType: types.MergePatchType, Patch: patchTo(t, to)}
	goal := func(number int, amount pipelines.Amount) workload.Goal {
		return workload.Goal{Sets: kit.Everything(amount).Sets, Number: number, Amount: amount, MaxUnavailable: pipelines.Count(2)}
	}

	state := must(driver.Prepare(p.ctx, p.client, spec))(t)
	if p.images("1") != 4 || !state.Armed {
		t.Fatalf("it was prepared, and %d of 4 pods are old: %+v", p.images("1"), state)
	}
	most := 0
	look := func(context.Context, rule.Workload, rule.Batch) error {
		most = max(most, p.images("2"))
		return nil
	}
	facts := must(driver.Advance(p.ctx, p.client, spec, state, goal(1, pipelines.Count(1)), look))(t)
	if facts.Workload.UpdatedAvailable != 1 || most > 1 || p.images("1") != 3 {
		t.Errorf("a batch of one has %+v, at most %d pods were new", facts.Workload, most)
	}

	state = must(driver.Disarm(p.ctx, p.client, spec, state))(t)
	p.delete("1")
	p.until("the deleted pod is back, and old", func() bool { return p.images("1") == 3 && p.images("2") == 1 })
	if _, err := driver.Advance(p.ctx, p.client, spec, state, goal(2, pipelines.Percent(100)), nil); fault.CodeOf(err) != fault.Refused {
		t.Errorf("a disarmed herd moved: %v", err)
	}
	state = must(driver.Arm(p.ctx, p.client, spec, state))(t)
	if _, err := driver.Finish(p.ctx, p.client, spec, state, false); fault.CodeOf(err) != fault.Refused {
		t.Errorf("it was let go with pods at another template: %v", err)
	}
	must(driver.Advance(p.ctx, p.client, spec, state, goal(2, pipelines.Percent(100)), look))(t)
	if p.images("2") != 4 {
		t.Errorf("%d of 4 pods are new", p.images("2"))
	}

	must(driver.Revert(p.ctx, p.client, spec, state, pipelines.Count(2), look))(t)
	state = must(driver.Finish(p.ctx, p.client, spec, state, true))(t)
	if hold, err := workload.HoldOf(p.server.Object(from)); hold != nil || err != nil || p.images("1") != 4 || state.Armed {
		t.Errorf("it is back with %d of 4 pods, held by %+v, %v; %+v", p.images("1"), hold, err, state)
	}
	p.server.Delete(p.server.Object(from))
	if gone := must(driver.Disarm(p.ctx, p.client, spec, state))(t); gone.Armed {
		t.Errorf("a herd that is gone is armed: %+v", gone)
	}
}

// TestAvailableIsWhatTheClockSays: a pod has to be ready for ten minutes, which pass on the clock that the driver was given. One whose
// readiness comes and goes every four minutes is not there until it has stayed.
func TestAvailableIsWhatTheClockSays(t *testing.T) {
	for reason, flaps := range map[string]int{"it stays ready": 0, "it flaps at first": 6} {
		t.Run(reason, func(t *testing.T) { availableAfter(t, flaps) })
	}
}

func availableAfter(t *testing.T, flaps int) {
	const least = 10 * time.Minute
	p := newPasture(t)
	on := clocktesting.NewFakeClock(time.Now())
	p.ready = on.Now()
	slow := func(version string) *unstructured.Unstructured {
		herd := p.herd(version)
		herd.Object["spec"].(map[string]any)["minReadySeconds"] = int64(least / time.Second)
		return herd
	}
	from, to := slow("1"), slow("2")
	p.start(from)
	var pace atomic.Int64 // of the clock: slow for as long as something else has to happen meanwhile
	pace.Store(int64(5 * time.Millisecond))
	p.every(time.Millisecond, func() { on.Step(time.Duration(pace.Load())) })

	driver := kit.New(herds{}, on)
	spec := workload.Spec{Run: "run-1", Fence: 1, Target: to, WayBack: from, PatchType: types.MergePatchType, Patch: patchTo(t, to)}
	state := must(driver.Prepare(p.ctx, p.client, spec))(t)
	var mu sync.Mutex
	var since time.Time // it is ready for good
	begun, left := false, flaps
	look := func(_ context.Context, w rule.Workload, _ rule.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if w.UpdatedReady == 1 && !begun {
			begun, since = true, on.Now()
			pace.Store(int64(5 * time.Second))
		}
		return nil
	}
	p.every(time.Millisecond, func() {
		mu.Lock()
		defer mu.Unlock()
		if begun && left > 0 && on.Since(since) >= 4*time.Minute {
			left--
			since = on.Now()
			p.turn("2", left%2 == 0, since)
		}
	})
	goal := workload.Goal{Sets: kit.Everything(pipelines.Count(1)).Sets, Number: 1, Amount: pipelines.Count(1), MaxUnavailable: pipelines.Percent(100)}
	facts := must(driver.Advance(p.ctx, p.client, spec, state, goal, look))(t)
	mu.Lock()
	defer mu.Unlock()
	if left != 0 {
		t.Fatalf("the batch was there before its pod had flapped %d times more", left)
	}
	if took := on.Since(since); facts.Workload.UpdatedAvailable != 1 || took < least-time.Minute {
		t.Errorf("the batch was there %s after its pod was ready: %+v", took, facts.Workload)
	}
}

// must returns the value of a call that may not fail.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func patchTo(t *testing.T, to *unstructured.Unstructured) []byte {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": podtemplate.Of(to)}})
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// pasture is a cluster in memory in which a controller looks after one herd.
type pasture struct {
	*testing.T
	ctx    context.Context
	server *kubetest.Server
	client workload.Cluster
	made   int
	ready  time.Time // since when its pods are
}

func newPasture(t *testing.T) *pasture {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	server := kubetest.New(t)
	return &pasture{T: t, ctx: ctx, server: server, client: server.Cluster(), ready: time.Now().Add(-time.Hour)}
}

func (p *pasture) object(text string, args ...any) *unstructured.Unstructured {
	p.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(fmt.Appendf(nil, text, args...)); err != nil {
		p.Fatal(err)
	}
	return o
}

func (p *pasture) herd(version string) *unstructured.Unstructured {
	return p.object(`{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "agent", "namespace": "apps"}, "spec": {
		"replicas": 4,
		"selector": {"matchLabels": {"app": "agent"}}, "template": {"metadata": {"labels": {"app": "agent"}},
		"spec": {"containers": [{"name": "main", "image": "registry.example/agent:%s"}]}}}}`, version)
}

// start puts a herd there, and its controller beside it for as long as the test goes on.
func (p *pasture) start(herd *unstructured.Unstructured) {
	p.server.Put(p.object(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}`), herd)
	p.every(2*time.Millisecond, func() { p.control(herd) })
	p.until("it has its pods", func() bool { return len(p.server.All("Pod")) == 4 })
}

// every does something again and again for as long as the test goes on.
func (p *pasture) every(pause time.Duration, do func()) {
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(p.ctx)
	p.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			do()
			time.Sleep(pause)
		}
	}()
}

// control does what the controller of a herd does: it keeps a revision of the template, fills gaps, and says what it has seen.
func (p *pasture) control(like *unstructured.Unstructured) {
	herd := p.server.Object(like)
	if herd == nil {
		return
	}
	owner := fmt.Sprintf(`"namespace": "apps", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "agent",
		"uid": "%s", "controller": true}]`, herd.GetUID())
	hash := podtemplate.Digest(podtemplate.Of(herd))
	template, _ := json.Marshal(podtemplate.Of(herd))
	var newest int64
	current := ""
	for _, r := range p.server.All("ControllerRevision") {
		if n, _, _ := unstructured.NestedInt64(r.Object, "revision"); n > newest {
			newest, current = n, r.GetLabels()["controller-revision-hash"]
		}
	}
	if current != hash {
		p.server.Put(p.object(`{"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "agent-%s",
			"labels": {"app": "agent", "controller-revision-hash": "%s"}, %s}, "revision": %d, "data": {"spec": {"template": %s}}}`,
			hash, hash, owner, newest+1, template))
	}
	for range size(herd) - len(p.server.All("Pod")) {
		p.made++
		spec, _ := json.Marshal(podtemplate.Of(herd)["spec"])
		p.server.Put(p.object(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent-%d", "labels": {"app": "agent",
			"controller-revision-hash": "%s"}, %s}, "spec": %s, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True",
			"lastTransitionTime": "%s"}]}}`, p.made, hash, owner, spec, p.ready.UTC().Format(time.RFC3339)))
	}
	if seen, _, _ := unstructured.NestedInt64(herd.Object, "status", "observedGeneration"); seen != herd.GetGeneration() {
		status := fmt.Appendf(nil, `{"status": {"observedGeneration": %d}}`, herd.GetGeneration())
		_, err := p.client.Patch(p.ctx, herd.GroupVersionKind(), "apps", "agent", types.MergePatchType, status)
		if err != nil && p.ctx.Err() == nil && fault.CodeOf(err) != fault.NotFound {
			p.Errorf("the controller cannot say what it has seen: %v", err)
		}
	}
}

// images is how many pods have an image of a version.
func (p *pasture) images(version string) int {
	n := 0
	for _, pod := range p.server.All("Pod") {
		if p.version(pod) == version {
			n++
		}
	}
	return n
}

func (p *pasture) version(pod *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
	_, version, _ := strings.Cut(containers[0].(map[string]any)["image"].(string), ":")
	return version
}

// turn has the pods of a version be ready, or not, since a time.
func (p *pasture) turn(version string, ready bool, since time.Time) {
	status := "False"
	if ready {
		status = "True"
	}
	for _, pod := range p.server.All("Pod") {
		if p.version(pod) == version {
			pod.Object["status"] = map[string]any{"phase": "Running", "conditions": []any{
				map[string]any{"type": "Ready", "status": status, "lastTransitionTime": since.UTC().Format(time.RFC3339)},
			}}
			p.server.Put(pod)
		}
	}
}

// delete takes a pod of a version away, as somebody else would.
func (p *pasture) delete(version string) {
	for _, pod := range p.server.All("Pod") {
		if p.version(pod) == version {
			p.server.Delete(pod)
			return
		}
	}
}

func (p *pasture) until(what string, holds func() bool) {
	p.Helper()
	for !holds() {
		if p.ctx.Err() != nil {
			p.Fatalf("still not: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
