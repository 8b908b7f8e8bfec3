package pipelines

import (
	"testing"
	"time"
)

// TestPodsThatAskHaveTheirPace: where a step does not say how often, what follows for a probe of the worker would be a pod each 15 s.
func TestPodsThatAskHaveTheirPace(t *testing.T) {
	inside := func(interval *Duration) *Step {
		return &Step{StepKinds: StepKinds{TCP: &TCP{ProbeAim: ProbeAim{From: FromCluster}}}, Repeat: Repeat{Interval: interval}}
	}
	if got := inside(nil).paced().Interval; got == nil || got.Std() != leastInside {
		t.Errorf("without a word it is asked every %v", got)
	}
	if got := inside(new(Duration(time.Hour))).paced().Interval; got.Std() != time.Hour {
		t.Errorf("each hour became every %v", got)
	}
	if got := (&Step{StepKinds: StepKinds{TCP: &TCP{}}}).paced(); !got.IsZero() {
		t.Errorf("a probe of the worker became %+v", got)
	}
}
