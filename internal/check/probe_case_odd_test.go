package check

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// TestAnotherVersionOfACaseSaysNothing: whoever brings cases is looked at by them, and an agent may still have what they were.
func TestAnotherVersionOfACaseSaysNothing(t *testing.T) {
	for _, v := range []api.Verdict{api.Passed, api.Failed} {
		b := newCaseBench(t)
		b.has(aCase("life", func(c *probing.Config) { c.Spec.Version = "1.1.0" }))
		b.playProber(func(*probing.Run) *probing.Result { return verdict(v) })
		f := b.ask(t.Context(), pipelines.ProbeCase{Case: "life"})
		want := "life could not tell (ran on ran-here): Because: version 1.0.0 of the case ran, and the check is about 1.1.0, which said " + string(v)
		if f.Verdict != api.Inconclusive || !strings.HasPrefix(f.Message, want) {
			t.Errorf("%s: %s", f.Verdict, f.Message)
		}
	}
}

// TestANodeOfTheBatchThatIsNotReadyCounts: a case that looks at no node that is ill has not looked at this one.
func TestANodeOfTheBatchThatIsNotReadyCounts(t *testing.T) {
	for _, c := range []struct {
		reason string
		ready  string
		want   api.Verdict
		says   string
	}{
		{"it is not ready since it has what is new", "False", api.Inconclusive, "life could not tell on n2: Because: the node has what is new, and is not ready"},
		{"its kubelet is silent", "Unknown", api.Inconclusive, "and is not ready"},
		{"somebody has cordoned it", "True", api.Passed, ""},
		{"it is gone", "", api.Passed, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newCaseBench(t)
			b.has(aCase("life", aboutNodes, enforcing))
			if c.ready != "" {
				b.s.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "n2"},
					"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": c.ready}}}}))
			}
			b.playProber(func(run *probing.Run) *probing.Result {
				if run.Spec.Target == "n2" {
					return verdict(api.Skipped)
				}
				return verdict(api.Passed)
			})
			b.pods = []*corev1.Pod{nodePod("n1", time.Now().Add(-time.Minute)), nodePod("n2", time.Now().Add(-time.Minute))}
			if f := b.ask(t.Context(), pipelines.ProbeCase{Bound: true}); f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
				t.Errorf("%s: %s", f.Verdict, f.Message)
			}
		})
	}
}

// TestWhatWasWaitedForIsSaid: a measurement that took too long names what is not over.
func TestWhatWasWaitedForIsSaid(t *testing.T) {
	b := newCaseBench(t)
	b.has(aCase("life", ofSet("plane")), aCase("slow", ofSet("plane")))
	within, end := context.WithCancelCause(t.Context())
	found := make(chan Finding, 1)
	go func() { found <- b.ask(within, pipelines.ProbeCase{Set: "plane"}) }()
	for over := time.Now().Add(20 * time.Second); len(b.runs()) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(over) {
			t.Fatal("no run is made")
		}
	}
	end(tookLonger(2 * time.Minute))
	const want = "it took longer than 2m; life has not begun; slow has not begun; 0 of 2 are over"
	if f := <-found; f.Verdict != api.Error || f.Message != want {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	if left := b.runs(); len(left) != 0 {
		t.Errorf("%d runs are left", len(left))
	}
}

// TestWhatCannotAllBeMadeIsTakenAway: nobody would ask for those that were.
func TestWhatCannotAllBeMadeIsTakenAway(t *testing.T) {
	b := newCaseBench(t)
	b.has(aCase("etcd", ofSet("plane")), aCase("life", ofSet("plane")))
	made := 0
	b.s.Before = func(w kubetest.Write) int {
		if w.Verb == "create" {
			if made++; made > 1 {
				return http.StatusForbidden
			}
		}
		return 0
	}
	if f := b.ask(t.Context(), pipelines.ProbeCase{Set: "plane"}); f.Verdict != api.Error || !strings.Contains(f.Message, "cannot create") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	if left := b.runs(); made != 2 || len(left) != 0 {
		t.Errorf("of %d runs %d are left", made, len(left))
	}
}

// TestResidentsThatCannotSpeak are told at once, and by their reason.
func TestResidentsThatCannotSpeak(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	speaks := func(c *probing.Config) {
		c.Status.Targets[0].Last, c.Status.Targets[0].Run = metav1.Now(), "watching-by-mode"
	}
	byMode := func(version string) *probing.Run {
		return &probing.Run{
			TypeMeta:   metav1.TypeMeta{APIVersion: "sluice.dev/v1alpha1", Kind: probing.KindRun},
			ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: "watching-by-mode"},
			Spec:       probing.RunSpec{Case: "watching", Cause: probing.Cause{Kind: probing.ByMode, Key: "m"}},
			Status:     probing.RunStatus{Phase: probing.RunRunning, Version: version},
		}
	}
	for _, c := range []struct {
		reason string
		begins func(*probing.Config)
		then   func(b *caseBench, c *probing.Config, over func() bool)
		want   api.Verdict
		says   string
	}{
		{"it cannot run at all", func(c *probing.Config) { c.Status.Problem = "its profile is refused" }, nil, api.Error,
			"watching could not run: its profile is refused"},
		{"its case is taken away", nil, func(b *caseBench, _ *probing.Config, _ func() bool) {
			b.s.Delete(kubetest.Object(b.t, aCase("watching")))
		},
			api.Error, "its case was taken away"},
		{"what it was speaks still, and then what it is", func(c *probing.Config) { c.Spec.Version = "1.1.0" },
			func(b *caseBench, c *probing.Config, over func() bool) {
				speaks(c)
				b.has(c)
				time.Sleep(100 * time.Millisecond) // so that it is seen
				b.s.Put(kubetest.Object(b.t, byMode("1.1.0")))
				for i := 1; i < 100 && !over(); i++ { // its words may be seen before its run is
					c.Status.Targets[0].Last.Time = time.Now().Add(time.Duration(i) * time.Minute)
					b.has(c)
					time.Sleep(50 * time.Millisecond)
				}
			}, api.Passed, "1 of 1 cases passed"},
		{"it speaks", nil, func(b *caseBench, c *probing.Config, _ func() bool) {
			speaks(c)
			b.has(c)
		}, api.Passed, "1 of 1 cases passed"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newCaseBench(t)
			fake := testclock.NewFakeClock(time.Now())
			b.clock = fake
			b.s.Put(kubetest.Object(t, byMode("1.0.0")))
			config := aCase("watching", stands(probing.Passing, old, "etcd-0"), func(c *probing.Config) { c.Spec.Mode = probing.Resident })
			if c.begins != nil {
				c.begins(config)
			}
			b.has(config)
			found := make(chan Finding, 1)
			go func() { found <- b.ask(t.Context(), pipelines.ProbeCase{Case: "watching"}) }()
			if c.then != nil {
				for !fake.HasWaiters() {
					time.Sleep(time.Millisecond)
				}
				c.then(b, config, func() bool { return len(found) > 0 })
			}
			select {
			case f := <-found:
				if f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
					t.Errorf("%s: %s", f.Verdict, f.Message)
				}
			case <-time.After(10 * time.Second):
				t.Error("it waits")
			}
		})
	}
}

// TestWhatAResidentWasSaysNothing, however well it stands.
func TestWhatAResidentWasSaysNothing(t *testing.T) {
	config := aCase("watching", stands(probing.Passing, time.Now(), "etcd-0"))
	got := (&caseLook{}).standing(config, speech{now: config, other: "version 1.0.0 of the case ran"})
	if len(got) != 1 || got[0].verdict != api.Inconclusive {
		t.Errorf("%+v", got)
	}
}
