package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/origin"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/visible"
)

// RunRequest starts a plan, named by its hash or a prefix of it.
type RunRequest struct {
	Plan   string
	By     string
	Reason string
	Anyway bool // start a plan that changes nothing too
	// Request is that the plan was asked to be started by, where whoever asks may ask again: it has one run.
	Request string
	// May says why who asks may not start this plan, as its clusters were seen; nil: he may.
	May func(*plan.Plan, *plan.Live) error
}

// NothingToDo is why a plan was not started: it would change nothing, in any cluster or in the ledger.
type NothingToDo struct {
	Plan    string // hash
	Message string
}

// Error returns the message.
func (n *NothingToDo) Error() string { return n.Message }

// Run starts a stored plan and returns its run. It refuses a plan that has refusals (fault.Refused or fault.Invalid, as
// Planned.Refused says). It is fault.Refused where it goes past stages for no reason, where another run moves the same
// clusters, and where what is deployed there has changed since the plan was made: then its way back is no longer what
// people read, and where a freeze holds all of it. A plan that would change nothing is a *NothingToDo, unless the request says Anyway.
func (e *Engine) Run(ctx context.Context, req RunRequest) (ledger.Run, error) {
	req.By = e.named(req.By)
	planned, err := e.LoadPlan(ctx, req.Plan)
	if err != nil {
		return ledger.Run{}, err
	}
	if req.May != nil {
		if err := req.May(planned.Plan, planned.Live); err != nil {
			return ledger.Run{}, err
		}
	}
	if run, begun, err := e.begunBefore(ctx, planned, req); err != nil || begun {
		return run, err
	}
	run := ledger.Run{
		Request: req.Request, Live: planned.Stored.Live,
		Plan: planned.Hash, Subject: planned.Plan.Subject, Version: planned.Plan.Version,
		Phase: string(api.PhasePending), Started: e.now(), By: req.By, Reason: req.Reason,
	}
	started, err := e.tryRun(ctx, planned, run, req.Anyway)
	if code := fault.CodeOf(err); err != nil && (code == fault.Refused || code == fault.Conflict) {
		// Whoever was asked at the same moment may have been quicker.
		if run, begun, failed := e.begunBefore(ctx, planned, req); failed == nil && begun {
			return run, nil
		}
	}
	var idle *NothingToDo
	if errors.As(err, &idle) {
		entry := ledger.Entry{Who: req.By, Command: "run", Object: planned.Hash, Reason: req.Reason, Outcome: idle.Message}
		if err := e.audit(ctx, entry); err != nil {
			return ledger.Run{}, err
		}
		return ledger.Run{}, idle
	}
	if err != nil {
		err = fault.Wrap(fault.CodeOf(err), err, "cannot start plan %.12s", planned.Hash)
	}
	object, outcome := planned.Hash, "accepted"
	if started.Name != "" {
		object = started.Name
	}
	if err != nil {
		outcome = ledger.Refused + err.Error()
	}
	var unwritten error
	if err == nil {
		unwritten = e.auditBypasses(ctx, planned.Plan, started)
	}
	return started, errors.Join(err, unwritten, e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "run", Object: object, Reason: req.Reason, Outcome: outcome,
	}))
}

// begunBefore is the run that a request has. Where whoever began it was killed before its workflow was started, that is done now, if it
// may be started still.
func (e *Engine) begunBefore(ctx context.Context, planned *Planned, req RunRequest) (ledger.Run, bool, error) {
	if req.Request == "" {
		return ledger.Run{}, false, nil
	}
	run, err := e.ledger.RunOfRequest(ctx, req.Request)
	switch {
	case fault.CodeOf(err) == fault.NotFound || err == nil && run.Phase == string(api.PhaseFailed) && run.Report == "":
		return ledger.Run{}, false, nil // it came to nothing
	case err != nil || !run.Ended.IsZero():
		return run, err == nil, err
	}
	open, _, err := e.openPhase(ctx, run.Name)
	if err != nil || open {
		return run, err == nil, err
	}
	holds, err := e.startable(ctx, planned, run, req.Anyway)
	if err != nil {
		if open, _, failed := e.openPhase(ctx, run.Name); failed == nil && open {
			return run, true, nil // what stands in its way is itself
		}
		return ledger.Run{}, false, fault.Wrap(fault.CodeOf(err), err, "cannot start %s, which has a name and has not begun", run.Name)
	}
	server, queue, err := e.serverAndQueue(ctx)
	if err != nil {
		return ledger.Run{}, false, err
	}
	in := api.RolloutInput{Run: run.Name, Plan: planned.Hash, By: run.By, Reason: run.Reason, Holds: holds}
	err = e.execute(ctx, server, queue, planned, run, in)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if err != nil && !errors.As(err, &started) {
		return ledger.Run{}, false, e.notStarted(err, server, run.Name)
	}
	return run, true, nil
}

func (e *Engine) serverAndQueue(ctx context.Context) (*Server, string, error) {
	server, err := e.Server(ctx)
	if err != nil {
		return nil, "", err
	}
	queue, err := e.queue(ctx)
	return server, queue, err
}

func (e *Engine) tryRun(ctx context.Context, planned *Planned, run ledger.Run, anyway bool) (ledger.Run, error) {
	holds, err := e.startable(ctx, planned, run, anyway)
	if err != nil {
		return ledger.Run{}, err
	}
	return e.start(ctx, planned, run, api.RolloutInput{Plan: planned.Hash, By: run.By, Reason: run.Reason, Holds: holds})
}

// startable is why a run may not be started now, else the freezes that hold parts of it.
func (e *Engine) startable(ctx context.Context, planned *Planned, run ledger.Run, anyway bool) (api.Holds, error) {
	if err := planned.Refused(); err != nil {
		return api.Holds{}, err
	}
	if err := e.judge(ctx, planned, run); err != nil {
		return api.Holds{}, err
	}
	if err := e.refusedByPolicy(planned); err != nil {
		return api.Holds{}, err
	}
	if err := e.placed(ctx, planned.Plan); err != nil {
		return api.Holds{}, err
	}
	if planned.Live == nil {
		return api.Holds{}, fault.New(fault.Refused, "nobody has seen what it would change: its look at the clusters did not end; plan again")
	}
	back, err := e.waysBack(ctx, run.Subject)
	if err != nil {
		return api.Holds{}, err
	}
	if idle := planned.idle(back); idle != nil && !anyway {
		return api.Holds{}, idle
	}
	if changed := planned.stale(back); len(changed) > 0 {
		return api.Holds{}, fault.New(fault.Refused, "what runs in %s has changed since it was made; plan again", few(changed))
	}
	if err := e.bypassed(ctx, planned.Plan, run.Reason); err != nil {
		return api.Holds{}, err
	}
	if short := short(planned.Plan, run.By); short != "" {
		return api.Holds{}, fault.New(fault.Refused, "%s", short)
	}
	units := planned.Plan.AllUnits()
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.Cluster
	}
	if err := e.alone(ctx, run.Subject, names); err != nil {
		return api.Holds{}, err
	}
	if err := e.remembered(ctx, run.Subject); err != nil {
		return api.Holds{}, err
	}
	return e.thawed(ctx, run, planned.Plan)
}

// stale lists the clusters in which something else is deployed now than the way back that the plan fixed.
func (p *Planned) stale(now map[string]plan.WayBack) []string {
	var changed []string
	for _, u := range p.Plan.AllUnits() {
		if now[u.Cluster] != u.WayBack {
			changed = append(changed, fmt.Sprintf("%s (%s then, %s now)", u.Cluster, runs(u.WayBack), runs(now[u.Cluster])))
		}
	}
	return changed
}

// idle says why there is nothing to do, or nil: every cluster has on record what the plan would bring, and either nobody
// has seen a difference there, or the plan itself was run since.
func (p *Planned) idle(now map[string]plan.WayBack) *NothingToDo {
	units := p.Plan.AllUnits()
	by := ""
	for _, u := range units {
		if now[u.Cluster].Target != u.Target || now[u.Cluster].Version != p.Plan.Version {
			return nil
		}
		by = now[u.Cluster].Run
	}
	has := fmt.Sprintf("%s %s is on record in %s", p.Plan.Subject, p.Plan.Version, each(len(units)))
	if len(p.stale(now)) == 0 {
		if p.Counts.Unchanged < len(units) {
			return nil // there is drift to be put right, or a cluster that nobody could look at
		}
		return &NothingToDo{p.Hash, fmt.Sprintf("nothing to do for plan %.12s: %s, and nothing there differs from it; "+
			"start it all the same with --anyway", p.Hash, has)}
	}
	return &NothingToDo{p.Hash, fmt.Sprintf("nothing to do for plan %.12s: it was run, by %s, and %s; "+
		"to look at the clusters again, plan again", p.Hash, by, has)}
}

// each is all of some clusters, in words.
func each(n int) string {
	if n == 1 {
		return "its cluster"
	}
	return fmt.Sprintf("each of its %d clusters", n)
}

func runs(w plan.WayBack) string {
	if !w.Exists() {
		return "nothing"
	}
	return w.Version + " by " + w.Run
}

// few lists at most five of many.
func few(all []string) string { return clip.Few(all, 5) }

// isOpen reports whether Temporal is still executing a run.
func (e *Engine) isOpen(ctx context.Context, run string) (bool, error) {
	open, _, err := e.openPhase(ctx, run)
	return open, err
}

// openPhase reports whether Temporal is still executing a run, and where that is, as its search attribute says.
func (e *Engine) openPhase(ctx context.Context, run string) (bool, api.Phase, error) {
	server, err := e.Server(ctx)
	if err != nil {
		return false, "", err
	}
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, run, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, "", nil
	}
	if err != nil {
		return false, "", e.temporalFault(err, "cannot look at run %s", run)
	}
	var now api.RunStatus
	addAttributes(&now, described.GetWorkflowExecutionInfo())
	return described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, now.Phase, nil
}

// nameAttempts is how many names a run is tried under that somebody else takes at the same moment.
const nameAttempts = 3

// start names a run in the ledger and starts its workflow under that name.
func (e *Engine) start(ctx context.Context, planned *Planned, run ledger.Run, in api.RolloutInput) (ledger.Run, error) {
	server, queue, err := e.serverAndQueue(ctx)
	if err != nil {
		return ledger.Run{}, err
	}
	for attempt := 1; ; attempt++ {
		floor, err := e.namesTaken(ctx, server, run.Subject)
		if err != nil {
			return ledger.Run{}, err
		}
		run, err = e.ledger.NewRunAbove(ctx, run, floor)
		if err != nil {
			return ledger.Run{}, err
		}
		in.Run = run.Name
		err = e.execute(ctx, server, queue, planned, run, in)
		if err == nil {
			return run, nil
		}
		var taken *serviceerror.WorkflowExecutionAlreadyStarted
		isTaken := errors.As(err, &taken)
		if isTaken && e.startedForUs(ctx, server, run) {
			return run, nil
		}
		if failed := e.notStarted(err, server, run.Name); run.Request != "" && fault.CodeOf(failed) == fault.Unreachable {
			open, err := e.begun(ctx, run.Name)
			if open {
				return run, nil
			}
			if err != nil {
				return ledger.Run{}, failed // nobody knows whether it has begun: who asks again finds it under its name
			}
		}
		// Nothing has begun: the name must not look open for ever. Where even that cannot be noted, the missing workflow
		// says the same.
		failed := run
		failed.Phase, failed.Ended = string(api.PhaseFailed), e.now()
		_ = e.ledger.SaveRun(context.WithoutCancel(ctx), failed)
		if !isTaken || attempt == nameAttempts {
			return ledger.Run{}, e.notStarted(err, server, run.Name)
		}
	}
}

// execute starts the workflow of a run that has a name.
func (e *Engine) execute(ctx context.Context, server *Server, queue string, planned *Planned, run ledger.Run, in api.RolloutInput) error {
	_, err := server.Temporal.ExecuteWorkflow(ctx, startOptions(queue, planned, run), api.RolloutName, in)
	if err == nil {
		// Where this is lost the run hears once more what it knows.
		_ = e.ledger.Told(ctx, run.Name, ledger.Heard{Revision: in.Holds.Revision, Held: len(in.Holds.List) > 0})
	}
	return err
}

// begun reports whether a run's workflow is there, though whoever started it had no answer.
func (e *Engine) begun(ctx context.Context, run string) (bool, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), e.options.Query)
	defer stop()
	return e.isOpen(ctx, run)
}

// startedForUs reports whether the workflow that has a run's name was started for the same request, by whoever was asked at the same
// moment. Another ledger's of that name has another plan.
func (e *Engine) startedForUs(ctx context.Context, server *Server, run ledger.Run) bool {
	if run.Request == "" {
		return false
	}
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, run.Name, "")
	var hash string
	visible.Attribute(described.GetWorkflowExecutionInfo(), api.AttributePlanHash, &hash)
	return err == nil && hash == run.Plan
}

// notStarted says why Temporal has not started a run.
func (e *Engine) notStarted(err error, server *Server, run string) error {
	var argument *serviceerror.InvalidArgument
	if errors.As(err, &argument) && strings.Contains(err.Error(), "search attribute") {
		return fault.Wrap(fault.Refused, err,
			"namespace %s at %s has not the search attributes of Sluice, which a worker adds when it starts", server.Namespace, server.Address)
	}
	return e.temporalFault(err, "cannot start workflow %s at %s", run, server.Address)
}

// mostTaken is how many names in a row may be somebody else's.
const mostTaken = 1000

// namesTaken is the number up to which names of a component's runs are taken, in the ledger or in Temporal. A ledger that was restored
// from a backup has forgotten names under which workflows are open still, and would take their ends for those of other runs; another
// ledger in the same namespace never knew them.
func (e *Engine) namesTaken(ctx context.Context, server *Server, subject api.Subject) (int64, error) {
	last, err := e.lastNumber(ctx, subject)
	if err != nil {
		return 0, err
	}
	for range mostTaken {
		name := ledger.RunName(subject, last+1)
		_, err := server.Temporal.DescribeWorkflowExecution(ctx, name, "")
		var missing *serviceerror.NotFound
		if errors.As(err, &missing) {
			return last, nil
		}
		if err != nil {
			return 0, e.temporalFault(err, "cannot see whether %s is free at %s", name, server.Address)
		}
		last++
	}
	return 0, fault.New(fault.Conflict, "namespace %s at %s knows %s and %d names before it that the ledger does not: it is another ledger's",
		server.Namespace, server.Address, ledger.RunName(subject, last), mostTaken-1)
}

// lastNumber is that of a component's newest run; 0 where it has none.
func (e *Engine) lastNumber(ctx context.Context, subject api.Subject) (int64, error) {
	newest, err := e.ledger.ListRuns(ctx, subject, 1)
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Number(), nil
}

func startOptions(queue string, planned *Planned, run ledger.Run) client.StartWorkflowOptions {
	keyword := func(name, value string) temporal.SearchAttributeUpdate {
		return temporal.NewSearchAttributeKeyKeyword(name).ValueSet(value)
	}
	summary := fmt.Sprintf("%s %s by %s", run.Subject, run.Version, planned.Plan.Pipeline)
	if run.Back != "" {
		summary = fmt.Sprintf("take back %s: %s %s", run.Back, run.Subject, run.Version)
	}
	return client.StartWorkflowOptions{
		ID:                       run.Name,
		TaskQueue:                queue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		// Without this the SDK would hand back an existing execution as if it were ours.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            summary,
		StaticDetails:                            startDetails(planned, run),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			keyword(api.AttributeComponent, run.Subject.String()), keyword(api.AttributeVersion, run.Version),
			keyword(api.AttributePipeline, planned.Plan.Pipeline), keyword(api.AttributePlanHash, run.Plan), keyword(api.AttributePhase, run.Phase),
		),
	}
}

// startDetails are what the Temporal UI shows beside a run for good: what it is, and where it comes from.
func startDetails(planned *Planned, run ledger.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Plan `%s`\n\n", run.Plan)
	if from := origin.Text(planned.Stored.Origin); from != "" {
		fmt.Fprintf(&b, "From %s\n\n", from)
	}
	fmt.Fprintf(&b, "Started by **%s**", run.By)
	if run.Reason != "" {
		fmt.Fprintf(&b, ": %s", run.Reason)
	}
	for _, bypass := range planned.Plan.Bypasses {
		fmt.Fprintf(&b, "\n\nBypass: %s", bypass.Text(planned.Plan.Version))
	}
	if reason := planned.Plan.BypassReason(); reason != "" && reason != run.Reason {
		fmt.Fprintf(&b, "\n\nBypassed because: %s", reason)
	}
	b.WriteString("\n\n| stage | clusters | at once | failures borne |\n|---|---|---|---|\n")
	for i := range planned.Plan.Stages {
		s := &planned.Plan.Stages[i]
		if s.Skipped != "" {
			fmt.Fprintf(&b, "| %s | skipped: it %s | | |\n", s.Name, s.Skipped)
			continue
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %d |\n", s.Name, s.Units(), s.Rules.MaxConcurrency, s.MaxFailures)
	}
	return b.String()
}

// short says which stage of a plan nobody could approve, were it started by somebody; "" where each can be.
func short(p *plan.Plan, starter string) string {
	for i := range p.Stages {
		if no := p.Stages[i].Short(starter); no != "" && p.Stages[i].Units() > 0 {
			return no
		}
	}
	return ""
}
