package agent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

// Bounds of what the server refuses.
const (
	refusedFirst = time.Minute // after which it is told again, and twice as long each time
	refusedMost  = 15 * time.Minute
	refusedFor   = 24 * time.Hour // after which a cluster that is another site's is forgotten
)

// The kinds of items, beside a whole cluster.
const (
	theWhole  = "list of cases"
	theTurns  = "states between"
	goneCase  = "end of case"
	aStand    = "state of case"
	anOutcome = "run"
)

// item is what the server takes or does not: a cluster as a whole, where kind is "", or one thing of it.
type item struct{ cluster, kind, name string }

// String is the item for people.
func (i item) String() string {
	switch i.kind {
	case "":
		return "all that waits"
	case theWhole, theTurns:
		return i.kind
	}
	return i.kind + " " + i.name
}

func ofStand(cluster string, s *probing.Stand) item {
	if s.Target == "" {
		return item{cluster, aStand, s.Case}
	}
	return item{cluster, aStand, s.Case + " at " + s.Target}
}

func ofOutcome(cluster string, o *probing.Outcome) item { return item{cluster, anOutcome, o.ID} }

// refusal is that the server has not taken an item.
type refusal struct {
	first, again time.Time
	wait         time.Duration
	why          string
}

// held reports whether an item waits until it is told again.
func (s *findings) held(i item, now time.Time) bool {
	r := s.refused[i]
	return r != nil && now.Before(r.again)
}

// takes is that the server has taken an item.
func (s *findings) takes(i item) { delete(s.refused, i) }

// again is how long it is until something is told again that the server has refused; false where there is no such thing.
func (s *findings) again(now time.Time) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refused) == 0 {
		return 0, false
	}
	first := slices.MinFunc(slices.Collect(maps.Values(s.refused)), func(a, b *refusal) int { return a.again.Compare(b.again) })
	return max(first.again.Sub(now), 0), true
}

// overtaken forgets refusals of what waits no more: what waits and may be told has been told before.
func (s *findings) overtaken(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.refused, func(_ item, r *refusal) bool { return !now.Before(r.again) })
}

// refuse has wait what the server has not taken. What it does not take though it takes others is left out for good, and so is a cluster
// that has been another site's for long: these are returned, and those of which nobody has heard yet that they wait.
func (s *findings) refuse(t *telling, now time.Time) (left, fresh []item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.took {
		s.took = now
	}
	for i, err := range t.refused {
		r := s.refused[i]
		if r == nil {
			r = &refusal{first: now}
		}
		code := fault.CodeOf(err)
		poison := i.kind != "" && code == fault.Invalid && (t.took || s.took.After(r.first))
		if poison || i.kind == "" && code == fault.Unauthorized && now.Sub(r.first) >= refusedFor {
			s.leave(i)
			left = append(left, i)
			continue
		}
		if r.why != err.Error() {
			r.why = err.Error()
			fresh = append(fresh, i)
		}
		r.wait = min(max(2*r.wait, refusedFirst), refusedMost)
		r.again = now.Add(r.wait)
		s.refused[i] = r
	}
	for _, all := range [][]item{left, fresh} {
		slices.SortFunc(all, func(a, b item) int {
			return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
		})
	}
	return left, fresh
}

// leave has an item wait no more. The server hears how many outcomes were left out.
func (s *findings) leave(i item) {
	s.takes(i)
	is := func(one item) bool { return one == i || i.kind == "" && one.cluster == i.cluster }
	head := s.heads[i.cluster]
	maps.DeleteFunc(s.stands, func(k standing, st *probing.Stand) bool { return is(ofStand(k.cluster, st)) })
	s.outcomes = slices.DeleteFunc(s.outcomes, func(o waiting) bool {
		if !is(ofOutcome(o.Cluster, o.Outcome)) {
			return false
		}
		s.bytes -= o.size
		head.Dropped++
		return true
	})
	head.Gone = slices.DeleteFunc(head.Gone, func(gone string) bool { return is(item{i.cluster, goneCase, gone}) })
	if is(item{i.cluster, theTurns, ""}) {
		head.Dropped, head.Turns = head.Dropped+int64(len(head.Turns)), nil
	}
	if is(item{i.cluster, theWhole, ""}) {
		head.Whole, head.Cases = false, nil
	}
	if i.kind == "" {
		delete(s.heads, i.cluster)
	}
}
