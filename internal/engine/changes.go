package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

// How far back changes are looked for.
const (
	changesRuns  = 500
	changesPlans = 100
)

// Changes is what touched a cluster or a node since a time, as the ledger has it, the oldest first.
type Changes struct {
	Cluster string    `json:"cluster,omitempty"`
	Node    string    `json:"node,omitempty"` // instead of a cluster
	Since   time.Time `json:"since"`
	Changes []Change  `json:"changes"`
	Note    string    `json:"note,omitempty"` // what may be missing
}

// Change is something that touched a cluster.
type Change struct {
	At        time.Time   `json:"at"`
	Until     time.Time   `json:"until,omitzero"` // zero where it was at once, or is not over
	Kind      ChangeKind  `json:"kind"`
	Run       string      `json:"run,omitempty"`
	Component api.Subject `json:"component"`
	Version   string      `json:"version"`
	Cluster   string      `json:"cluster"`
	Nodes     []string    `json:"nodes,omitempty"` // whose pods it moved
	What      string      `json:"what"`
	By        string      `json:"by,omitempty"`

	node api.NodeChange // of a node
}

// ChangeKind is what a change was.
type ChangeKind string

// The kinds of changes.
const (
	ChangeUnit  ChangeKind = "unit"  // a run was at work in the cluster, from when to when
	ChangeBatch ChangeKind = "batch" // pods moved
	ChangeStop  ChangeKind = "stop"  // a check or an error stopped it
	ChangeNode  ChangeKind = "node"  // a node came, went, died, was back or was cordoned, as a run saw
	ChangeDrift ChangeKind = "drift" // a plan or a run saw what somebody else had changed
)

// Changes lists what touched a cluster since a time; or a node, where nothing touched a cluster of that name. It asks neither Temporal nor
// the cluster: of runs that are open it knows that they are at work there, and not how far they are.
func (e *Engine) Changes(ctx context.Context, name string, since time.Time) (Changes, error) {
	out, err := e.changesIn(ctx, where{in: func(c string) bool { return c == name }, since: since})
	if out.Cluster = name; err != nil || len(out.Changes) > 0 {
		return out, err
	}
	all, err := e.changesIn(ctx, where{in: func(string) bool { return true }, since: since})
	all.Changes = slices.DeleteFunc(all.Changes, func(c Change) bool { return !slices.Contains(c.Nodes, name) })
	if err != nil || len(all.Changes) == 0 {
		return out, err
	}
	all.Node = name
	return all, nil
}

// where is what changes are asked about.
type where struct {
	in    func(cluster string) bool
	since time.Time
	// known are runs that somebody has asked already, by name: they say more than the ledger knows of what is open.
	known map[string]api.RunStatus
}

// changesIn lists what touched some clusters since a time.
func (e *Engine) changesIn(ctx context.Context, w where) (Changes, error) {
	since := w.since
	out := Changes{Since: since, Changes: []Change{}}
	runs, err := e.ledger.ListRuns(ctx, api.Subject{}, changesRuns)
	if err != nil {
		return out, err
	}
	if len(runs) == changesRuns {
		out.Note = fmt.Sprintf("only the last %d runs were looked at", changesRuns)
	}
	for _, run := range runs {
		if !run.Ended.IsZero() && run.Ended.Before(since) {
			continue
		}
		found, err := e.changesOf(ctx, run, w)
		if err != nil {
			return out, err
		}
		out.Changes = append(out.Changes, found...)
	}
	drifts, unread, err := e.driftsOf(ctx, w)
	if err != nil {
		return out, err
	}
	if unread > 0 && out.Note == "" {
		out.Note = fmt.Sprintf("what %s saw cannot be read", api.Counted(unread, "plan"))
	}
	out.Changes = slices.DeleteFunc(append(out.Changes, drifts...), func(c Change) bool {
		open := c.Until.IsZero() && c.Kind == ChangeUnit
		return c.At.IsZero() || !open && c.At.Before(since) && c.Until.Before(since)
	})
	out.Changes = once(out.Changes)
	slices.SortStableFunc(out.Changes, func(a, b Change) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Run, b.Run)) })
	return out, nil
}

// changesOf is what a run did in some clusters.
func (e *Engine) changesOf(ctx context.Context, run ledger.Run, w where) ([]Change, error) {
	view := View{}
	var err error
	if known, is := w.known[run.Name]; is {
		view.RunStatus = known
	} else if run.Report != "" {
		view.RunStatus, err = e.reportOf(ctx, run)
	} else {
		view, err = e.fromLedger(ctx, run, nil, "")
	}
	if err != nil {
		return nil, err
	}
	var all []Change
	for i := range view.Stages {
		for j := range view.Stages[i].Units {
			u := &view.Stages[i].Units[j]
			if !w.in(u.Cluster) || u.Started.IsZero() && !u.Moved {
				continue
			}
			if u.Detail != "" {
				e.recall(ctx, u)
			}
			if before, known := e.whole(ctx, u.Before); known {
				all = append(all, did(run, &before)...)
				if before.Nodes != u.Nodes {
					all = append(all, e.nodesSeen(ctx, run, &before)...)
				}
			}
			all = append(all, did(run, u)...)
			all = append(all, e.nodesSeen(ctx, run, u)...)
		}
	}
	return all, nil
}

// nodesSeen is what had happened to the nodes of a unit's cluster when it failed, as its run saw.
func (e *Engine) nodesSeen(ctx context.Context, run ledger.Run, u *api.UnitStatus) (all []Change) {
	for _, c := range e.lookedAt(ctx, u).Changes {
		all = append(all, happened(run, u, c))
	}
	return all
}

// lookedAt is what was seen of the nodes of a unit's cluster; nothing where that cannot be read any more.
func (e *Engine) lookedAt(ctx context.Context, u *api.UnitStatus) (seen api.NodesSeen) {
	if u.Nodes == "" {
		return seen
	}
	if err := e.read(ctx, u.Nodes, &seen); err != nil {
		seen.Unseen = err.Error()
	}
	return seen
}

// happened is a change of a node as a run saw it.
func happened(run ledger.Run, u *api.UnitStatus, c api.NodeChange) Change {
	return Change{
		At: c.At, Until: c.At, Kind: ChangeNode, Cluster: u.Cluster, Nodes: []string{c.Node}, What: fmt.Sprintf("%s (as %s saw)", c, run.Name),
		node: c,
	}
}

// once leaves one of each change of a node that several units or runs have seen.
func once(all []Change) []Change {
	type change struct {
		cluster string
		node    api.NodeChange
	}
	seen := map[change]bool{}
	return slices.DeleteFunc(all, func(c Change) bool {
		if c.Kind != ChangeNode {
			return false
		}
		of := change{c.Cluster, c.node}
		of.node.At = c.At.UTC()
		known := seen[of]
		seen[of] = true
		return known
	})
}

// did is what a unit of a run did.
func did(run ledger.Run, u *api.UnitStatus) []Change {
	of := func(kind ChangeKind, from, to time.Time, format string, args ...any) Change {
		return Change{
			At: from, Until: to, Kind: kind, Run: run.Name, Component: run.Subject, Version: run.Version, Cluster: u.Cluster, By: run.By,
			What: fmt.Sprintf(format, args...),
		}
	}
	began := cmp.Or(u.Started, run.Started)
	all := []Change{of(ChangeUnit, began, u.Ended, "%s: %s", u.Path, u.Phase)}
	all[0].Nodes = nodesOf(u)
	for _, b := range u.Batches {
		if b.Skipped == "" {
			what := fmt.Sprintf("batch %d of %s: %d of %d pods updated", b.Number, b.NodeSet, b.Updated, b.Total)
			batch := of(ChangeBatch, b.Started, cmp.Or(b.Ended, u.Ended), "%s", what)
			batch.Nodes = b.Nodes
			all = append(all, batch)
		}
	}
	for _, c := range []*api.Check{u.Cause, u.Failure} {
		if c == nil {
			continue
		}
		kind := ChangeStop
		if c.Name == string(api.RuleDrift) {
			kind = ChangeDrift
		}
		at := cmp.Or(stopped(u), u.Ended, began)
		all = append(all, of(kind, at, at, "%s %s: %s", c.Name, c.Verdict, c.Message))
		break
	}
	return append(all, died(run, u)...)
}

// died is the nodes of a unit that were dead when its run saw them, and since when: one that says no time is told by why alone.
func died(run ledger.Run, u *api.UnitStatus) (all []Change) {
	for _, b := range u.Behind {
		for _, n := range b.Nodes {
			if !n.Since.IsZero() {
				all = append(all, happened(run, u, api.NodeChange{Node: n.Name, Kind: api.NodeDied, At: n.Since, Why: n.Why}))
			}
		}
	}
	return all
}

// nodesOf are the nodes whose pods a unit moved, sorted.
func nodesOf(u *api.UnitStatus) (all []string) {
	for _, b := range u.Batches {
		all = append(all, b.Nodes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stopped is when the batch ended at which a unit was stopped.
func stopped(u *api.UnitStatus) time.Time {
	for _, b := range u.Batches {
		if b.Path == u.FailedAt || b.Path == u.CauseAt {
			return b.Ended
		}
	}
	return time.Time{}
}

// driftsOf is what the last plans since a time saw in some clusters that somebody else had changed, and how many of them cannot be read
// any more: an old one keeps nobody from seeing the rest.
func (e *Engine) driftsOf(ctx context.Context, w where) (all []Change, unread int, err error) {
	plans, err := e.ledger.ListPlans(ctx, api.Subject{}, changesPlans)
	if err != nil {
		return nil, 0, err
	}
	for _, stored := range plans {
		if stored.Live == "" || stored.Created.Before(w.since) {
			continue
		}
		planned, err := e.LoadPlan(ctx, stored.Hash)
		if err != nil {
			unread++
			continue
		}
		for i := range planned.Live.Clusters {
			seen := &planned.Live.Clusters[i]
			if !w.in(seen.Cluster) {
				continue
			}
			for _, object := range seen.Objects {
				for _, field := range object.Drift {
					all = append(all, Change{
						At: stored.Created, Until: stored.Created, Kind: ChangeDrift, Component: stored.Subject, Version: stored.Version,
						Cluster: seen.Cluster, What: fmt.Sprintf("a plan saw %s: %s", object.Object, field), By: stored.By,
					})
				}
			}
		}
	}
	return all, unread, nil
}
