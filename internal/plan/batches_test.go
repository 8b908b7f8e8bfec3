package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestBatches(t *testing.T) {
	careful := pipelines.DefaultRules().Batches
	cases := map[string]struct {
		reason string
		list   []pipelines.Amount
		total  int
		want   []string
	}{
		"the default steps of a large set": {
			reason: "each step is cumulative",
			list:   careful, total: 200,
			want: []string{"1 +1", "20 +19", "100 +80", "200 +100"},
		},
		"a step that rounds to its predecessor is skipped": {
			reason: "R14: 10% of 4 is 1 here and everywhere",
			list:   careful, total: 4,
			want: []string{"1 +1", "1: 10% of 4 is 1, not above batch 1", "2 +1", "4 +2"},
		},
		"a set of one pod is done with its first step": {
			reason: "the rest has nothing left to move",
			list:   careful, total: 1,
			want: []string{"1 +1", "1: batch 1 has moved all 1", "1: batch 1 has moved all 1", "1: batch 1 has moved all 1"},
		},
		"a count beyond the set ends at the set": {
			reason: "5 of 3 pods are 3 pods",
			list:   []pipelines.Amount{pipelines.Count(1), pipelines.Count(5), pipelines.Percent(100)}, total: 3,
			want: []string{"1 +1", "3 +2", "3: batch 2 has moved all 3"},
		},
		"a count that is no step forward is skipped": {
			reason: "50% of 10 is 5 already",
			list:   []pipelines.Amount{pipelines.Percent(50), pipelines.Count(5), pipelines.Percent(100)}, total: 10,
			want: []string{"5 +5", "5: 5 is not above batch 1", "10 +5"},
		},
		"a set without pods skips every step": {
			reason: "there is nothing to wait for",
			list:   careful, total: 0,
			want: []string{"0: there are no pods", "0: there are no pods", "0: there are no pods", "0: there are no pods"},
		},
		"a first step of nothing is skipped": {
			reason: "0% moves nobody",
			list:   []pipelines.Amount{pipelines.Percent(0), pipelines.Percent(100)}, total: 2,
			want: []string{"0: 0% moves nothing", "2 +2"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for i, b := range plan.Batches(tc.list, tc.total) {
				if b.Number != i+1 || b.Amount != tc.list[i] {
					t.Errorf("batch %d is numbered %d and made of %s, want %s", i+1, b.Number, b.Amount, tc.list[i])
				}
				if b.Skipped != "" {
					got = append(got, fmt.Sprintf("%d: %s", b.Target, b.Skipped))
					continue
				}
				got = append(got, fmt.Sprintf("%d +%d", b.Target, b.Size))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBatchesMoveEveryPodOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := append(rapid.SliceOfN(amount(), 0, 8).Draw(t, "list"), pipelines.Percent(100))
		total := rapid.IntRange(0, 5_000).Draw(t, "total")
		batches := plan.Batches(list, total)
		if len(batches) != len(list) {
			t.Fatalf("%d steps became %d batches", len(list), len(batches))
		}
		moved := make([]int, total)
		reached := 0
		for i, b := range batches {
			if b.Target < reached || b.Target > total {
				t.Fatalf("batch %d goes from %d to %d of %d", i+1, reached, b.Target, total)
			}
			if b.Size != b.Target-reached {
				t.Fatalf("batch %d says it moves %d and moves %d", i+1, b.Size, b.Target-reached)
			}
			if (b.Size == 0) != (b.Skipped != "") {
				t.Fatalf("batch %d moves %d and is skipped because %q", i+1, b.Size, b.Skipped)
			}
			if b.Size > 0 && b.Target != list[i].Of(total) {
				t.Fatalf("batch %d: %s of %d is %d, not %d", i+1, list[i], total, list[i].Of(total), b.Target)
			}
			for pod := reached; pod < b.Target; pod++ {
				moved[pod]++
			}
			reached = b.Target
		}
		for pod, times := range moved {
			if times != 1 {
				t.Fatalf("pod %d of %d moves %d times", pod, total, times)
			}
		}
	})
}

func TestBatchesSayWhy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(amount(), 1, 8).Draw(t, "list")
		total := rapid.IntRange(0, 50).Draw(t, "total")
		for _, b := range plan.Batches(list, total) {
			if strings.Contains(b.Skipped, fmt.Sprintf("batch %d", b.Number)) {
				t.Fatalf("batch %d is skipped for its own sake: %s", b.Number, b.Skipped)
			}
		}
	})
}

func amount() *rapid.Generator[pipelines.Amount] {
	return rapid.Custom(func(t *rapid.T) pipelines.Amount {
		if rapid.Bool().Draw(t, "percent") {
			return pipelines.Percent(rapid.IntRange(0, 100).Draw(t, "value"))
		}
		return pipelines.Count(rapid.IntRange(0, 6_000).Draw(t, "value"))
	})
}
