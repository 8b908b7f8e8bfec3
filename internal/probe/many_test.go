package probe_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

func TestManyAreAskedAtOnceWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		targets := make([]int, 1000)
		for i := range targets {
			targets[i] = i
		}
		began := time.Now()
		results := probe.Each(t.Context(), targets, func(_ context.Context, i int) probe.Result {
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Duration(1+i%3) * time.Second)
			now.Add(-1)
			return probe.Result{Target: strconv.Itoa(i), Verdict: api.Passed}
		})
		if most.Load() != probe.MaxParallel || time.Since(began) > time.Minute {
			t.Errorf("%d were asked at once, in %s", most.Load(), time.Since(began))
		}
		for i, r := range results {
			if r.Target != strconv.Itoa(i) {
				t.Fatalf("result %d is about %s", i, r.Target)
			}
		}
		if v, message := probe.Sum(results, len(targets)); v != api.Passed || message != "" {
			t.Errorf("all of them are %s: %s", v, message)
		}
	})
}

func TestEnoughFailuresEndTheQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		results := probe.Each(t.Context(), make([]int, 1000), func(context.Context, int) probe.Result {
			asked.Add(1)
			time.Sleep(time.Second)
			return probe.Result{Target: "pod", Verdict: api.Failed, Message: "refused"}
		})
		if asked.Load() < probe.Enough || asked.Load() >= probe.MaxParallel+probe.Enough {
			t.Errorf("%d were asked", asked.Load())
		}
		v, message := probe.Sum(results, 1000)
		n := len(results)
		if v != api.Failed || !strings.HasPrefix(message, fmt.Sprintf("%d of the %d that were asked, of 1000, did not pass: pod: refused; ", n, n)) ||
			!strings.HasSuffix(message, fmt.Sprintf("; and %d more", n-probe.Enough)) {
			t.Errorf("the sum is %s: %s", v, message)
		}
	})
}

func TestSum(t *testing.T) {
	result := func(v api.Verdict) probe.Result {
		if v == api.Passed {
			return probe.Result{Target: "a", Verdict: v}
		}
		return probe.Result{Target: "a", Verdict: v, Message: "x"}
	}
	for _, c := range []struct {
		reason  string
		results []api.Verdict
		targets int
		want    api.Verdict
		message string
	}{
		{"all passed", []api.Verdict{api.Passed, api.Passed}, 2, api.Passed, ""},
		{"nothing to ask is no pass", nil, 0, api.Inconclusive, "nothing to ask"},
		{"a part that passed is no pass", []api.Verdict{api.Passed}, 2, api.Inconclusive, "only 1 of 2"},
		{"one certain failure outweighs the rest", []api.Verdict{api.Passed, api.Error, api.Inconclusive, api.Failed}, 4, api.Failed, "3 of 4"},
		{"could not look outweighs cannot tell", []api.Verdict{api.Inconclusive, api.Error}, 2, api.Error, "2 of 2"},
		{"cannot tell outweighs a pass", []api.Verdict{api.Inconclusive, api.Passed}, 2, api.Inconclusive, "1 of 2 did not pass: a: x"},
		{"one of one says its own", []api.Verdict{api.Failed}, 1, api.Failed, "a: x"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var results []probe.Result
			for _, v := range c.results {
				results = append(results, result(v))
			}
			v, message := probe.Sum(results, c.targets)
			if v != c.want || !strings.Contains(message, c.message) {
				t.Errorf("the sum is %s: %s", v, message)
			}
		})
	}
}
