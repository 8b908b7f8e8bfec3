package scenario

import (
	"cmp"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// defaultTakes is how long a batch takes where nothing is said.
const defaultTakes = time.Minute

// is returns what is so at a time: the last line of the script that speaks of it.
func (s *script) is(kind stateKind, name, cluster string, at time.Duration) (state, bool) {
	for _, st := range slices.Backward(s.states) {
		if st.kind == kind && st.name == name && (st.cluster == "" || st.cluster == cluster) && st.from <= at && at < st.to {
			return st, true
		}
	}
	return state{}, false
}

// changes are the times behind one, up to another, at which something begins or ends to be so.
func (s *script) changes(after, until time.Duration) []time.Duration {
	var all []time.Duration
	for _, st := range s.states {
		for _, t := range []time.Duration{st.from, st.to} {
			if t > after && t <= until {
				all = append(all, t)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// last is the time after which nothing changes any more.
func (s *script) last() time.Duration {
	most := time.Duration(0)
	for _, st := range s.states {
		most = max(most, st.from)
		if st.to != forever {
			most = max(most, st.to)
		}
	}
	return most
}

// away is why a cluster is out of reach; nil where it is not.
func (s *script) away(cluster string, at time.Duration) error {
	st, is := s.is(unreachable, "", cluster, at)
	if cluster == "" || !is {
		return nil
	}
	return fault.New(fault.Unreachable, "%s", cmp.Or(st.message, "cluster "+cluster+" does not answer"))
}

// back is the time at which a cluster answers again, from one at which it does not.
func (s *script) back(cluster string, at time.Duration) time.Duration {
	for s.away(cluster, at) != nil {
		st, _ := s.is(unreachable, "", cluster, at)
		if at = st.to; at == forever {
			return 2 * MaxVirtual
		}
	}
	return at
}

// verdict is what a check says at a time. What nothing is said about passes.
func (s *script) verdict(name, cluster string, at time.Duration) (api.Verdict, string) {
	st, said := s.is(aCheck, name, cluster, at)
	if !said {
		return api.Passed, ""
	}
	return st.verdict, st.message
}

// speaksOf reports whether a script says anything about a check.
func (s *script) speaksOf(check string) bool {
	return slices.ContainsFunc(s.states, func(st state) bool { return st.kind == aCheck && st.name == check })
}

// occupies reports whether a script has another run in trouble anywhere.
func (s *script) occupies() bool {
	return slices.ContainsFunc(s.states, func(st state) bool { return st.kind == occupied })
}

// moves is how long a batch of a cluster takes.
func (s *script) moves(cluster string) time.Duration {
	for _, name := range []string{cluster, ""} {
		if d, said := s.takes[name]; said {
			return d
		}
	}
	return defaultTakes
}

// podsOf is how many pods a cluster has in a node set. Where nothing is said that is 10 in the last one, and 1 in each before it.
func (s *script) podsOf(cluster, set string, last bool) int {
	if n, said := s.pods[cluster][set]; said {
		return n
	}
	if !last {
		return 1
	}
	if n, said := s.pods[cluster][""]; said {
		return n
	}
	return 10
}

// lasting is how long an attempt at a task takes.
func (s *script) lasting(task string) time.Duration {
	if d, said := s.tasks[task]; said {
		return d
	}
	return defaultTakes
}
