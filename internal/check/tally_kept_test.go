package check

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func TestAMeasurementThatBrokeForgetsNothing(t *testing.T) {
	begun := Tally{Kept: []byte(`"a"`)}
	if got := begun.add(pipelines.Repeat{}, 1, Finding{Verdict: api.Error}, time.Unix(0, 0)); string(got.Kept) != `"a"` {
		t.Errorf("%s is kept", got.Kept)
	}
	if got := begun.add(pipelines.Repeat{}, 1, Finding{Verdict: api.Passed, Keep: []byte(`"b"`)}, time.Unix(0, 0)); string(got.Kept) != `"b"` {
		t.Errorf("%s is kept", got.Kept)
	}
}
