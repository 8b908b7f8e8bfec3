package server

import (
	"context"
	"sync"

	"sluice.dev/sluice/internal/access"
)

// Bounds on what is remembered of plans.
const (
	maxObjects = 2_000
	maxPlaces  = 200 // groups of one plan
)

// objects remembers what plans touch, by their hashes: a plan never changes, and it is asked about whenever somebody looks at a run of it.
type objects struct {
	mu sync.Mutex
	of map[string]access.Object
}

func (o *objects) get(hash string) (access.Object, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.of[hash]
	return known, ok
}

// put remembers one more. Where there are too many, any other one is forgotten.
func (o *objects) put(hash string, object access.Object) {
	if len(object.GroupLabels) > maxPlaces {
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
	o.of[hash] = object
}

// ofHash is what a plan touches, by its whole hash.
func (s *server) ofHash(ctx context.Context, hash string) (access.Object, error) {
	if known, ok := s.objects.get(hash); ok {
		return known, nil
	}
	p, err := s.Engine.ReadPlan(ctx, hash)
	if err != nil {
		return access.Object{}, err
	}
	o := planObject(p)
	s.objects.put(hash, o)
	return o, nil
}

// touchedByRun is what a run touches.
func (s *server) touchedByRun(ctx context.Context, run string) (access.Object, error) {
	hash, err := s.Engine.HashOfRun(ctx, run)
	if err != nil {
		return access.Object{}, err
	}
	return s.ofHash(ctx, hash)
}

// touchedByPlan is what a plan touches, by its hash or the beginning of one.
func (s *server) touchedByPlan(ctx context.Context, hash string) (access.Object, error) {
	whole, err := s.Engine.HashOfPlan(ctx, hash)
	if err != nil {
		return access.Object{}, err
	}
	return s.ofHash(ctx, whole)
}
