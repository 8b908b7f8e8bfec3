package kit

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// settleFor is how long a controller gets to keep a revision of a template.
const settleFor = 30 * time.Second

// observed waits until the workload's controller has seen its spec, and returns it. Where the time for that runs out, the
// error is ErrUnseen.
func (s *Session) observed(ctx context.Context) (*unstructured.Unstructured, error) {
	for {
		t := s.turn()
		live, err := s.present(ctx)
		if err != nil {
			return nil, err
		}
		if field.Observed(live) >= live.GetGeneration() {
			return live, nil
		}
		switch err := t.sleep(ctx, lookEvery); {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fault.Wrap(fault.Internal, workload.ErrUnseen,
				"cannot go on with %s in cluster %s: its controller has seen generation %d of %d",
				workload.NameOf(live), s.Cluster.Context(), field.Observed(live), live.GetGeneration())
		case err != nil:
			return nil, err
		}
	}
}

// settled waits until the controller has seen the workload and kept a revision of its template, where it does not do that late.
func (s *Session) settled(ctx context.Context) (*unstructured.Unstructured, Revision, error) {
	end := s.Clock.Now().Add(settleFor)
	for {
		t := s.turn()
		live, err := s.observed(ctx)
		if err != nil {
			return nil, Revision{}, err
		}
		if err := s.revisions.Wait(ctx); err != nil {
			return nil, Revision{}, err
		}
		if rev, ok := s.Current(live); s.Family.Late || ok && s.isNewest(live, rev) {
			return live, rev, nil
		}
		left := end.Sub(s.Clock.Now())
		if left <= 0 {
			return nil, Revision{}, s.unknownRevision()
		}
		if err := t.sleep(ctx, left); err != nil {
			return nil, Revision{}, err
		}
	}
}

// isNewest cross-checks a revision: the controller gives the one that it hands out the highest number.
func (s *Session) isNewest(live *unstructured.Unstructured, rev Revision) bool {
	newest, ok := s.newest(live.GetUID(), func(Revision) bool { return true })
	return ok && newest.Name == rev.Name
}

func (s *Session) unknownRevision() error {
	return s.Cannot("tell the revision of", fault.Internal, "no revision of it has its template")
}

// state is the state of a held workload, once its controller has seen it.
func (s *Session) state(ctx context.Context) (workload.State, error) {
	live, rev, err := s.settled(ctx)
	if err != nil {
		return workload.State{}, err
	}
	hold, err := s.Held(live)
	if err != nil {
		return workload.State{}, err
	}
	state := stateOf(live, hold)
	if !s.Family.OnDelete || hold.Armed && !hold.Back {
		state.Revision, state.Template = rev.Hash, podtemplate.Digest(podtemplate.Of(live))
	}
	return state, nil
}

func stateOf(live *unstructured.Unstructured, hold *workload.Hold) workload.State {
	return workload.State{
		UID: string(live.GetUID()), ResourceVersion: live.GetResourceVersion(), Generation: live.GetGeneration(),
		Previous: hold.Previous, Armed: hold.Armed, Created: hold.Created, Revision: hold.Target, Template: hold.Template,
	}
}
