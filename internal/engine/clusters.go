package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Cluster is what a component is known to be at in one cluster.
type Cluster struct {
	Cluster     string    `json:"cluster"`
	Component   string    `json:"component"`
	Version     string    `json:"version"`          // what was last deployed well; "" where nothing was
	Run         string    `json:"run,omitempty"`    // which run deployed it
	Since       time.Time `json:"since,omitzero"`   // when
	Target      string    `json:"target,omitempty"` // digest of what was deployed
	MovingTo    string    `json:"movingTo,omitempty"`
	MovingBy    string    `json:"movingBy,omitempty"` // the run that moves it
	NodeSet     string    `json:"nodeSet,omitempty"`
	Batch       int       `json:"batch,omitempty"`
	Updated     int       `json:"updated"`
	Desired     int       `json:"desired"`
	Armed       bool      `json:"armed"`
	Behind      string    `json:"behind,omitempty"` // dead nodes that had pods when it was last looked
	Unreachable bool      `json:"unreachable,omitempty"`
	Seen        time.Time `json:"seen,omitzero"`
	State       string    `json:"state"` // all of this in a few words
}

// Clusters lists every cluster that has a component, or was seen to get it, by name; component "" means all of them: the
// fleet, as far as a run has moved something in it. An unknown component has none: that is fault.NotFound.
func (e *Engine) Clusters(ctx context.Context, component string) ([]Cluster, error) {
	present, err := e.ledger.ListDeployments(ctx, "", api.ParseSubject(component))
	if err != nil {
		return nil, err
	}
	seen, err := e.ledger.ListObservations(ctx, api.ParseSubject(component))
	if err != nil {
		return nil, err
	}
	type place struct{ cluster, component string }
	byName := map[place]*Cluster{}
	at := func(cluster, component string) *Cluster {
		key := place{cluster, component}
		if byName[key] == nil {
			byName[key] = &Cluster{Cluster: cluster, Component: component}
		}
		return byName[key]
	}
	for _, d := range present {
		c := at(d.Cluster, d.Subject.String())
		c.Version, c.Run, c.Since, c.Target = d.Version, d.Run, d.Since, d.Target
	}
	for _, o := range seen {
		at(o.Cluster, o.Subject.String()).observe(o)
	}
	if len(byName) == 0 && component != "" {
		return nil, fault.New(fault.NotFound, "cannot find component %s in any cluster: no run has moved it yet", component)
	}
	list := make([]Cluster, 0, len(byName))
	for _, c := range byName {
		c.State = c.words()
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Cluster) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Component, b.Component))
	})
	return list, nil
}

// observe adds the last look.
func (c *Cluster) observe(o ledger.Observation) {
	c.Behind = o.Behind
	c.Updated, c.Desired, c.Armed, c.Unreachable, c.Seen = o.Updated, o.Desired, o.Armed, o.Unreachable, o.Seen
	if o.Version == c.Version && (o.Run == c.Run || o.Updated == o.Desired) {
		// The last look was before the owner's strategy came back. What is recorded as deployed is held no more.
		c.Armed = false
		return
	}
	c.MovingTo, c.MovingBy, c.NodeSet, c.Batch = o.Version, o.Run, o.NodeSet, o.Batch
}

// words say where a cluster is: "version 2", "version 2, 12 of 40", "unreachable; version 2, 12 of 40 at 02:41".
func (c *Cluster) words() string {
	version := c.Version
	if c.MovingTo != "" {
		version = c.MovingTo
	}
	if version == "" {
		version = "unknown"
	}
	text := "version " + version
	if c.Desired > 0 && (c.MovingTo != "" || c.Unreachable) {
		text += fmt.Sprintf(", %d of %d", c.Updated, c.Desired)
	}
	if c.Behind != "" {
		text += "; " + behindWords(c.Behind)
	}
	if !c.Unreachable {
		return text
	}
	if c.Seen.IsZero() {
		return "unreachable; never seen"
	}
	return "unreachable; " + text + " at " + c.Seen.Local().Format("15:04")
}

// behindWords are a few of the nodes that are dead: "node n1 is behind", "5 nodes are behind: n1, n2, n3, ...".
func behindWords(names string) string {
	all := strings.Split(names, ", ")
	const most = 3
	switch {
	case len(all) == 1:
		return "node " + names + " is behind"
	case len(all) > most:
		return fmt.Sprintf("%d nodes are behind: %s, ...", len(all), strings.Join(all[:most], ", "))
	}
	return fmt.Sprintf("%d nodes are behind: %s", len(all), names)
}
