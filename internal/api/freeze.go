package api

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Freeze is an order to the whole fleet, or a part of it, to stand still. It is one object, kept outside of any run: it holds those
// that are open, those that start later, and every one until it is lifted or over.
type Freeze struct {
	Name       string       `json:"name"` // freeze-N
	Origin     FreezeOrigin `json:"origin"`
	Scope      FreezeScope  `json:"scope"`
	InFlight   InFlight     `json:"inFlight"`
	By         string       `json:"by"`
	Reason     string       `json:"reason"`
	Run        string       `json:"run,omitempty"`  // that goes back, where it came from one; a run makes no more than one
	Fuse       string       `json:"fuse,omitempty"` // and how often it had tripped, where one did: NAME/N
	Since      time.Time    `json:"since"`
	Until      time.Time    `json:"until,omitzero"`  // zero: until it is lifted
	Lifted     time.Time    `json:"lifted,omitzero"` // by a person, or since its time was over
	LiftedBy   string       `json:"liftedBy,omitempty"`
	LiftReason string       `json:"liftReason,omitempty"`
}

// Holds reports whether the freeze holds at a time.
func (f Freeze) Holds(at time.Time) bool {
	return f.Lifted.IsZero() && (f.Until.IsZero() || at.Before(f.Until))
}

// FreezeOrigin is what made a freeze.
type FreezeOrigin string

// The origins.
const (
	FreezePerson   FreezeOrigin = "person"
	FreezeRollback FreezeOrigin = "rollback" // what was rolled back does not start again
	FreezeFuse     FreezeOrigin = "fuse"     // too much has failed
)

// InFlight is what a freeze does to a unit that moves.
type InFlight string

// What a freeze may do to units that move.
const (
	PauseNow        InFlight = "PauseNow"        // it stops where it is, and is disarmed
	PauseAtBoundary InFlight = "PauseAtBoundary" // it ends its batch first
	Finish          InFlight = "Finish"          // it goes to its end; no other one starts
)

// InFlights are all of them, the most careful first.
func InFlights() []InFlight { return []InFlight{PauseNow, PauseAtBoundary, Finish} }

// FreezeScope is what a freeze is about: what all that is set here has in common; everything, where nothing is.
type FreezeScope struct {
	Component   Subject           `json:"component,omitzero"`
	Digest      string            `json:"digest,omitempty"` // of one version of a component
	Environment string            `json:"environment,omitempty"`
	Group       string            `json:"group,omitempty"`
	Clusters    []string          `json:"clusters,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"` // of clusters; one that lacks a label is not meant
}

// Everything reports whether the scope leaves nothing out.
func (s FreezeScope) Everything() bool {
	return s.Component == (Subject{}) && s.Digest == "" && s.Environment == "" && s.Group == "" && len(s.Clusters) == 0 && len(s.Labels) == 0
}

// String says the scope as people read it.
func (s FreezeScope) String() string {
	if s.Everything() {
		return "everything"
	}
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	add("component", s.Component.String())
	add("digest", short(s.Digest))
	add("environment", s.Environment)
	add("group", s.Group)
	add("cluster", strings.Join(s.Clusters, ", "))
	var labels []string
	for key, value := range s.Labels {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	add("label", strings.Join(labels, ","))
	return strings.Join(parts, ", ")
}

// short is a digest as far as people read it.
func short(digest string) string {
	const most = len("sha256:") + 12
	if len(digest) > most {
		return digest[:most]
	}
	return digest
}

// Hold is what a freeze means for a run.
type Hold struct {
	Freeze   string    `json:"freeze"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	InFlight InFlight  `json:"inFlight"`
	Until    time.Time `json:"until,omitzero"`
	Clusters []string  `json:"clusters,omitempty"` // of the run; all of them where it names none
}

// Holds reports whether a cluster of the run is held.
func (h Hold) Holds(cluster string) bool {
	return len(h.Clusters) == 0 || slices.Contains(h.Clusters, cluster)
}

// String says which freeze holds, whose it is, why, and until when.
func (h Hold) String() string { return h.Freeze + " " + h.Why() }

// Why is String for somebody who knows which freeze it is.
func (h Hold) Why() string {
	text := fmt.Sprintf("by %s: %s", h.By, h.Reason)
	if !h.Until.IsZero() {
		text += "; until " + h.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	return text
}

// Holds are all freezes that hold a run, the oldest first, as they were at a revision of the ledger's freezes. A run that hears of an
// older revision than it knows knows better.
type Holds struct {
	Revision int64  `json:"revision"`
	List     []Hold `json:"list,omitempty"`
}

// Of is the hold of a cluster of the run that stops most; nil where none holds it.
func (h Holds) Of(cluster string) *Hold {
	var most *Hold
	for i := range h.List {
		one := &h.List[i]
		if one.Holds(cluster) && (most == nil || slices.Index(InFlights(), one.InFlight) < slices.Index(InFlights(), most.InFlight)) {
			most = one
		}
	}
	return most
}

// Whole is the oldest hold of all of the run; nil where there is none.
func (h Holds) Whole() *Hold {
	for i := range h.List {
		if len(h.List[i].Clusters) == 0 {
			return &h.List[i]
		}
	}
	return nil
}

// SignalHolds is the signal that tells a run which freezes hold it, all of them, with a Holds.
const SignalHolds = "holds"

// WhyRolledBack is the reason of the freeze that a run leaves which is rolled back, for a reason or "".
func WhyRolledBack(run, reason string) string {
	if reason == "" {
		return run + " was rolled back"
	}
	return run + " was rolled back: " + reason
}
