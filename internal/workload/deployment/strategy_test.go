package deployment

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/pipelines"
)

// TestTheFormula compares what is worked out with the rule as it is written down, where the controller takes for available
// what is.
func TestTheFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replicas := rapid.IntRange(1, 40).Draw(t, "replicas")
		target := rapid.IntRange(1, replicas).Draw(t, "target")
		gone := rapid.IntRange(0, target).Draw(t, "gone")
		old := rapid.IntRange(replicas-gone, replicas).Draw(t, "old")
		available := rapid.IntRange(0, old).Draw(t, "available")
		moved := rapid.IntRange(0, target).Draw(t, "moved")
		fresh := rapid.IntRange(0, moved).Draw(t, "fresh")
		a := allowance{surge: rapid.IntRange(0, 5).Draw(t, "surge")}
		if a.surge == 0 {
			a.down = rapid.IntRange(1, 5).Draw(t, "down")
		}
		c := course{
			replicas: replicas, target: target, gone: gone, moved: moved, fresh: fresh,
			old: []herd{{pods: old, available: available, known: available}}, allowance: a,
		}
		u := max(gone, min(target, max(replicas-available, fresh+a.down)))
		want := ration{gone: u, extra: min(a.surge, target-u)}
		if got := c.next(); got != want {
			t.Fatalf("the next ration is %+v, the formula says %+v", got, want)
		}
	})
}

func TestTheCourse(t *testing.T) {
	sound := func(n int) []herd { return []herd{{pods: n, available: n, known: n}} }
	cases := map[string]struct {
		course course
		want   ration
		reason string
	}{
		"the controller takes good pods first": {
			course{replicas: 10, target: 5, old: []herd{{pods: 5, available: 5, locked: true}, {pods: 5, available: 2, known: 2}}, allowance: allowance{down: 1}},
			ration{}, "to it all pods of the locked ReplicaSet are broken, and it is the older one",
		},
		"the controller does not know yet": {
			course{replicas: 10, target: 5, old: []herd{{pods: 10, available: 8, known: 10}}, allowance: allowance{down: 1}},
			ration{}, "it would take two good pods beside the two that are down",
		},
		"broken pods cost nothing": {
			course{replicas: 10, target: 5, old: []herd{{pods: 10, available: 6, known: 6}}, allowance: allowance{down: 1}},
			ration{gone: 4}, "four are down anyway",
		},
		"more pods are new than the batch allows": {
			course{replicas: 10, target: 1, moved: 3, fresh: 3, old: sound(10), allowance: allowance{surge: 3}},
			ration{gone: 1, extra: 2}, "with a smaller surge a pause would take good ones away",
		},
	}
	for name, c := range cases {
		if got := c.course.next(); got != c.want {
			t.Errorf("%s: got %+v, want %+v: %s", name, got, c.want, c.reason)
		}
	}
}

func TestNoStepOnAStatusOfBefore(t *testing.T) {
	live := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": int64(10), "paused": true, "strategy": strategyFor(ration{gone: 1}, 10)}}}
	live.SetUID("d")
	for _, c := range []struct {
		known int64
		want  verb
	}{{10, wait}, {9, tell}} {
		seen := tide{live: live, replicas: 10, allowed: 5, allowance: allowance{down: 2}, available: map[types.UID]int{"old": 9}}
		seen.count([]kit.Revision{{UID: "old", Owner: "d", Replicas: 9, Available: c.known, Observed: true}})
		if _, got := seen.then(); got != c.want {
			t.Errorf("of 9 old pods %d are known as available: got %v, want %v", c.known, got, c.want)
		}
	}
}

func TestAllowed(t *testing.T) {
	of := func(surge, unavailable any) map[string]any {
		return map[string]any{"rollingUpdate": map[string]any{"maxSurge": surge, "maxUnavailable": unavailable}}
	}
	cases := map[string]struct {
		strategy         map[string]any
		replicas, budget int
		want             allowance
		reason           string
	}{
		"nothing said, one replica":     {nil, 1, 1, allowance{surge: 1}, "a quarter of one pod is one above and none below"},
		"nothing said, ten replicas":    {nil, 10, 5, allowance{surge: 3}, "a surge rounds up, and none goes before its successor is there"},
		"surge only":                    {of(int64(1), int64(0)), 4, 2, allowance{surge: 1}, "one at a time"},
		"as a hold keeps numbers":       {of(float64(2), float64(0)), 4, 2, allowance{surge: 2}, "JSON knows no integers"},
		"no surge, a wider budget":      {of(int64(0), int64(1)), 10, 5, allowance{down: 1}, "the owner's word is the smaller"},
		"no surge, a narrower budget":   {of("0%", "50%"), 10, 2, allowance{down: 2}, "the pipeline's word is the smaller"},
		"no surge, none may be down":    {of(int64(0), "10%"), 5, 3, allowance{down: 1}, "both come to 0: the controller takes one"},
		"no surge, percent rounds down": {of(int64(0), "25%"), 7, 3, allowance{down: 1}, "1.75 is 1"},
	}
	for name, c := range cases {
		if got := allowed(c.strategy, c.replicas, c.budget); got != c.want {
			t.Errorf("%s: got %+v, want %+v: %s", name, got, c.want, c.reason)
		}
	}
}

// TestRationOfFewerReplicas plays an autoscaler that shrinks a Deployment whose controller has been told a ration.
func TestRationOfFewerReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replicas := rapid.IntRange(1, 100).Draw(t, "replicas")
		share := pipelines.Percent(rapid.IntRange(1, 99).Draw(t, "percent of the batch"))
		n := share.Of(replicas)
		r := ration{gone: rapid.IntRange(0, n).Draw(t, "gone")}
		if r.gone < n {
			r.extra = rapid.IntRange(0, n-r.gone).Draw(t, "extra")
		}
		if r == (ration{}) {
			r.extra = 1
		}
		live := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": int64(replicas), "strategy": strategyFor(r, replicas)}}}
		if got := told(live); got != r {
			t.Fatalf("the controller was told %+v, want %+v", got, r)
		}
		if !shrinks(live) {
			t.Fatalf("%v does not shrink", live.Object)
		}
		left := rapid.IntRange(1, replicas).Draw(t, "replicas left")
		live.Object["spec"].(map[string]any)["replicas"] = int64(left)
		rounded := 0
		if r.extra > 0 {
			rounded = 1 // an open surge rounds up
		}
		if got := told(live); got.most() > share.Of(left)+rounded || got.gone > max(1, r.gone) || got.extra > r.extra {
			t.Fatalf("of %d replicas the controller may have %+v new, the batch allows %d", left, got, share.Of(left))
		}
	})
}

// TestRationOfMany says what no percentage of many replicas comes to.
func TestRationOfMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replicas := rapid.IntRange(101, 3000).Draw(t, "replicas")
		r := ration{gone: rapid.IntRange(0, replicas).Draw(t, "gone")}
		r.extra = rapid.IntRange(0, replicas-r.gone).Draw(t, "extra")
		if r == (ration{}) {
			return
		}
		live := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": int64(replicas), "strategy": strategyFor(r, replicas)}}}
		got := told(live)
		if got != sayable(r, replicas) {
			t.Fatalf("the controller was told %+v, which is not what can be said of %+v", got, r)
		}
		if got.gone != r.gone || got.extra > r.extra || got.extra < r.extra-r.extra/100-replicas/100 || r.extra > 0 && got.extra == 0 {
			t.Fatalf("the controller was told %+v, want %+v", got, r)
		}
	})
}
