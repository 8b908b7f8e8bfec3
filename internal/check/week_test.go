package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// TestFiveChecksOfAWeekAreOneAnswer: a hundred thousand measurements beside each other return nothing before they are ended, and what is
// carried in heartbeats meanwhile stays what fits in one, with each kind keeping as much as it may.
func TestFiveChecksOfAWeekAreOneAnswer(t *testing.T) {
	const checks, week, most = 5, 7 * 24 * time.Hour, 256 << 10
	synctest.Test(t, func(t *testing.T) {
		keep := json.RawMessage(`"` + strings.Repeat("k", maxKept-2) + `"`)
		source := newScript(Finding{Verdict: api.Passed, Message: fmt.Sprint(week), Keep: keep})
		i := Inquiry{Point: pipelines.During}
		for n := range checks {
			i.Checks = append(i.Checks, aCheck(fmt.Sprintf("check-%d", n), every(30*time.Second, pipelines.Repeat{})))
		}
		var last Tallies
		i.Say = func(now Tallies) { last = now }
		ctx, end := context.WithTimeout(t.Context(), week-time.Second)
		defer end()
		if found, err := measurerOf(source).Watch(ctx, i); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended after %s with %+v, %v", time.Since(source.began), found, err)
		}
		if each := int(week / (30 * time.Second)); len(source.asked) != checks*each || last["check-4/step"].Measured != each {
			t.Errorf("%d measurements were made, not %d; the last says %+v", len(source.asked), checks*each, last["check-4/step"])
		}
		if said, err := json.Marshal(last); err != nil || len(said) > most {
			t.Errorf("a heartbeat has %d bytes, at most %d are good: %v", len(said), most, err)
		}
	})
}
