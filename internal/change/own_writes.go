package change

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxRunsBack is how many runs are searched for writes that never became a deployment.
const maxRunsBack = 50

// ownWrites collects what our own writes since the recorded deployment meant to leave, and keeps the latest as the base of the
// merge: those of this run, and those of runs that were aborted or failed here. Such work is ours and half done, not drift.
func (c Comparer) ownWrites(ctx context.Context, s *specs) error {
	runs, err := c.Records.ListRuns(ctx, c.Part.Subject, maxRunsBack)
	if err != nil {
		return err
	}
	e, err := eraOf(ctx, c.Records, c.Part, c.Part.Run)
	if err != nil {
		return err
	}
	s.intents, s.base = map[string][]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}
	for _, run := range runs {
		if run.Name == c.Unit.WayBack.Run {
			break
		}
		last, err := c.writesOf(ctx, run.Name, s)
		if err != nil {
			return err
		}
		if run.Name == c.Part.Run {
			continue // what this run wrote itself is what it is about to write again
		}
		for id, o := range last {
			_, decided := s.base[id] // runs come newest first
			if !decided && (s.recorded[id] != nil || !e.givenBack(id)) {
				s.base[id] = o
			}
		}
	}
	return nil
}

// writesOf collects what a run meant to leave, and returns the last of each object.
func (c Comparer) writesOf(ctx context.Context, run string, s *specs) (map[string]*unstructured.Unstructured, error) {
	writes, err := c.Records.ListWrites(ctx, run, c.Part.Cluster)
	if err != nil {
		return nil, err
	}
	last := map[string]*unstructured.Unstructured{}
	for _, w := range writes {
		o, err := intended(ctx, c.Records, w)
		if err != nil {
			return nil, err
		}
		s.intents[w.Object] = append(s.intents[w.Object], o)
		last[w.Object] = o
		if w.Step == stepDelete {
			last[w.Object] = nil // we took it away ourselves: that it is not there is no drift
		}
	}
	return last, nil
}
