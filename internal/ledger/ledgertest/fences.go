package ledgertest

import (
	"sync"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testFences(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	fence := func(component string, floor int64) int64 {
		return must[int64](t)(l.NextFence(ctx, "cn-1", api.ParseSubject(component), floor))
	}
	same(t, []int64{fence("a", 0), fence("a", 0), fence("b", 0)}, []int64{1, 2, 1}, "numbers count for each unit")
	same(t, fence("a", 41), int64(42), "above the floor: the Lease remembers what a restored ledger forgot")
	same(t, fence("a", 3), int64(43), "a low floor does not take it back")
	_, err := l.NextFence(ctx, "cn-1", api.Component("a"), -1)
	wantCode(t, err, fault.Invalid, "a floor below zero")

	const workers, each = 8, 25
	var wg sync.WaitGroup
	got := make([][]int64, workers)
	for i := range workers {
		wg.Go(func() {
			for range each {
				n, err := l.NextFence(ctx, "cn-1", api.Component("race"), 0)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = append(got[i], n)
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, list := range got {
		for i, n := range list {
			if seen[n] {
				t.Errorf("fence %d was given twice", n)
			}
			if seen[n] = true; i > 0 && n <= list[i-1] {
				t.Errorf("fence went from %d to %d", list[i-1], n)
			}
		}
	}
	same(t, len(seen), workers*each, "every call got a number of its own")
}
