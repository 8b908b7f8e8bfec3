package pipelines_test

import (
	"math"
	"testing"
	"time"

	"sluice.dev/sluice/pipelines"
)

func TestRepeatAtLeast(t *testing.T) {
	length := func(d time.Duration) *pipelines.Duration { return new(pipelines.Duration(d)) }
	for name, c := range map[string]struct {
		reason string
		repeat pipelines.Repeat
		count  int
		takes  time.Duration
	}{
		"nothing said":          {"every 15s, the first at once", pipelines.Repeat{}, 100, 99 * 15 * time.Second},
		"an interval":           {"100 measurements have 99 intervals between them", pipelines.Repeat{Interval: length(30 * time.Second)}, 100, 49*time.Minute + 30*time.Second},
		"a delay":               {"comes before the first", pipelines.Repeat{InitialDelay: length(time.Hour)}, 100, time.Hour + 99*15*time.Second},
		"fewer":                 {"a count that is lower counts for nothing", pipelines.Repeat{Count: 5}, 100, 99 * 15 * time.Second},
		"more":                  {"a count that is higher stays", pipelines.Repeat{Count: 201}, 201, 50 * time.Minute},
		"enough in a row":       {"is no sooner", pipelines.Repeat{ConsecutiveSuccessLimit: 3}, 100, 99 * 15 * time.Second},
		"enough in a row, more": {"ends a higher count", pipelines.Repeat{Count: 500, ConsecutiveSuccessLimit: 200}, 500, 199 * 15 * time.Second},
		"longer than can be":    {"is not taken for less", pipelines.Repeat{Interval: length(math.MaxInt64 / 50)}, 100, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.repeat.AtLeast(100)
			if r.Count != c.count || r.Takes() != c.takes {
				t.Errorf("%s: %d measurements in %s, want %d in %s", c.reason, r.Count, r.Takes(), c.count, c.takes)
			}
		})
	}
}

func TestSampledLeavesChecksAsTheyWere(t *testing.T) {
	all := []pipelines.ResolvedCheck{{Name: "c", Steps: []pipelines.ResolvedStep{{Name: "c/quick"}, {Name: "c/slow", Repeat: pipelines.Repeat{Interval: new(pipelines.Duration(time.Minute))}}}}}
	sampled := pipelines.Sampled(all, 7)
	if all[0].Steps[0].Count != 0 || sampled[0].Steps[0].Count != 7 || sampled[0].Steps[1].Count != 7 {
		t.Errorf("%+v became %+v", all, sampled)
	}
	if slowest, found := pipelines.Slowest(sampled); !found || slowest.Name != "c/slow" {
		t.Errorf("the slowest step is %q", slowest.Name)
	}
}
