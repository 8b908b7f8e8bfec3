package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"sluice.dev/sluice/internal/announce"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/fuse"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// Frozen is a freeze with what it holds now.
type Frozen struct {
	api.Freeze
	Runs []FrozenRun `json:"runs"`
	// Untold is why open runs may not have heard of it yet; "" where all have. Whatever worker serves them tells them.
	Untold string `json:"untold,omitempty"`
}

// FrozenRun is an open run that a freeze holds.
type FrozenRun struct {
	Run       string      `json:"run"`
	Component api.Subject `json:"component"`
	Version   string      `json:"version"`
	Clusters  int         `json:"clusters"` // of it that the freeze is about
	Of        int         `json:"of"`
}

// Freeze has everything in a scope stand still until it is lifted or its time is over: runs that are open, and those to come. It
// needs no Temporal: where that cannot be asked nothing starts all the same, and open runs hear of it from the next worker.
func (e *Engine) Freeze(ctx context.Context, f api.Freeze) (Frozen, error) {
	f.By, f.Origin, f.Since = e.named(f.By), api.FreezePerson, e.now()
	made, err := e.ledger.AddFreeze(ctx, f)
	if err != nil {
		return Frozen{}, err
	}
	out := Frozen{Freeze: made}
	if err := e.audit(ctx, ledger.EntryOf(made)); err != nil {
		return out, err
	}
	out.Untold = e.announce(ctx)
	out.Runs, err = e.holding(ctx, made)
	return out, err
}

// Unfreeze lifts a freeze. It is fault.NotFound where there is none of that name, and fault.Conflict where it was lifted before.
func (e *Engine) Unfreeze(ctx context.Context, name, by, reason string) (Frozen, error) {
	by = e.named(by)
	if err := e.burnt(ctx, name); err != nil {
		return Frozen{}, err
	}
	lifted, err := e.ledger.LiftFreeze(ctx, name, ledger.Lift{By: by, Reason: reason, At: e.now()})
	if err != nil {
		return Frozen{}, err
	}
	out := Frozen{Freeze: lifted}
	err = e.audit(ctx, ledger.Entry{
		Who: by, Command: "unfreeze", Object: name, Scope: lifted.Scope.String(), Reason: reason, Outcome: "accepted",
	})
	if err != nil {
		return out, err
	}
	out.Untold = e.announce(ctx)
	lifted.Lifted = time.Time{} // what it held until now
	out.Runs, err = e.holding(ctx, lifted)
	return out, err
}

// burnt refuses to lift the freeze of a fuse while what made it trip still fails: it would go on where it stands. Which clusters that
// are is looked up now. A fuse that was deleted holds nobody to it.
func (e *Engine) burnt(ctx context.Context, name string) error {
	freezes, _, err := e.ledger.Frozen(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(freezes, func(f api.Freeze) bool { return f.Name == name && f.Fuse != "" })
	if i < 0 {
		return nil
	}
	of := fuse.Tripped(freezes[i])
	kept, err := e.keptOf(ctx, pipelines.KindFuse, of)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	still, enough, err := (&fuse.Watcher{Ledger: e.ledger, Clock: e.options.Clock}).Still(ctx, kept)
	if err != nil || !enough {
		return err
	}
	return fault.New(fault.Refused, "cannot lift %s: it would go on where it failed, in %s: %s; roll back, skip or abort what stands there; "+
		"or delete fuse %s first, if it is to hold nobody", name, api.Counted(len(still), "cluster"), fuse.Names(still), of)
}

// FrozenScope is what a freeze is about, lifted or not; fault.NotFound where there is none of that name.
func (e *Engine) FrozenScope(ctx context.Context, name string) (api.FreezeScope, error) {
	f, err := e.ledger.Freeze(ctx, name)
	return f.Scope, err
}

// KnownFreeze is a freeze with who has let which plans pass it.
type KnownFreeze struct {
	api.Freeze
	Bypasses []ledger.Bypass `json:"bypasses,omitempty"`
}

// Freezes lists freezes, the newest first: those that hold, or all that there were.
func (e *Engine) Freezes(ctx context.Context, lifted bool, limit int) ([]KnownFreeze, error) {
	return items(e.FreezesPage(ctx, lifted, Part{Page: ledger.Page{Limit: limit}}))
}

// FreezesPage is a part of that list.
func (e *Engine) FreezesPage(ctx context.Context, lifted bool, p Part) (Page[KnownFreeze], error) {
	now := e.now()
	return page(p.Page, func(p ledger.Page) ([]ledger.Marked[api.Freeze], error) { return e.ledger.PageFreezes(ctx, lifted, p) },
		func(f api.Freeze) (KnownFreeze, bool, error) {
			if !lifted && !f.Holds(now) || !p.sees(f.Scope.Component.String()) {
				return KnownFreeze{}, false, nil
			}
			bypasses, err := e.ledger.BypassesOf(ctx, f.Name)
			return KnownFreeze{f, bypasses}, true, err
		})
}

// announce tells open runs what holds them, and returns why that could not be done now.
func (e *Engine) announce(ctx context.Context) string {
	server, err := e.Server(ctx)
	if err == nil {
		err = (&announce.Announcer{Ledger: e.ledger, Temporal: server.Temporal, Clock: e.options.Clock}).Tell(ctx)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// holding lists the open runs that a freeze is about.
func (e *Engine) holding(ctx context.Context, f api.Freeze) ([]FrozenRun, error) {
	open, err := e.ledger.Untold(ctx, math.MaxInt64, 0) // no run knows what has not happened yet
	if err != nil {
		return nil, err
	}
	held := []FrozenRun{}
	for _, h := range open {
		bypasses, err := e.ledger.Bypasses(ctx, h.Run.Plan)
		if err != nil {
			return held, err
		}
		under := h.Run.Under([]api.Freeze{f}, bypasses)
		if len(under) == 0 {
			continue
		}
		planned, err := e.LoadPlan(ctx, h.Run.Plan)
		if err != nil {
			return held, err
		}
		for _, hold := range planned.Plan.Holds(under, 0, e.now()).List {
			all := planned.Plan.Units()
			clusters := len(hold.Clusters)
			if clusters == 0 {
				clusters = all
			}
			held = append(held, FrozenRun{h.Run.Name, h.Run.Subject, h.Run.Version, clusters, all})
		}
	}
	return held, nil
}

// thawed refuses to start a run that is frozen whole, and returns what holds parts of it.
func (e *Engine) thawed(ctx context.Context, run ledger.Run, p *plan.Plan) (api.Holds, error) {
	freezes, bypasses, revision, err := e.frozen(ctx, run.Plan)
	if err != nil {
		return api.Holds{}, err
	}
	holds := p.Holds(run.Under(freezes, bypasses), revision, e.now())
	held := 0
	for _, u := range p.AllUnits() {
		if holds.Of(u.Cluster) != nil {
			held++
		}
	}
	if held == 0 || held < len(p.AllUnits()) {
		return holds, nil
	}
	h := holds.List[0]
	if whole := holds.Whole(); whole != nil {
		h = *whole
	}
	return holds, fault.New(fault.Refused, "%s; lift it with: %s", h, e.ways(h.Freeze, freezes, run, bypasses))
}

// ways say how a run that a freeze holds can start: the freeze is lifted, or somebody else lets the plan pass.
func (e *Engine) ways(name string, freezes []api.Freeze, run ledger.Run, bypasses []ledger.Bypass) string {
	ways := fmt.Sprintf("%s unfreeze %s --reason TEXT", e.options.Program, name)
	if !slices.ContainsFunc(freezes, func(f api.Freeze) bool { return f.Name == name && ledger.Bypassable(f) }) {
		return ways
	}
	ways += fmt.Sprintf(", or have a second person let this plan pass: %s bypass %s %.12s --reason TEXT", e.options.Program, name, run.Plan)
	if slices.ContainsFunc(bypasses, func(b ledger.Bypass) bool { return b.Of == name }) {
		ways += fmt.Sprintf(" (%s has done so, and cannot for a run of the same person's)", run.By)
	}
	return ways
}
