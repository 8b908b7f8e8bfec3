package api

import (
	"cmp"
	"fmt"
	"time"
)

// NodesSeen is what had happened to the nodes of a cluster when a unit failed there.
type NodesSeen struct {
	Changes []NodeChange `json:"changes,omitempty"` // the newest first
	More    int          `json:"more,omitempty"`    // older ones
	Unseen  string       `json:"unseen,omitempty"`  // why nobody knows
}

// NodeChange is something that happened to a node.
type NodeChange struct {
	Node string    `json:"node"`
	Kind NodeEvent `json:"kind"`
	At   time.Time `json:"at"`            // of one that is gone: when it was last known to be there
	Why  string    `json:"why,omitempty"` // or by whom, of one that was cordoned
}

// NodeEvent is what happened to a node.
type NodeEvent string

// What happens to nodes.
const (
	NodeAdded    NodeEvent = "added"
	NodeReady    NodeEvent = "ready" // again
	NodeDied     NodeEvent = "died"
	NodeCordoned NodeEvent = "cordoned"
	NodeGone     NodeEvent = "gone"
)

// String says a change in a few words.
func (c NodeChange) String() string {
	what, why := "", ""
	if c.Why != "" {
		why = ": " + c.Why
	}
	switch c.Kind {
	case NodeAdded:
		what = "was added"
	case NodeReady:
		what = "was Ready again"
	case NodeDied:
		what = "died"
	case NodeCordoned:
		what = "was cordoned"
		if c.Why != "" {
			why = " by " + c.Why
		}
	case NodeGone:
		what = "was there for the last time that is known"
	}
	return fmt.Sprintf("node %s %s%s", c.Node, what, why)
}

// LastOn is when the unit was last at work on each of its nodes: each was there then.
func (u *UnitStatus) LastOn() map[string]time.Time {
	all := map[string]time.Time{}
	for _, b := range u.Batches {
		for _, node := range b.Nodes {
			if at := cmp.Or(b.Ended, b.Started); at.After(all[node]) {
				all[node] = at
			}
		}
	}
	return all
}
