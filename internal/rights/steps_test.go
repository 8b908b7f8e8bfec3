package rights

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

func TestEveryKindOfStepSaysWhatItAsks(t *testing.T) {
	kinds := pipelines.StepKindNames()
	slices.Sort(kinds)
	if diff := cmp.Diff(kinds, slices.Sorted(maps.Keys(bySteps))); diff != "" {
		t.Errorf("kinds of steps and what they ask of a cluster: -kinds +here\n%s", diff)
	}
}
