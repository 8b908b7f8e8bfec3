package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// Turned is what cases in clusters have turned to, those together that did it at once.
type Turned struct {
	About     string        `json:"about"`            // in a few words: of what, and where
	State     probing.State `json:"state"`            // Failing, Unknown, or Passing where that is over
	Count     int           `json:"count"`            // of cases in clusters
	More      int           `json:"more"`             // that turns does not name
	Severity  string        `json:"severity"`         // of the worst
	Owners    []string      `json:"owners,omitempty"` // some of them
	Enforcing bool          `json:"enforcing"`        // one of them holds what changes, while it is not well
	Turns     []Turn        `json:"turns"`            // the first by name
}

// Turn is what one case in one cluster has turned to.
type Turn struct {
	Case      string        `json:"case"`
	Cluster   string        `json:"cluster"`
	State     probing.State `json:"state"`          // of what is over: what it is now, and "" where it is gone
	Was       probing.State `json:"was,omitempty"`  // as it was told last; "" where it was well
	Since     time.Time     `json:"since,omitzero"` // when it turned
	Target    string        `json:"target,omitempty"`
	Targets   int           `json:"targets,omitempty"` // how many are as bad
	Severity  string        `json:"severity"`
	Owner     string        `json:"owner,omitempty"`
	Enforcing bool          `json:"enforcing"`
	Run       string        `json:"run,omitempty"` // the last of the case, for sluice probe explain and label
	Code      string        `json:"code,omitempty"`
	Says      string        `json:"says,omitempty"`

	been        probing.State
	weighed     string // its severity, as it was told last, and whether it was enforcing
	held        bool
	environment string
}

// Bounds of what is said of turns.
const (
	maxTurns  = 10
	maxOwners = 10
	maxSaid   = 300
	// apart is how many cases, or clusters, turn at once and are told of each alone.
	apart = 3
)

// usualSeverity is that of a case that has none.
const usualSeverity = "P3"

// eventOf is what receivers are told of a state.
func eventOf(s probing.State) pipelines.NotifyEvent {
	switch s {
	case probing.Failing:
		return pipelines.EventProbeFailing
	case probing.Unknown:
		return pipelines.EventProbeUnknown
	}
	return pipelines.EventProbeResolved
}

// hearsTurn reports whether a receiver is told of a turn at a place. Where nobody knows where a cluster is, it may be meant. That something
// is over hears who heard of it.
func hearsTurn(s *pipelines.ReceiverSpec, to probing.State, t Turn, at plan.Place, known bool) bool {
	of := s.Probes
	if of == nil || !s.Hears(eventOf(to)) {
		return false
	}
	if to == probing.Passing && !s.Hears(eventOf(t.Was)) && (t.been == "" || !s.Hears(eventOf(t.been))) {
		return false
	}
	switch {
	case !t.Enforcing && !of.Advisory,
		of.Severity != "" && t.Severity > string(of.Severity),
		len(of.Cases) > 0 && !slices.Contains(of.Cases, t.Case),
		len(of.Owners) > 0 && !slices.Contains(of.Owners, t.Owner),
		known && len(s.Environments) > 0 && !slices.Contains(s.Environments, at.Environment):
		return false
	}
	for key, value := range s.ClusterLabels {
		if got, ok := at.Labels[key]; known && (!ok || got != value) {
			return false
		}
	}
	return true
}

// together are turns to one state, in the parts in which they are told: of few cases each, else of few clusters each, else all of them.
func together(turns []Turn) (parts [][]Turn) {
	byCase, byCluster := map[string][]Turn{}, map[string][]Turn{}
	for _, t := range turns {
		byCase[t.Case] = append(byCase[t.Case], t)
		byCluster[t.Cluster] = append(byCluster[t.Cluster], t)
	}
	switch {
	case len(turns) == 0:
		return nil
	case len(byCase) <= apart:
		return ordered(byCase)
	case len(byCluster) <= apart:
		return ordered(byCluster)
	}
	return [][]Turn{turns}
}

func ordered(by map[string][]Turn) (parts [][]Turn) {
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, by[name])
	}
	return parts
}

// newTurned is what is told of turns to one state, which are in the order of their names.
func newTurned(to probing.State, turns []Turn) *Turned {
	all := &Turned{State: to, Count: len(turns), Severity: turns[0].Severity, Turns: turns[:min(len(turns), maxTurns)]}
	all.More = all.Count - len(all.Turns)
	cases, clusters := map[string]bool{}, map[string]bool{}
	for _, t := range turns {
		cases[t.Case], clusters[t.Cluster] = true, true
		all.Severity, all.Enforcing = min(all.Severity, t.Severity), all.Enforcing || t.Enforcing
		if t.Owner != "" && len(all.Owners) < maxOwners && !slices.Contains(all.Owners, t.Owner) {
			all.Owners = append(all.Owners, t.Owner)
		}
	}
	slices.Sort(all.Owners)
	of, in := turns[0].Case, turns[0].Cluster
	if len(cases) > 1 {
		of = fmt.Sprintf("%d cases", len(cases))
	}
	if len(clusters) > 1 {
		in = fmt.Sprintf("%d clusters", len(clusters))
	}
	all.About = of + " in " + in
	return all
}

// newTurnEvent is an event of turns to one state.
func newTurnEvent(key string, to probing.State, turns []Turn, at time.Time) Event {
	e := Event{Key: key, Event: eventOf(to), At: at.UTC(), Probes: newTurned(to, turns)}
	clusters := map[string]bool{}
	for _, t := range turns {
		clusters[t.Cluster] = true
		if t.environment != "" && !slices.Contains(e.Environments, t.environment) {
			e.Environments = append(e.Environments, t.environment)
		}
	}
	slices.Sort(e.Environments)
	e.Clusters = len(clusters)
	return e
}

// noted is a turn as it is remembered.
func noted(to probing.State, t Turn, at time.Time) ledger.ProbeTurn {
	n := ledger.ProbeTurn{
		Cluster: t.Cluster, Case: t.Case, State: to, At: at, Severity: t.Severity, Owner: t.Owner, Enforcing: t.Enforcing,
	}
	if to != probing.Passing { // whoever heard of it while it was worse hears of its end
		n.Been, n.Severity, n.Enforcing = t.been, min(t.Severity, cmp.Or(t.weighed, t.Severity)), t.Enforcing || t.held
	}
	return n
}
