package server

import (
	"context"
	"sync"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/engine"
)

// Bounds on what is remembered of plans.
const (
	maxObjects = 2_000
	maxPlaces  = 200 // groups of one plan, and namespaces
)

// objects remembers what plans touch as their clusters were seen, which never changes: it is asked about whenever somebody looks at a run
// of one. A plan that is looked at again is another one here.
type objects struct {
	mu sync.Mutex
	of map[asSeen]access.Object
}

// asSeen is a plan as its clusters were seen, and where these are.
type asSeen struct {
	engine.Seen
	fleet *engine.Fleet
}

func (o *objects) get(seen asSeen) (access.Object, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.of[seen]
	return known, ok
}

// put remembers one more. Where there are too many, any other one is forgotten.
func (o *objects) put(seen asSeen, object access.Object) {
	if len(object.GroupLabels)+len(object.Namespaces) > maxPlaces {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.of) >= maxObjects {
		for other := range o.of {
			delete(o.of, other)
			break
		}
	}
	o.of[seen] = object
}

// touched is what a plan touches, as its clusters were seen.
func (s *server) touched(ctx context.Context, seen engine.Seen) (access.Object, error) {
	fleet, err := s.fleets.now(ctx)
	if err != nil {
		return access.Object{}, err
	}
	if known, ok := s.objects.get(asSeen{seen, fleet}); ok {
		return known, nil
	}
	p, live, err := s.Engine.ReadSeen(ctx, seen)
	if err != nil {
		return access.Object{}, err
	}
	o := planObject(p, live, fleet)
	s.objects.put(asSeen{seen, fleet}, o)
	return o, nil
}

// touchedByRun is what a run touches: what was seen when it was started counts for it, and nothing that was seen later.
func (s *server) touchedByRun(ctx context.Context, run string) (access.Object, error) {
	seen, err := s.Engine.SeenForRun(ctx, run)
	if err != nil {
		return access.Object{}, err
	}
	return s.touched(ctx, seen)
}

// touchedByPlan is what a plan touches, by its hash or the beginning of one, as it was seen last.
func (s *server) touchedByPlan(ctx context.Context, hash string) (access.Object, error) {
	seen, err := s.Engine.SeenForPlan(ctx, hash)
	if err != nil {
		return access.Object{}, err
	}
	return s.touched(ctx, seen)
}
