package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
	"sluice.dev/sluice/internal/ledger"
)

// How far blame looks: at so many units of a run, and into so many other runs that are open.
const (
	mostBlamed = 20
	mostAsked  = 5
)

// Blame is what may have broken a unit, the most likely first.
type Blame struct {
	Unit     string          `json:"unit"` // path
	Cluster  string          `json:"cluster"`
	At       time.Time       `json:"at"` // when it failed
	Suspects []blame.Suspect `json:"suspects"`
	More     int             `json:"more,omitempty"` // suspects that are not listed
	Note     string          `json:"note,omitempty"` // what may be missing
}

// Others are the suspects but for the run's own change.
func (b Blame) Others(run string) (others []blame.Suspect) {
	for _, s := range b.Suspects {
		if s.Run != run {
			others = append(others, s)
		}
	}
	return others
}

// Blame lists, for each unit of a run that a check has stopped, what had touched it or its failure domain before. At most the first 20
// such units are looked at. Where Temporal does not answer, of other open runs less is known.
func (e *Engine) Blame(ctx context.Context, view View) ([]Blame, error) {
	var failed []*api.UnitStatus
	first := e.now()
	for i := range view.Stages {
		for j := range view.Stages[i].Units {
			u := &view.Stages[i].Units[j]
			if c := broken(u); c != nil && len(failed) < mostBlamed {
				failed = append(failed, u)
				if at := e.failed(ctx, u, c); at.Before(first) {
					first = at
				}
			}
		}
	}
	if len(failed) == 0 {
		return nil, nil
	}
	since := first.Add(-blame.LookBack)
	runs, err := e.touching(ctx, since)
	if err != nil {
		return nil, err
	}
	domains, err := e.domainsOf(ctx, view, runs)
	if err != nil {
		return nil, err
	}
	w := where{since: since, in: domains.near(failed), known: e.known(ctx, view, runs)}
	found, err := e.changesIn(ctx, w)
	if err != nil {
		return nil, err
	}
	var all []Blame
	for _, u := range failed {
		b := Blame{Unit: u.Path, Cluster: u.Cluster, At: e.failed(ctx, u, broken(u)), Note: found.Note}
		scene := blame.Scene{At: b.At, Run: view.Name, Component: view.Subject, Cluster: u.Cluster, Nodes: e.touchedBy(ctx, u)}
		b.Suspects, b.More = blame.Rank(scene, touches(found.Changes, u.Cluster, domains))
		nodes := e.lookedAt(ctx, u)
		if b.More += nodes.More; nodes.Unseen != "" && b.Note == "" {
			b.Note = fmt.Sprintf("what happened to the nodes of %s is not known: %s", u.Cluster, nodes.Unseen)
		}
		all = append(all, b)
	}
	return all, nil
}

// Suspects names what else had touched the clusters of a run that failed, the most likely of each first.
func (e *Engine) Suspects(ctx context.Context, run string) (all []string, err error) {
	view, err := e.Status(ctx, run)
	if err != nil {
		return nil, err
	}
	blamed, err := e.Blame(ctx, view)
	for _, b := range blamed {
		for _, s := range b.Others(run) {
			if text := s.String(); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all, err
}

// of is the blame for a unit; nil where there is none.
func of(all []Blame, path string) *Blame {
	for i := range all {
		if all[i].Unit == path {
			return &all[i]
		}
	}
	return nil
}

// broken is the check that stopped a unit, or for which it went back; nil where none did, and where its plan or its
// permit was refused.
func broken(u *api.UnitStatus) *api.Check {
	for _, c := range []*api.Check{u.Cause, u.Failure} {
		if c != nil && c.At != api.AtPlan && c.At != atPermit {
			return c
		}
	}
	return nil
}

// failed is when a check stopped a unit.
func (e *Engine) failed(ctx context.Context, u *api.UnitStatus, by *api.Check) time.Time {
	at := by.Stopped
	if b := e.stoppedAt(ctx, u); at.IsZero() && b != nil {
		at = b.Ended
	}
	return cmp.Or(at, u.Ended, e.now())
}

// touchedBy are the nodes whose pods a unit moved, on its way forward too.
func (e *Engine) touchedBy(ctx context.Context, u *api.UnitStatus) []string {
	before, _ := e.whole(ctx, u.Before)
	both := api.UnitStatus{Batches: append(before.Batches, u.Batches...)}
	return nodesOf(&both)
}

// touching lists the runs that were open at a time or began since.
func (e *Engine) touching(ctx context.Context, since time.Time) (runs []ledger.Run, err error) {
	all, err := e.ledger.ListRuns(ctx, api.Subject{}, changesRuns)
	for _, run := range all {
		if run.Ended.IsZero() || !run.Ended.Before(since) {
			runs = append(runs, run)
		}
	}
	return runs, err
}

// known asks other open runs where they are, so that the nodes that they touch are known.
func (e *Engine) known(ctx context.Context, view View, runs []ledger.Run) map[string]api.RunStatus {
	known := map[string]api.RunStatus{view.Name: view.RunStatus}
	for _, run := range runs {
		if !run.Ended.IsZero() || run.Name == view.Name || len(known) > mostAsked {
			continue
		}
		if seen, err := e.Status(ctx, run.Name); err == nil && !seen.Partial {
			known[run.Name] = seen.RunStatus
		}
	}
	return known
}

// domains are the failure domains of clusters, as the plans have them that moved something there.
type domains map[string][]string

func (e *Engine) domainsOf(ctx context.Context, view View, runs []ledger.Run) (domains, error) {
	all := domains{}
	for _, hash := range append([]string{view.Plan}, plansOf(runs)...) {
		planned, err := e.LoadPlan(ctx, hash)
		if err != nil {
			continue // an old one: its clusters are known by themselves
		}
		for _, u := range planned.Plan.AllUnits() {
			if _, known := all[u.Cluster]; !known {
				all[u.Cluster] = u.Domains
			}
		}
	}
	return all, ctx.Err()
}

func plansOf(runs []ledger.Run) (hashes []string) {
	seen := map[string]bool{}
	for _, run := range runs {
		if !seen[run.Plan] {
			seen[run.Plan], hashes = true, append(hashes, run.Plan)
		}
	}
	return hashes
}

// shared is a failure domain that two clusters have in common; "" where there is none.
func (d domains) shared(a, b string) string {
	for _, one := range d[a] {
		for _, other := range d[b] {
			if one == other {
				return one
			}
		}
	}
	return ""
}

// near tells whether a cluster is that of one of some units, or shares a failure domain with it.
func (d domains) near(units []*api.UnitStatus) func(cluster string) bool {
	return func(cluster string) bool {
		for _, u := range units {
			if u.Cluster == cluster || d.shared(u.Cluster, cluster) != "" {
				return true
			}
		}
		return false
	}
}

// touches are changes as blame looks at them, from where a cluster is. What happened within a unit is part of the unit.
func touches(changes []Change, cluster string, d domains) (all []blame.Touch) {
	for _, c := range changes {
		t := blame.Touch{
			Kind: blame.Run, At: c.At, Until: c.Until, Run: c.Run, Component: c.Component, Version: c.Version,
			Cluster: c.Cluster, Nodes: c.Nodes, What: c.What, By: c.By,
		}
		switch {
		case c.Kind == ChangeDrift:
			t.Kind = blame.Drift
		case c.Kind == ChangeNode:
			t.Kind, t.What = blame.Node, strings.TrimPrefix(c.What, "node ")
		case c.Kind != ChangeUnit:
			continue
		}
		if c.Cluster != cluster {
			t.Domain = d.shared(cluster, c.Cluster)
		}
		all = append(all, t)
	}
	return all
}
