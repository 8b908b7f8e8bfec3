// Package blame says what may have broken a unit: what had touched it, or what it shares a failure domain with, before it failed, the
// most likely first and with the reason for the order. It is given what is known and finds nothing out: it asks no ledger and no cluster.
package blame

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
)

// LookBack is how long before a failure something may have ended and still be named.
const LookBack = 2 * time.Hour

// Most is how many suspects are listed.
const Most = 20

// fewNodes is how many nodes a reason names.
const fewNodes = 3

// Kind is what kind of thing touched something.
type Kind string

// What touches a cluster.
const (
	Run   Kind = "run"
	Drift Kind = "drift" // somebody else's change
	Node  Kind = "node"  // a node came, went, was cordoned or was not ready
)

// Scene is what failed, where and when.
type Scene struct {
	At        time.Time
	Run       string
	Component api.Subject
	Cluster   string
	Nodes     []string // that it had touched; none where they are not known
}

// Touch is something that touched a cluster.
type Touch struct {
	Kind      Kind        `json:"kind"`
	At        time.Time   `json:"at"`
	Until     time.Time   `json:"until,omitzero"` // zero: it is not over
	Run       string      `json:"run,omitempty"`
	Component api.Subject `json:"component,omitzero"`
	Version   string      `json:"version,omitempty"`
	Cluster   string      `json:"cluster"`
	Domain    string      `json:"domain,omitempty"` // that its cluster shares with the one that failed, key=value; "" where it is that one
	Nodes     []string    `json:"nodes,omitempty"`  // that it touched; none where they are not known
	What      string      `json:"what"`
	By        string      `json:"by,omitempty"`
}

// Suspect is a touch with the reason for its place.
type Suspect struct {
	Touch
	Why string `json:"why"`
}

// String says a suspect in one line.
func (s Suspect) String() string {
	who := string(s.Kind)
	if s.Run != "" {
		who = fmt.Sprintf("%s (%s %s)", s.Run, s.Component, s.Version)
	}
	return fmt.Sprintf("%s in %s: %s; %s", who, s.Cluster, s.What, s.Why)
}

// closeness is how near to what failed something was: the nearer, the likelier. A failure is blamed first on what was done to the very
// same pods, then on what their nodes share, then the cluster, then the failure domain.
type closeness int

const (
	itself    closeness = iota // what failed was the run's own change
	sameNodes                  // of the same component
	nodesOf                    // of another one, or of nobody: a node changed
	sameUnit                   // of the same component in the cluster, on other nodes or nobody knows which
	inCluster
	inDomain
	apart
)

// Rank lists what may have broken a scene, the most likely first: the nearer before the farther, of equally near what was still going on
// before what had ended, and then by how long before. What began after the failure, what had ended LookBack before it, and what touched
// neither the cluster nor its failure domain is left out. More counts those beyond Most.
func Rank(s Scene, touches []Touch) (suspects []Suspect, more int) {
	type ranked struct {
		Suspect
		near closeness
		past time.Duration // negative where it was not over
	}
	var all []ranked
	for _, t := range touches {
		near, shared := s.near(t)
		going := t.Until.IsZero() || !t.Until.Before(s.At)
		past := time.Duration(-1)
		if !going {
			past = s.At.Sub(t.Until)
		}
		if near == apart || t.At.After(s.At) || past > LookBack {
			continue
		}
		why := s.because(t, near, shared) + "; " + whether(s, t, past)
		all = append(all, ranked{Suspect{t, why}, near, past})
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.near, b.near), cmp.Compare(a.past, b.past), b.At.Compare(a.At),
			strings.Compare(a.Run, b.Run), strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.What, b.What))
	})
	for _, one := range all[:min(len(all), Most)] {
		suspects = append(suspects, one.Suspect)
	}
	return suspects, max(0, len(all)-Most)
}

// near is how near a touch was, and the nodes that it shares with the scene.
func (s Scene) near(t Touch) (closeness, []string) {
	if t.Cluster != s.Cluster {
		if t.Domain != "" {
			return inDomain, nil
		}
		return apart, nil
	}
	shared := slices.DeleteFunc(slices.Clone(t.Nodes), func(node string) bool { return !slices.Contains(s.Nodes, node) })
	same := t.Component == s.Component && t.Component != (api.Subject{})
	switch {
	case t.Run != "" && t.Run == s.Run && t.Kind == Run:
		return itself, nil
	case len(shared) > 0 && same:
		return sameNodes, shared
	case len(shared) > 0:
		return nodesOf, shared
	case same:
		return sameUnit, nil
	}
	return inCluster, nil
}

func (s Scene) because(t Touch, near closeness, shared []string) string {
	whose := "another component"
	if t.Component == (api.Subject{}) {
		whose = "no component"
	}
	switch near {
	case itself:
		return "it is the run's own change"
	case sameNodes:
		return "same component, same nodes: " + clip.Few(shared, fewNodes)
	case nodesOf:
		return fmt.Sprintf("%s, same nodes: %s", whose, clip.Few(shared, fewNodes))
	case sameUnit:
		if len(t.Nodes) > 0 && len(s.Nodes) > 0 {
			return "same component and cluster, other nodes"
		}
		return "same component and cluster"
	case inDomain:
		return "same failure domain: " + t.Domain
	}
	return "same cluster, " + whose
}

func whether(s Scene, t Touch, past time.Duration) string {
	switch {
	case past < 0 && t.Until.IsZero():
		return fmt.Sprintf("under way since %s before", s.At.Sub(t.At).Round(time.Second))
	case past < 0:
		return "under way then"
	case past < time.Second:
		return "at the same moment"
	}
	return fmt.Sprintf("%s before", past.Round(time.Second))
}
