package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/calendar"
)

// BypassRequest is a second person's wish that a plan passes one thing that holds it.
type BypassRequest struct {
	Of     string // freeze-N or policy/NAME
	For    string // a run, or a plan by its hash or a prefix of it
	By     string
	Reason string
}

// LetPass is a bypass with what it means now.
type LetPass struct {
	ledger.Bypass
	Run   string     `json:"run,omitempty"`   // where it was given for one
	Still []api.Hold `json:"still,omitempty"` // what holds the plan all the same
	// Untold is why open runs may not have heard of it yet; "" where all have.
	Untold string `json:"untold,omitempty"`
}

// Bypass lets one plan, and with it the runs of it, pass one freeze or policy, and nothing else. It takes another person than the one
// who made the plan and the one who started the run: fault.Refused otherwise, and where what is named does not hold the plan. It is
// fault.NotFound where there is no such thing. It needs no Temporal.
func (e *Engine) Bypass(ctx context.Context, req BypassRequest) (LetPass, error) {
	req.By = e.named(req.By)
	out := LetPass{Bypass: ledger.Bypass{Of: req.Of, By: req.By, Reason: req.Reason, At: e.now()}}
	known, err := e.whose(ctx, req.For)
	if err != nil {
		return LetPass{}, err
	}
	planned, err := e.LoadPlan(ctx, known.Plan)
	if err != nil {
		return LetPass{}, err
	}
	out.Plan, out.Run, known.Plan = planned.Hash, known.Name, planned.Hash
	object := known.Name
	if object == "" {
		object = planned.Hash
	}
	if err = e.mayPass(ctx, known, planned, req); err == nil {
		out.Bypass, err = e.ledger.AddBypass(ctx, out.Bypass)
	}
	outcome := "accepted"
	if err != nil {
		err = fault.Wrap(fault.CodeOf(err), err, "cannot let %.19s pass %s", object, req.Of)
		outcome = ledger.Refused + err.Error()
	}
	audited := e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "bypass", Object: object, Scope: req.Of, Reason: req.Reason, Outcome: outcome,
	})
	switch {
	case err != nil:
		return LetPass{}, err
	case audited != nil:
		return out, audited
	}
	out.Untold = e.announce(ctx)
	freezes, bypasses, revision, err := e.frozen(ctx, planned.Hash)
	out.Still = planned.Plan.Holds(known.Under(freezes, bypasses), revision, e.now()).List
	return out, err
}

// whose finds the run that is meant; one that has only a plan where that is meant.
func (e *Engine) whose(ctx context.Context, name string) (ledger.Run, error) {
	known, err := e.ledger.Run(ctx, name)
	switch {
	case err == nil && known.Back != "":
		return known, fault.New(fault.Refused, "run %s takes back %s: nothing holds it", known.Name, known.Back)
	case err == nil && !known.Ended.IsZero():
		return known, fault.New(fault.Refused, "run %s has ended as %s; name its plan where that is to pass: %.12s",
			known.Name, known.Phase, known.Plan)
	case fault.CodeOf(err) != fault.NotFound:
		return known, err
	}
	planned, missing := e.ledger.Plan(ctx, name)
	if fault.CodeOf(missing) == fault.NotFound {
		return ledger.Run{}, fault.New(fault.NotFound, "there is no run and no plan %s", name)
	}
	return ledger.Run{Plan: planned.Hash}, missing
}

// mayPass says why a bypass is not to be.
func (e *Engine) mayPass(ctx context.Context, run ledger.Run, planned *Planned, req BypassRequest) error {
	switch {
	case req.Reason == "":
		return fault.New(fault.Invalid, "it needs a reason")
	case identity.Invoker(req.By) != calendar.Person && req.By != "":
		return fault.New(fault.Refused, "it takes a second person, and %s is none", req.By)
	case identity.MaybeSame(req.By, run.By):
		return fault.New(fault.Refused, "it takes a second person: %s started the run", run.By)
	}
	if err := e.madeByOthers(ctx, planned.Stored, req.By); err != nil {
		return err
	}
	for _, first := range []string{planned.Stored.By, run.By} {
		if identity.Verified(req.By) && first != "" && !identity.Verified(first) {
			return fault.New(fault.Refused, "it takes two people who are known for sure, and nobody has proven who %s is; "+
				"plan again, and start it, by the server", first)
		}
	}
	if name, isPolicy := strings.CutPrefix(req.Of, ledger.PolicyPrefix); isPolicy {
		if _, err := e.keptOf(ctx, pipelines.KindPolicy, name); err != nil {
			return err
		}
		undercuts, err := e.undercuts(ctx, planned, run)
		if err == nil && !slices.ContainsFunc(undercuts, func(b policy.Broken) bool { return b.Policy == name }) {
			return fault.New(fault.Refused, "it does not hold this plan: nothing of the policy is undercut")
		}
		return err
	}
	f, err := e.ledger.Freeze(ctx, req.Of)
	now := e.now()
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return fault.New(fault.NotFound, "there is no such freeze or policy: write freeze-N or %sNAME", ledger.PolicyPrefix)
	case err != nil:
		return err
	case !f.Lifted.IsZero():
		at := f.Lifted.UTC().Format("2006-01-02 15:04:05 MST")
		return fault.New(fault.Conflict, "it was lifted %s by %s: it holds nothing", at, f.LiftedBy)
	case !f.Holds(now):
		return fault.New(fault.Conflict, "its time is over: it holds nothing")
	case !ledger.Bypassable(f):
		return fault.New(fault.Refused, "it is about the version itself, which was rolled back; whoever knows that it is good lifts it: "+
			"%s unfreeze %s --reason TEXT", e.options.Program, f.Name)
	case len(planned.Plan.Holds([]api.Freeze{f}, 0, now).List) == 0:
		return fault.New(fault.Refused, "it does not hold this plan: it is about %s", f.Scope)
	}
	return nil
}

// madeByOthers refuses whoever has made a plan, be it that others have made the same since: the plan is kept as the last one's, and a job
// may plan again what its author has planned.
func (e *Engine) madeByOthers(ctx context.Context, made ledger.Plan, by string) error {
	same := func(who string) bool { return identity.MaybeSame(by, who) }
	first, found, all := made.By, same(made.By), true
	if !found {
		var entry ledger.Entry
		var err error
		entry, found, all, err = e.findEntry(ctx, made.Hash, func(entry ledger.Entry) bool { return entry.Command == "plan" && same(entry.Who) })
		if err != nil {
			return err
		}
		first = entry.Who
	}
	switch {
	case found:
		return fault.New(fault.Refused, "it takes a second person: %s made the plan", first)
	case !all:
		return fault.New(fault.Refused, "it takes a second person, and more than %d entries of the audit are about the plan: "+
			"whether %s made it too, nobody can tell", maxEntries, by)
	}
	return nil
}

// frozen are the freezes that hold, who has let a plan pass which, and the revision of both.
func (e *Engine) frozen(ctx context.Context, plan string) ([]api.Freeze, []ledger.Bypass, int64, error) {
	freezes, revision, err := e.ledger.Frozen(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	bypasses, err := e.ledger.Bypasses(ctx, plan)
	return freezes, bypasses, revision, err
}

// passes are the bypasses by which a run goes on, or went on until it ended.
func (e *Engine) passes(ctx context.Context, run ledger.Run) ([]ledger.Bypass, error) {
	all, err := e.ledger.Bypasses(ctx, run.Plan)
	if err != nil || run.Back != "" {
		return nil, err
	}
	until := run.Ended
	if until.IsZero() {
		until = time.Unix(1<<40, 0)
	}
	var out []ledger.Bypass
	for _, b := range all {
		if by := run.Bypassing(b.Of, []ledger.Bypass{b}); by != nil && b.At.Before(until) {
			out = append(out, b)
		}
	}
	return out, nil
}
