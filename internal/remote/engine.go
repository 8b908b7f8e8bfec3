package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/report"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines/catalog"
)

// Engine is the engine of a server. What each method does, engine.Engine says; names of people that it is given are not sent: the server
// knows who asks.
type Engine struct {
	*Client
}

type keyed[Body any] = struct {
	wire.Key
	Body Body
}

// Plan makes a plan.
func (e *Engine) Plan(ctx context.Context, req engine.PlanRequest) (*engine.Planned, error) {
	planned, err := askOf(ctx, e, wire.MakePlan, req.Files, planBody(req))
	return &planned, err
}

// CatchUp plans what clusters have missed.
func (e *Engine) CatchUp(ctx context.Context, req engine.PlanRequest) (*engine.CatchUp, error) {
	made, err := askOf(ctx, e, wire.CatchUp, req.Files, planBody(req))
	return &made, err
}

func planBody(req engine.PlanRequest) func(wire.Sent) keyed[wire.PlanBody] {
	return func(sent wire.Sent) keyed[wire.PlanBody] {
		return keyed[wire.PlanBody]{Body: wire.PlanBody{
			Sent: sent, Why: wire.Why{Reason: req.Reason}, Component: req.Component, Version: req.Version, Pipeline: req.Pipeline,
			Params: req.Params, Only: req.Only, Exclude: req.Exclude,
		}}
	}
}

// LoadPlan returns a stored plan.
func (e *Engine) LoadPlan(ctx context.Context, hash string) (*engine.Planned, error) {
	return e.ShowPlan(ctx, hash)
}

// ShowPlan returns a stored plan for somebody who reads it.
func (e *Engine) ShowPlan(ctx context.Context, hash string) (*engine.Planned, error) {
	planned, err := ask(ctx, e.Client, wire.GetPlan, wire.ByHash{Hash: hash})
	if err != nil {
		return nil, err
	}
	return &planned, nil
}

// Plans lists stored plans.
func (e *Engine) Plans(ctx context.Context, component string, limit int) ([]engine.ListedPlan, error) {
	return list(ctx, e.Client, wire.ListPlans, limit, func(p wire.Paged) wire.PlansQuery {
		return wire.PlansQuery{Paged: p, OfComponent: wire.OfComponent{Component: component}}
	})
}

// Text returns a text that is kept under a digest.
func (e *Engine) Text(ctx context.Context, digest string) (string, error) {
	text, err := ask(ctx, e.Client, wire.GetText, wire.TextByDigest{Digest: digest})
	return text.Text, err
}

// Run starts a stored plan. What it is asked for by, where there is something, is the key of the request.
func (e *Engine) Run(ctx context.Context, req engine.RunRequest) (ledger.Run, error) {
	body := wire.RunBody{Why: wire.Why{Reason: req.Reason}, Plan: req.Plan, Anyway: req.Anyway}
	started, err := ask(ctx, e.Client, wire.StartRun, keyed[wire.RunBody]{Key: wire.Key{Key: req.Request}, Body: body})
	switch {
	case err != nil:
		return ledger.Run{}, err
	case started.Idle != nil:
		return ledger.Run{}, started.Idle
	case started.Run == nil:
		return ledger.Run{}, fault.New(fault.Internal, "server %s said neither which run has started nor why none has", e.URL())
	}
	return *started.Run, nil
}

// Runs lists runs.
func (e *Engine) Runs(ctx context.Context, q engine.RunsQuery) ([]engine.Listed, error) {
	in := wire.RunsQuery{
		OfComponent: wire.OfComponent{Component: q.Component}, After: q.After, Before: q.Before,
	}
	for _, p := range q.Phases {
		in.Phases = append(in.Phases, string(p))
	}
	return list(ctx, e.Client, wire.ListRuns, q.Limit, func(p wire.Paged) wire.RunsQuery {
		in.Paged = p
		return in
	})
}

// Status says where a run is.
func (e *Engine) Status(ctx context.Context, run string) (engine.View, error) {
	return ask(ctx, e.Client, wire.GetRun, wire.ByRun{Run: run})
}

// Why says why a run is where it is.
func (e *Engine) Why(ctx context.Context, run, about string) (engine.Explanation, error) {
	return ask(ctx, e.Client, wire.GetWhy, wire.About{ByRun: wire.ByRun{Run: run}, About: about})
}

// Blame lists what may have broken the units of a run.
func (e *Engine) Blame(ctx context.Context, view engine.View) ([]engine.Blame, error) {
	return ask(ctx, e.Client, wire.GetBlame, wire.ByRun{Run: view.Name})
}

// Report returns the facts of a report.
func (e *Engine) Report(ctx context.Context, run string) (report.Facts, error) {
	return ask(ctx, e.Client, wire.GetReport, wire.ByRun{Run: run})
}

// Scales says how much each cluster of a run has.
func (e *Engine) Scales(ctx context.Context, run string) (map[string]engine.Scale, error) {
	return ask(ctx, e.Client, wire.GetScales, wire.ByRun{Run: run})
}

// Soaks says how long a run soaks.
func (e *Engine) Soaks(ctx context.Context, run string) (map[string]engine.Soaks, error) {
	return ask(ctx, e.Client, wire.GetSoaks, wire.ByRun{Run: run})
}

// Page is where the Temporal UI shows a run.
func (e *Engine) Page(ctx context.Context, run string) string {
	page, err := ask(ctx, e.Client, wire.GetPage, wire.ByRun{Run: run})
	if err != nil {
		return ""
	}
	return page.Address
}

// Command tells a run something. Its ID, where it has one, is the key of the request.
func (e *Engine) Command(ctx context.Context, run, name string, c api.Command) (api.Answer, error) {
	return ask(ctx, e.Client, wire.TellRun, wire.Commanded{
		Key: wire.Key{Key: c.ID}, ByRun: wire.ByRun{Run: run}, Name: wire.CommandName(name),
		Body: wire.CommandBody{
			Why: wire.Why{Reason: c.Reason}, Scope: c.Scope, Plan: c.Plan, Abandon: c.Abandon, Failed: c.Failed, DryRun: c.DryRun,
		},
	})
}

// Settle ends a run that was taken back without Temporal.
func (e *Engine) Settle(ctx context.Context, run, _, reason string) (engine.Settled, error) {
	return ask(ctx, e.Client, wire.Settle, wire.Settling{ByRun: wire.ByRun{Run: run}, Body: wire.Why{Reason: reason}})
}

// Reconcile says which of Lease and ledger to trust.
func (e *Engine) Reconcile(ctx context.Context, req engine.ReconcileRequest) (api.Reconciled, error) {
	return ask(ctx, e.Client, wire.Reconcile, keyed[wire.ReconcileBody]{Body: wire.ReconcileBody{
		Why: wire.Why{Reason: req.Reason}, Component: req.Component, Cluster: req.Cluster, Trust: req.Trust,
	}})
}

// Freeze has things stand still.
func (e *Engine) Freeze(ctx context.Context, f api.Freeze) (engine.Frozen, error) {
	return ask(ctx, e.Client, wire.MakeFreeze, keyed[wire.FreezeBody]{Body: wire.FreezeBody{
		Why: wire.Why{Reason: f.Reason}, Scope: f.Scope, InFlight: f.InFlight, Until: f.Until,
	}})
}

// Unfreeze lifts a freeze.
func (e *Engine) Unfreeze(ctx context.Context, name, _, reason string) (engine.Frozen, error) {
	return ask(ctx, e.Client, wire.LiftFreeze, wire.Lifting{Name: name, Body: wire.Why{Reason: reason}})
}

// Freezes lists freezes.
func (e *Engine) Freezes(ctx context.Context, lifted bool, limit int) ([]engine.KnownFreeze, error) {
	return list(ctx, e.Client, wire.ListFreezes, limit, func(p wire.Paged) wire.FreezesQuery {
		return wire.FreezesQuery{Paged: p, Lifted: lifted}
	})
}

// Bypass lets a plan pass what holds it.
func (e *Engine) Bypass(ctx context.Context, req engine.BypassRequest) (engine.LetPass, error) {
	return ask(ctx, e.Client, wire.Bypass, keyed[wire.BypassBody]{Body: wire.BypassBody{
		Why: wire.Why{Reason: req.Reason}, Of: req.Of, For: req.For,
	}})
}

// Permits lists permits.
func (e *Engine) Permits(ctx context.Context) ([]permit.Permit, error) {
	return ask(ctx, e.Client, wire.ListPermits, wire.None{})
}

// LetIn lets a cluster change that waits for a limit.
func (e *Engine) LetIn(ctx context.Context, run, cluster, _, reason string) (permit.Permit, error) {
	return ask(ctx, e.Client, wire.LetIn, keyed[wire.LetInBody]{Body: wire.LetInBody{
		Why: wire.Why{Reason: reason}, Run: run, Cluster: cluster,
	}})
}

// Apply keeps documents for the whole installation.
func (e *Engine) Apply(ctx context.Context, req engine.ApplyRequest) ([]engine.Applied, error) {
	return askOf(ctx, e, wire.Apply, req.Files, func(sent wire.Sent) keyed[wire.ApplyBody] {
		return keyed[wire.ApplyBody]{Body: wire.ApplyBody{Sent: sent, Why: wire.Why{Reason: req.Reason}}}
	})
}

// Delete has a document no longer be kept.
func (e *Engine) Delete(ctx context.Context, kind, name, _, reason string) (ledger.Kept, error) {
	return ask(ctx, e.Client, wire.Delete, wire.Deleting{Kind: kind, Name: name, Why: reason})
}

// Kept lists documents that are kept.
func (e *Engine) Kept(ctx context.Context, kind string) ([]ledger.Kept, error) {
	return ask(ctx, e.Client, wire.ListKept, wire.ByKind{Kind: kind})
}

// Sources lists sources.
func (e *Engine) Sources(ctx context.Context) ([]engine.KeptSource, error) {
	return ask(ctx, e.Client, wire.ListSources, wire.None{})
}

// SyncSource has a source be looked at.
func (e *Engine) SyncSource(ctx context.Context, req engine.SyncRequest) (engine.Synced, error) {
	return ask(ctx, e.Client, wire.SyncSource, wire.Syncing{
		Source: req.Source, Body: wire.SyncBody{Accept: req.Accept, Why: wire.Why{Reason: req.Reason}},
	})
}

// StartDrill keeps a drill.
func (e *Engine) StartDrill(ctx context.Context, req engine.DrillRequest) (engine.KeptDrill, error) {
	return askOf(ctx, e, wire.StartDrill, req.Files, func(sent wire.Sent) wire.Drilling[wire.DrillBody] {
		return wire.Drilling[wire.DrillBody]{Drill: req.Name, Body: wire.DrillBody{Sent: sent, Why: wire.Why{Reason: req.Reason}}}
	})
}

// StopDrill has a drill run no more.
func (e *Engine) StopDrill(ctx context.Context, req engine.DrillRequest) (bool, error) {
	stopped, err := ask(ctx, e.Client, wire.StopDrill, wire.Drilling[wire.Why]{Drill: req.Name, Body: wire.Why{Reason: req.Reason}})
	return stopped.Was, err
}

// drillLook is how often a drill is asked about that somebody waits for.
const drillLook = 2 * time.Second

// RunDrill runs a drill now, and waits for its end where that is asked for.
func (e *Engine) RunDrill(ctx context.Context, req engine.DrillRequest, wait bool) (api.Drilled, error) {
	begun, err := ask(ctx, e.Client, wire.RunDrill, wire.Drilling[wire.DrillNow]{
		Drill: req.Name, Body: wire.DrillNow{Why: wire.Why{Reason: req.Reason}},
	})
	for err == nil && wait && begun.Ended.IsZero() {
		select {
		case <-ctx.Done():
			return begun, ctx.Err()
		case <-e.options.Clock.After(drillLook):
		}
		var all []api.Drilled
		all, err = e.Drilled(ctx, req.Name, 100)
		for _, d := range all {
			if d.ID == begun.ID {
				begun = d
			}
		}
	}
	return begun, err
}

// Drills lists drills.
func (e *Engine) Drills(ctx context.Context) ([]engine.KeptDrill, error) {
	return ask(ctx, e.Client, wire.ListDrills, wire.None{})
}

// Drilled lists what came of a drill; of all of them where it has no name.
func (e *Engine) Drilled(ctx context.Context, name string, limit int) ([]api.Drilled, error) {
	return list(ctx, e.Client, wire.ListDrilled, limit, func(p wire.Paged) wire.DrilledQuery {
		return wire.DrilledQuery{Paged: p, Drill: name}
	})
}

// Audit lists who did what.
func (e *Engine) Audit(ctx context.Context, object string, limit int) ([]ledger.Entry, error) {
	return list(ctx, e.Client, wire.ListAudit, limit, func(p wire.Paged) wire.AuditQuery {
		return wire.AuditQuery{Paged: p, Object: object}
	})
}

// Changes lists what has changed in a cluster or on a node.
func (e *Engine) Changes(ctx context.Context, name string, since time.Time) (engine.Changes, error) {
	return ask(ctx, e.Client, wire.ListChanges, wire.ChangesQuery{Name: name, Since: since})
}

// Clusters lists what runs where.
func (e *Engine) Clusters(ctx context.Context, component string) ([]engine.Cluster, error) {
	return ask(ctx, e.Client, wire.ListClusters, wire.OfComponent{Component: component})
}

// Workers lists the workers.
func (e *Engine) Workers(ctx context.Context) ([]engine.Worker, error) {
	return ask(ctx, e.Client, wire.ListWorkers, wire.None{})
}

// Notices lists what receivers were told.
func (e *Engine) Notices(ctx context.Context, receiver string, limit int) ([]ledger.Notice, error) {
	return list(ctx, e.Client, wire.ListNotices, limit, func(p wire.Paged) wire.NoticesQuery {
		return wire.NoticesQuery{Paged: p, Receiver: receiver}
	})
}

// Catalog lists what is ready-made at the server, with its texts.
func (e *Engine) Catalog(ctx context.Context) ([]catalog.Entry, error) {
	return ask(ctx, e.Client, wire.ListCatalog, wire.None{})
}

// Greet says what the server is.
func (e *Engine) Greet(ctx context.Context) (wire.Greeting, error) {
	return ask(ctx, e.Client, wire.Greet, wire.None{})
}

// Whoami says who the server takes the caller for.
func (e *Engine) Whoami(ctx context.Context) (wire.Caller, error) {
	return ask(ctx, e.Client, wire.Whoami, wire.None{})
}

// Logins lists where people may log in.
func (e *Engine) Logins(ctx context.Context) ([]wire.LoginAt, error) {
	return ask(ctx, e.Client, wire.GetLogins, wire.None{})
}

// MakeToken makes a token for a service. It is not asked for twice: where nobody answered, look at the list.
func (e *Engine) MakeToken(ctx context.Context, name string, expires time.Time) (wire.MadeToken, error) {
	return ask(ctx, e.Client, wire.MakeToken, struct{ Body wire.TokenBody }{wire.TokenBody{Name: name, Expires: expires}})
}

// Tokens lists the tokens of services.
func (e *Engine) Tokens(ctx context.Context) ([]ledger.Token, error) {
	return ask(ctx, e.Client, wire.ListTokens, wire.None{})
}

// RevokeToken has a token no longer be taken.
func (e *Engine) RevokeToken(ctx context.Context, id, reason string) (ledger.Token, error) {
	return ask(ctx, e.Client, wire.RevokeToken, wire.Revoking{ID: id, Body: wire.Why{Reason: reason}})
}

// InviteAgent invites an agent of a cluster's site. It is not asked for twice: each invitation is another one.
func (e *Engine) InviteAgent(ctx context.Context, cluster, agent string, expires time.Time) (wire.Invited, error) {
	body := wire.EnrollBody{Cluster: cluster, Agent: agent, Expires: expires}
	return ask(ctx, e.Client, wire.EnrollAgent, struct{ Body wire.EnrollBody }{body})
}

// Agents lists the agents, and whether they are there.
func (e *Engine) Agents(ctx context.Context) ([]engine.Agent, error) {
	return ask(ctx, e.Client, wire.ListAgents, wire.None{})
}

// RevokeAgent has an agent no longer be let in.
func (e *Engine) RevokeAgent(ctx context.Context, agent, _, reason string) (ledger.Agent, error) {
	return ask(ctx, e.Client, wire.RevokeAgent, wire.RevokingAgent{Agent: agent, Body: wire.Why{Reason: reason}})
}

// Probes lists what is known of cases.
func (e *Engine) Probes(ctx context.Context, q engine.ProbesQuery) ([]engine.KnownProbe, error) {
	all, err := listMost(ctx, e.Client, wire.ListProbes, q.Most(), func(p wire.Paged) wire.ProbesQuery {
		return wire.ProbesQuery{Paged: p, Cluster: q.Cluster, Case: q.Case, Failing: q.Failing, AtTarget: wire.TargetOf(q.Target)}
	})
	if err != nil {
		return nil, err
	}
	return q.Listed(all)
}

// ProbeOutcomes lists what runs of probes came to.
func (e *Engine) ProbeOutcomes(ctx context.Context, q engine.ProbesQuery, limit int) ([]ledger.ProbeOutcome, error) {
	return list(ctx, e.Client, wire.ListProbeOutcomes, limit, func(p wire.Paged) wire.ProbesQuery {
		return wire.ProbesQuery{Paged: p, Cluster: q.Cluster, Case: q.Case, Failing: q.Failing, AtTarget: wire.TargetOf(q.Target)}
	})
}

// ExplainProbe says why a case is as it is in a cluster.
func (e *Engine) ExplainProbe(ctx context.Context, q engine.ProbesQuery) (engine.ProbeExplanation, error) {
	return ask(ctx, e.Client, wire.ExplainProbe, wire.ProbeAsked{Case: q.Case, Cluster: q.Cluster, AtTarget: wire.TargetOf(q.Target)})
}

// CompareProbes holds what a case observed in clusters against each other.
func (e *Engine) CompareProbes(ctx context.Context, req engine.CompareRequest) (engine.Compared, error) {
	return ask(ctx, e.Client, wire.CompareProbes, wire.CompareQuery{Case: req.Case, Rule: req.Rule})
}

// ProbeNoise says how noisy cases were.
func (e *Engine) ProbeNoise(ctx context.Context, probeCase string, weeks int) ([]ledger.ProbeNoise, error) {
	return ask(ctx, e.Client, wire.ListProbeNoise, wire.NoiseQuery{Case: probeCase, Weeks: weeks})
}

// LabelProbe says of a run that failed whether something was wrong.
func (e *Engine) LabelProbe(ctx context.Context, req engine.LabelRequest) (ledger.ProbeOutcome, error) {
	body := wire.LabelBody{FalsePositive: req.FalsePositive, Because: req.Because, Cluster: req.Cluster}
	return ask(ctx, e.Client, wire.LabelProbe, wire.Labelling{Run: req.Run, Body: body})
}

// CanI says whether the caller may do something.
func (e *Engine) CanI(ctx context.Context, in wire.Whether) (access.Explanation, error) {
	return ask(ctx, e.Client, wire.CanI, in)
}

// Watch hears of a run each time that it changes, until it ends or ctx does. Where the server goes away hear is told why, and Watch comes
// again: it does not hear what it has heard.
func (e *Engine) Watch(ctx context.Context, run string, hear func(engine.View, error)) error {
	last := ""
	for attempt := 0; ; {
		seen := last
		err := e.watch(ctx, run, &last, hear)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if errors.Is(err, errAgain) {
			continue
		}
		var gone *away
		if !errors.As(err, &gone) {
			return err
		}
		hear(engine.View{}, err)
		if attempt++; last != seen {
			attempt = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.options.Clock.After(min(time.Duration(attempt+1)*time.Second, 10*time.Second)):
		}
	}
}

func (e *Engine) watch(ctx context.Context, run string, last *string, hear func(engine.View, error)) error {
	sent, err := encode(&wire.Watching{ByRun: wire.ByRun{Run: run}, Last: *last})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot watch %s", run)
	}
	response, err := e.send(ctx, wire.Watch.Method, wire.Prefix+sent.path(wire.Watch.Path), sent)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	err = events(response.Body, func(v engine.View, id string) {
		*last = id
		hear(v, nil)
	})
	if errors.Is(err, errAgain) {
		return err
	}
	if err != nil {
		return e.away(ctx, fmt.Errorf("cannot go on watching %s: %w", run, err))
	}
	return nil
}
