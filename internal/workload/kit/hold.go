package kit

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// Held checks that the run holds the workload and that nobody has changed what it wrote.
func (s *Session) Held(live *unstructured.Unstructured) (*workload.Hold, error) {
	hold, err := workload.HoldOf(live)
	if err != nil {
		return nil, err
	}
	if hold == nil {
		return nil, s.Cannot("move", fault.Conflict, "run %s does not hold it any more", s.Spec.Run)
	}
	if !hold.By(s.Spec) {
		return nil, s.Cannot("move", fault.Conflict, "run %s holds it", hold.Run)
	}
	return hold, nil
}

// templateIs checks that the workload has the template that this run wrote.
func (s *Session) templateIs(live *unstructured.Unstructured, digest string) error {
	if podtemplate.Digest(podtemplate.Of(live)) == digest {
		return nil
	}
	return s.Cannot("move", fault.Conflict, "somebody else changed its pod template")
}

// prepared checks what has to hold before a workload that nobody holds is taken: that it is what the patch was made for.
func (s *Session) prepared(live *unstructured.Unstructured) error {
	changed := s.Cannot("prepare", fault.Conflict, "it was changed since its patch was computed")
	if s.Spec.LiveGeneration != 0 {
		if live.GetGeneration() != s.Spec.LiveGeneration {
			return changed
		}
		return nil
	}
	if s.Spec.LiveVersion != "" && live.GetResourceVersion() != s.Spec.LiveVersion {
		return changed
	}
	return nil
}

// holds reports whether there is a workload that the run holds under its present fence. A State would not tell: the run
// may have ended before it learned of what it wrote.
func (s *Session) holds(ctx context.Context) (bool, error) {
	live, err := s.Live(ctx)
	if err != nil || live == nil {
		return false, err
	}
	hold, err := workload.HoldOf(live)
	return err == nil && hold != nil && hold.By(s.Spec), err
}
