package worker

import (
	"testing"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/pipelines"
)

// TestEveryKindOfStepIsMeasured: what can be written in a document is measured, and the other way round.
func TestEveryKindOfStepIsMeasured(t *testing.T) {
	all := sources(nil, "")
	m := check.NewMeasurer(clock.RealClock{}, check.NewRules(), all)
	for _, kind := range pipelines.StepKindNames() {
		if !m.Knows(kind) {
			t.Errorf("nobody measures steps of the kind %s", kind)
		}
		if what, known := pipelines.StepKindOf(kind); !known || len(what.Scopes) == 0 || len(what.Does) == 0 {
			t.Errorf("nobody says where steps of the kind %s run, or what they do: %+v", kind, what)
		}
		delete(all, kind)
	}
	for kind := range all {
		t.Errorf("%s is measured, and no step can be of that kind", kind)
	}
}
