package prober

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"sluice.dev/sluice/internal/probing"
)

// happened notes which runs an event wants. One that is wanted already, or waits for its turn, will see what has happened.
func (s *site) happened(e probing.Event) {
	at := e.At
	cause := func(target string) probing.Cause {
		return probing.Cause{Kind: probing.ByEvent, Key: e.KeyOf(target), Text: e.Text, Revision: e.Revision, At: &at}
	}
	for _, k := range s.allCases() {
		k.mu.Lock()
		c, problem := k.config, k.problem
		k.mu.Unlock()
		if c.Spec.Mode == probing.Resident || problem != "" || !c.Spec.Answers(e) {
			continue
		}
		targets, err := s.targets(context.Background(), c, e.Nodes, s.cluster+"/"+c.Name)
		if err != nil { // the nodes are not seen yet
			targets = e.Nodes[:min(len(e.Nodes), probing.MaxSample)]
		}
		var left int64
		for _, target := range targets {
			where, why := spot{c.Name, target}, cause(target)
			if !s.queue.waits(where) && !s.answered(c, target, why) && !s.wants.put(where, why) {
				left++
			}
		}
		if left > 0 {
			k.mu.Lock()
			k.missed, k.dirty = k.missed+left, true
			k.mu.Unlock()
		}
	}
}

// answered reports whether there is a run for a cause already: what is told again wants nothing, and must not stand in the way of others.
func (s *site) answered(c *probing.Config, target string, cause probing.Cause) bool {
	name := types.NamespacedName{Namespace: c.Namespace, Name: probing.RunName(c.Name, target, cause)}
	return s.queue.knows(name) || s.seen.Get(context.Background(), name, &probing.Run{}) == nil
}

func (s *site) allCases() (all []*known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.cases {
		all = append(all, k)
	}
	return all
}

// againAfter is when it is tried again to make runs, where nobody takes them, and refusedAgain when one is that was refused by itself.
const (
	againAfter   = time.Second
	refusedAgain = 10 * time.Second
)

// makeWanted makes the runs that events want, until ctx ends.
func (s *site) makeWanted(ctx context.Context) error {
	if !s.seen.WaitForCacheSync(ctx) {
		return ctx.Err()
	}
	for {
		at, cause, ok := s.wants.take(s.Clock.Now())
		if !ok {
			select {
			case <-ctx.Done():
				return nil
			case <-s.wants.more:
			case <-s.Clock.After(againAfter): // for those that were refused
			}
			continue
		}
		s.mu.Lock()
		k := s.cases[at.probeCase]
		s.mu.Unlock()
		if k == nil || s.queue.waits(at) {
			continue
		}
		k.mu.Lock()
		c := k.config
		k.mu.Unlock()
		if err := s.create(ctx, c, at.target, cause); err != nil && client.IgnoreNotFound(err) != nil && ctx.Err() == nil {
			s.log.Warn("a run that an event wants cannot be made; it is tried again", "case", at.probeCase, "target", at.target, "error", err)
			if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) { // by a namespace that goes, say: it keeps no other one back
				s.wants.later(at, cause, s.Clock.Now())
				continue
			}
			s.wants.put(at, cause)
			select {
			case <-ctx.Done():
			case <-s.Clock.After(againAfter):
			}
		}
	}
}

// rouse has a run looked at again. Where too many are to be, it looks by itself soon.
func (s *site) rouse(run types.NamespacedName) {
	r := &probing.Run{}
	r.Namespace, r.Name = run.Namespace, run.Name
	select {
	case s.wake <- event.GenericEvent{Object: r}:
	default:
	}
}
