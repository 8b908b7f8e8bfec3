package check

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// TestFailureMode_R03_ALongSoakKeepsNoMoreThanAShortOne: what is carried from one measurement to the next is as big after a month as
// after an hour, and so is the process that measures.
func TestFailureMode_R03_ALongSoakKeepsNoMoreThanAShortOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hour, month = 60, 60 * 24 * 30 // measurements, one in a minute
		n := 0
		sizes, memory, working := map[int]int{}, map[int]uint64{}, map[int]int{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := measurerOf(SourceFunc(func(context.Context, Question) Finding {
			n++
			v := api.Passed
			switch {
			case n%100 == 0:
				v = api.Error
			case n%50 == 0:
				v = api.Failed
			}
			return Finding{
				Verdict: v, Message: "as ever", Seen: map[string]any{"value": 1.5}, Results: map[string]any{"value": 1.5}, Keep: json.RawMessage(`"the place"`),
			}
		}))
		_, err := m.Watch(ctx, Inquiry{
			Point: pipelines.During, Checks: []pipelines.ResolvedCheck{aCheck("c", every(time.Minute, pipelines.Repeat{FailureLimit: new(-1)}))},
			Say: func(now Tallies) {
				if n != hour && n != month {
					return
				}
				said, err := json.Marshal(now)
				if err != nil {
					t.Error(err)
				}
				sizes[n], memory[n], working[n] = len(said), heap(), runtime.NumGoroutine()
				if n == month {
					cancel()
				}
			},
		})
		if err == nil || sizes[hour] == 0 || sizes[month] > sizes[hour]+20 { // digits of counts
			t.Errorf("it carries %v bytes after so many measurements, %v", sizes, err)
		}
		if memory[month] > memory[hour]+1<<20 || working[month] > working[hour]+5 {
			t.Errorf("after so many measurements the process has %v bytes and %v goroutines", memory, working)
		}
	})
}

// heap is what is in use, without what is waste.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFailureMode_R12_WhatPassesByIsNotFinal tells what passes by from what stays: an error of our own, a failure within its limit and
// an end of the worker are no verdict, and a verdict once made is.
func TestFailureMode_R12_WhatPassesByIsNotFinal(t *testing.T) {
	for name, c := range map[string]struct {
		answers string
		repeat  pipelines.Repeat
		want    api.Verdict
		asked   int
	}{
		"errors that pass by":           {"EEP", pipelines.Repeat{}, api.Passed, 3},
		"a failure that is borne":       {"FP", every(time.Second, pipelines.Repeat{Count: 2, FailureLimit: new(1)}), api.Passed, 2},
		"a failure that is not, stays":  {"FP", pipelines.Repeat{Count: 2}, api.Failed, 1},
		"errors that stay are no fault": {"E", pipelines.Repeat{}, api.Error, 5},
		"what cannot be told stays so":  {"IP", pipelines.Repeat{Count: 2}, api.Inconclusive, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(verdicts(c.answers)...)
				found, err := measurerOf(s).Ask(t.Context(), Inquiry{Point: pipelines.AfterBatch, Checks: []pipelines.ResolvedCheck{aCheck("c", c.repeat)}})
				if err != nil || found[0].Verdict != c.want || len(s.asked) != c.asked {
					t.Errorf("%+v, %v, asked %d times", found, err, len(s.asked))
				}
			})
		})
	}
	t.Run("the worker ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithTimeout(t.Context(), time.Minute)
			defer end()
			slow := SourceFunc(func(ctx context.Context, _ Question) Finding {
				<-ctx.Done()
				return Finding{Verdict: api.Failed}
			})
			check := aCheck("c", pipelines.Repeat{Timeout: new(pipelines.Duration(time.Hour))})
			if found, err := measurerOf(slow).Ask(ctx, Inquiry{Checks: []pipelines.ResolvedCheck{check}}); err == nil {
				t.Errorf("what was cut short has the verdict %+v", found)
			}
		})
	})
}
