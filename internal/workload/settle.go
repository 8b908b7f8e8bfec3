package workload

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
)

// settleFor is how long a controller gets to keep a revision of a template.
const settleFor = 30 * time.Second

// observed waits until the workload's controller has seen its spec, and returns it. Where the time for that runs out, the
// error is ErrUnseen.
func (s *session) observed(ctx context.Context) (*unstructured.Unstructured, error) {
	for {
		t := s.turn()
		live, err := s.present(ctx)
		if err != nil {
			return nil, err
		}
		if observedGeneration(live) >= live.GetGeneration() {
			return live, nil
		}
		switch err := t.sleep(ctx, lookEvery); {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fault.Wrap(fault.Internal, ErrUnseen, "cannot go on with %s in cluster %s: its controller has seen generation %d of %d",
				nameOf(live), s.c.Context(), observedGeneration(live), live.GetGeneration())
		case err != nil:
			return nil, err
		}
	}
}

// settled waits until the controller has seen the workload and kept a revision of its template, where it does not do that late.
func (s *session) settled(ctx context.Context) (*unstructured.Unstructured, revision, error) {
	end := s.clock.Now().Add(settleFor)
	for {
		t := s.turn()
		live, err := s.observed(ctx)
		if err != nil {
			return nil, revision{}, err
		}
		if err := s.revisions.Wait(ctx); err != nil {
			return nil, revision{}, err
		}
		if rev, ok := s.current(live); s.family.Late || ok && s.isNewest(live, rev) {
			return live, rev, nil
		}
		left := end.Sub(s.clock.Now())
		if left <= 0 {
			return nil, revision{}, unknownRevision(live, s.c)
		}
		if err := t.sleep(ctx, left); err != nil {
			return nil, revision{}, err
		}
	}
}

// isNewest cross-checks a revision: the controller gives the one that it hands out the highest number.
func (s *session) isNewest(live *unstructured.Unstructured, rev revision) bool {
	newest, ok := s.newest(live.GetUID(), func(revision) bool { return true })
	return ok && newest.name == rev.name
}

func unknownRevision(object *unstructured.Unstructured, c Cluster) error {
	return fault.New(fault.Internal, "cannot tell the revision of %s in cluster %s: no revision of it has its template", nameOf(object), c.Context())
}

// state is the state of a held workload, once its controller has seen it.
func (s *session) state(ctx context.Context) (State, error) {
	live, rev, err := s.settled(ctx)
	if err != nil {
		return State{}, err
	}
	hold, err := s.held(live)
	if err != nil {
		return State{}, err
	}
	state := stateOf(live, hold)
	if !s.family.OnDelete || hold.Armed && !hold.Back {
		state.Revision, state.Template = rev.hash, templateDigest(templateOf(live))
	}
	return state, nil
}

func stateOf(live *unstructured.Unstructured, hold *Hold) State {
	return State{
		UID: string(live.GetUID()), ResourceVersion: live.GetResourceVersion(), Generation: live.GetGeneration(),
		Previous: hold.Previous, Armed: hold.Armed, Created: hold.Created, Revision: hold.Target, Template: hold.Template,
	}
}
