package ask

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
)

func TestTermsGoByClass(t *testing.T) {
	for _, c := range []struct {
		reason string
		class  step.Class
		want   terms
	}{
		{"what is soon done is tried a few times, then a person is asked", step.Diff.Class(), terms{2 * time.Minute, 10 * time.Second, 5}},
		{"a batch takes as long as it takes", step.Advance.Class(), terms{pace.Tuned().LongActivity, 10 * time.Second, 0}},
		{"hundreds may soak at once", step.Observe.Class(), terms{pace.Tuned().LongActivity, 30 * time.Second, 0}},
		{"hundreds may be out of reach at once", step.Reachable.Class(), terms{pace.Tuned().LongActivity, 30 * time.Second, 0}},
		{"hundreds may wait for another run at once", step.Closed.Class(), terms{pace.Tuned().LongActivity, 30 * time.Second, 0}},
		{"the ledger is near, and has no hearts to hear", step.AddAudit.Class(), terms{30 * time.Second, 0, 5}},
		{"how a run ended is written down however long that takes", step.SaveRun.Class(), terms{30 * time.Second, 0, 0}},
	} {
		if got := termsOf(c.class); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.reason, got, c.want)
		}
	}
}
