package probe

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"sluice.dev/sluice/internal/api"
)

// Bounds on probes of many targets at once.
const (
	// MaxParallel is how many are asked at a time.
	MaxParallel = 50
	// Enough is how many that did not pass settle the matter: no further one is asked then.
	Enough = 20
)

// Each asks many targets, at most MaxParallel at a time, and returns what came of those that were asked, in the order of the
// targets.
func Each[T any](ctx context.Context, targets []T, ask func(context.Context, T) Result) []Result {
	var (
		mu   sync.Mutex
		bad  int
		next int
		all  = make([]*Result, len(targets))
		work sync.WaitGroup
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(targets) || bad >= Enough || ctx.Err() != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(MaxParallel, len(targets)) {
		work.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				r := ask(ctx, targets[i])
				mu.Lock()
				all[i] = &r
				if r.Verdict != api.Passed {
					bad++
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	var asked []Result
	for _, r := range all {
		if r != nil {
			asked = append(asked, *r)
		}
	}
	return asked
}

// worst is the order in which verdicts outweigh each other: one certain failure is enough.
var worst = []api.Verdict{api.Failed, api.Error, api.Inconclusive}

// Sum is the verdict over results, and a message that names what did not pass and why; targets is how many there are. Nothing asked
// is Inconclusive; so is a part of them, where that part passed.
func Sum(results []Result, targets int) (api.Verdict, string) {
	var said []string
	found := map[api.Verdict]bool{}
	for _, r := range results {
		if r.Verdict != api.Passed {
			found[r.Verdict] = true
			said = append(said, r.Target+": "+r.Message)
		}
	}
	for _, v := range worst {
		if found[v] {
			return v, message(said, len(results), targets)
		}
	}
	switch {
	case targets == 0:
		return api.Inconclusive, "there is nothing to ask"
	case len(results) < targets:
		return api.Inconclusive, fmt.Sprintf("only %d of %d were asked", len(results), targets)
	}
	return api.Passed, ""
}

func message(said []string, asked, targets int) string {
	if targets == 1 {
		return said[0]
	}
	text := fmt.Sprintf("%d of %d did not pass", len(said), targets)
	if asked < targets {
		text = fmt.Sprintf("%d of the %d that were asked, of %d, did not pass", len(said), asked, targets)
	}
	if more := len(said) - Enough; more > 0 {
		said = append(said[:Enough:Enough], fmt.Sprintf("and %d more", more))
	}
	return text + ": " + strings.Join(said, "; ")
}
