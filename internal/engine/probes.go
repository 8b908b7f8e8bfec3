package engine

import (
	"context"
	"slices"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// KnownProbe is what is known of a case at a target by now.
type KnownProbe struct {
	probing.Stand
	Environment string `json:"environment,omitempty"` // of the cluster, where the installation's fleet says it
	// Told is what was said last, where that is too long ago to say anything: State is Unknown then, since Until.
	Told probing.State `json:"told,omitempty"`
}

// ProbesQuery narrows what is asked of probes. Empty fields narrow nothing.
type ProbesQuery struct {
	Cluster string
	Case    string
	Target  *string // "" is the cluster itself
	Failing bool    // those that are neither passing nor skipped; of outcomes, those that did not pass
	Limit   int     // of states; 0: all there are
}

// MaxProbes is how many states a list has at most.
const MaxProbes = 50_000

// Most is how many states are read for a list: one more than are in it says that it is cut.
func (q ProbesQuery) Most() int {
	if q.Limit > 0 && q.Limit <= MaxProbes {
		return q.Limit
	}
	return MaxProbes + 1
}

// Listed is a list as it was read, in the order of clusters, cases and targets. It is fault.Invalid where all were to be in it, and there
// are more than a list has: a part would pass for all of them.
func (q ProbesQuery) Listed(all []KnownProbe) ([]KnownProbe, error) {
	if len(all) > MaxProbes {
		return nil, fault.New(fault.Invalid, "cannot list what probes know: that is more than %d states; narrow it to a cluster, a case or "+
			"those that fail, or ask for fewer", MaxProbes)
	}
	slices.SortFunc(all, func(a, b KnownProbe) int {
		return slices.Compare([]string{a.Cluster, a.Case, a.Target}, []string{b.Cluster, b.Case, b.Target})
	})
	return all, nil
}

func (q ProbesQuery) of(e *Engine) ledger.ProbesOf {
	return ledger.ProbesOf{Cluster: q.Cluster, Case: q.Case, Target: q.Target, Bad: q.Failing, Now: e.now()}
}

// Probes lists what is known of cases, by cluster, case and target. It asks no cluster. It is fault.Invalid where that is more than
// MaxProbes, and no limit says that a part is enough.
func (e *Engine) Probes(ctx context.Context, q ProbesQuery) ([]KnownProbe, error) {
	all, on := []KnownProbe{}, ledger.Mark{}
	for len(all) < q.Most() {
		some, err := e.ProbesPage(ctx, q, ledger.Page{After: on, Limit: min(q.Most()-len(all), ledger.Rows(0))})
		if err != nil {
			return nil, err
		}
		all = append(all, some.Items...)
		if on = some.Next; on == (ledger.Mark{}) {
			break
		}
	}
	return q.Listed(all)
}

// ProbesPage is a part of that list, in no order.
func (e *Engine) ProbesPage(ctx context.Context, q ProbesQuery, p ledger.Page) (Page[KnownProbe], error) {
	fleet, err := e.Fleet(ctx)
	if err != nil {
		return Page[KnownProbe]{}, err
	}
	of := q.of(e)
	return page(p, func(p ledger.Page) ([]ledger.Marked[probing.Stand], error) { return e.ledger.PageStands(ctx, of, p) },
		func(s probing.Stand) (KnownProbe, bool, error) {
			at, _ := fleet.Cluster(s.Cluster)
			return e.byNow(s, at.Environment), true, nil
		})
}

// byNow is a stand by now.
func (e *Engine) byNow(s probing.Stand, environment string) KnownProbe {
	k := KnownProbe{Stand: s, Environment: environment}
	if now := s.At(e.now()); now != s.State {
		k.Told, k.State, k.Since = s.State, now, s.Until
	}
	return k
}

// ProbeOutcomes lists what runs came to, the newest first.
func (e *Engine) ProbeOutcomes(ctx context.Context, q ProbesQuery, limit int) ([]ledger.ProbeOutcome, error) {
	return items(e.ProbeOutcomesPage(ctx, q, ledger.Page{Limit: limit}))
}

// ProbeOutcomesPage is a part of that list.
func (e *Engine) ProbeOutcomesPage(ctx context.Context, q ProbesQuery, p ledger.Page) (Page[ledger.ProbeOutcome], error) {
	of := q.of(e)
	return every(p, func(p ledger.Page) ([]ledger.Marked[ledger.ProbeOutcome], error) {
		return e.ledger.PageProbeOutcomes(ctx, of, p)
	})
}

// CountProbes counts what is known of cases by now.
func (e *Engine) CountProbes(ctx context.Context) ([]ledger.ProbeCount, error) {
	return e.ledger.CountStands(ctx, e.now())
}

// LabelProbe says of a run that failed whether something was wrong. Cluster may be "" where one alone has a run of that name. It is
// fault.Invalid without a reason, and where the run has not failed.
func (e *Engine) LabelProbe(ctx context.Context, req LabelRequest) (ledger.ProbeOutcome, error) {
	l := ledger.ProbeLabel{FalsePositive: req.FalsePositive, By: e.named(req.By), Because: req.Because, At: e.now()}
	o, err := e.ledger.LabelProbeOutcome(ctx, req.Cluster, req.Run, l)
	if err != nil {
		return o, err
	}
	is := "true"
	if l.FalsePositive {
		is = "a false positive"
	}
	return o, e.audit(ctx, ledger.Entry{
		Who: l.By, Command: "probe label", Object: "probe " + o.Case, Scope: "cluster " + o.Cluster, Reason: l.Because,
		Outcome: "the failure of " + o.ID + " is " + is,
	})
}

// LabelRequest labels a failure.
type LabelRequest struct {
	Cluster, Run  string
	FalsePositive bool
	By, Because   string
}
