package engine

import (
	"context"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

// Listed is a run of a list. Note is not empty where Temporal could not say how far it is: then its phase is the ledger's.
type Listed struct {
	ledger.Run
	WaitsFor string `json:"waitsFor,omitempty"` // in a few words; "" for one that has ended
	Note     string `json:"note,omitempty"`
}

// RunsQuery narrows a list of runs. The zero value is all of them.
type RunsQuery struct {
	Component string
	Phases    []api.Phase // any of them
	After     time.Time   // started then or later
	Before    time.Time   // started before that
	Limit     int         // at most so many, the newest
}

// fits reports whether a run may be in the list, as far as the ledger knows: the phase of an open one is Temporal's to say.
func (q RunsQuery) fits(r ledger.Run) bool {
	switch {
	case !q.After.IsZero() && r.Started.Before(q.After), !q.Before.IsZero() && !r.Started.Before(q.Before):
		return false
	}
	return r.Ended.IsZero() || q.wants(r.Phase)
}

func (q RunsQuery) wants(phase string) bool {
	return len(q.Phases) == 0 || slices.Contains(q.Phases, api.Phase(phase))
}

// Runs lists the newest runs first, with the phase that Temporal's search attributes say where one is open, and what it waits
// for. Without a Temporal server open runs keep the phase that the ledger has, and a note says so.
func (e *Engine) Runs(ctx context.Context, q RunsQuery) ([]Listed, error) {
	return items(e.RunsPage(ctx, q, Part{Page: ledger.Page{Limit: q.Limit}}))
}

// RunsPage is a part of that list; the limit of the query does not count.
func (e *Engine) RunsPage(ctx context.Context, q RunsQuery, p Part) (Page[Listed], error) {
	subject, asks := api.ParseSubject(q.Component), asking{e: e}
	return page(p.Page, func(p ledger.Page) ([]ledger.Marked[ledger.Run], error) { return e.ledger.PageRuns(ctx, subject, p) },
		func(r ledger.Run) (Listed, bool, error) {
			one := Listed{Run: r}
			if !q.fits(r) || !p.sees(r.Subject.String()) {
				return one, false, nil
			}
			if r.Ended.IsZero() {
				asks.about(ctx, &one)
			}
			return one, q.wants(one.Phase), nil
		})
}

// asking asks Temporal about open runs, and dials once.
type asking struct {
	e      *Engine
	server *Server
	away   error
}

func (a *asking) about(ctx context.Context, one *Listed) {
	const instead = "; this is what the ledger says"
	if a.server == nil && a.away == nil {
		a.server, a.away = a.e.Server(ctx)
	}
	if a.away != nil {
		one.Note = a.away.Error() + instead
		return
	}
	described, err := a.server.Temporal.DescribeWorkflowExecution(ctx, one.Name, "")
	if err != nil {
		one.Note = a.e.temporalFault(err, "cannot look at run %s", one.Name).Error() + instead
		return
	}
	var now api.RunStatus
	addAttributes(&now, described.GetWorkflowExecutionInfo())
	if now.Phase != "" {
		one.Phase = string(now.Phase)
	}
	if now.Waiting != nil && !now.Phase.Final() {
		one.WaitsFor = now.Waiting.Name
	}
}
