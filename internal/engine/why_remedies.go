package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
)

// remedies says of reasons what ends them: by itself, or by which commands.
type remedies struct {
	program  string // how the command line is called, with its flags
	view     View
	planned  *Planned          // nil where the plan cannot be read
	contexts map[string]string // kubeconfig context by cluster
	overtook string            // the run that has taken this one back without Temporal; "" where none has
}

func (e *Engine) remedies(ctx context.Context, view View) remedies {
	r := remedies{program: e.options.Program, view: view, contexts: map[string]string{}}
	if by, err := e.ledger.Overtaken(ctx, view.Name); err == nil {
		r.overtook = by.Name
	}
	planned, err := e.LoadPlan(ctx, view.Plan)
	if err != nil {
		return r
	}
	r.planned = planned
	for _, s := range planned.Plan.Stages {
		for _, g := range s.Groups {
			for _, u := range g.Units {
				r.contexts[u.Cluster] = u.Context
			}
		}
	}
	return r
}

// add completes a reason. U is the unit that it is about, nil for a run or a stage.
func (r remedies) add(why *Reason, u *api.UnitStatus) {
	if r.view.Phase.Final() {
		return
	}
	var kind api.WaitKind
	if why.Waiting != nil {
		kind = why.Waiting.Kind
	}
	switch kind {
	case api.WaitCluster:
		why.ByItself = "as soon as the cluster answers and does what it is asked to; nobody has to resume it"
		if r.aborted() {
			why.ByItself = "owed: it is disarmed as soon as the cluster answers, and the run ends then"
		}
	case api.WaitLock:
		why.ByItself = "as soon as the run that holds it has ended"
	case api.WaitPermit:
		why.ByItself = "as soon as that unit is well again, has ended, was taken back or skipped"
	case api.WaitWorker:
		why.ByItself = "as soon as a worker is there"
	case api.WaitTurn:
		why.ByItself = "as soon as what goes before it has ended"
	case api.WaitTasks:
		why.ByItself = "as soon as they have ended; how far each is, sluice get and get taskrun say"
	case api.WaitRetry:
		why.ByItself = "it is tried again and again"
	}
	if r.overtook != "" && kind != api.WaitWorker {
		why.ByItself = "never: " + r.tookBack()
	}
	why.Commands = r.commands(why, u, kind)
	for i, c := range why.Commands {
		if rest, ours := strings.CutPrefix(c, "sluice "); ours {
			why.Commands[i] = r.program + " " + rest
		}
	}
}

// next is what changes next, unless nothing does any more.
func (r remedies) next(n *Next) *Next {
	if r.overtook == "" || r.view.Phase.Final() {
		return n
	}
	return &Next{What: r.tookBack(), Needs: "somebody reconciles it"}
}

func (r remedies) tookBack() string { return r.overtook + " has taken it back without Temporal" }

// commands are what would help, ready to paste: first what looks, then what acts.
func (r remedies) commands(why *Reason, u *api.UnitStatus, kind api.WaitKind) []string {
	run := r.view.Name
	if r.overtook != "" && kind != api.WaitWorker {
		return []string{"sluice get " + r.overtook, fmt.Sprintf("sluice reconcile %s --reason TEXT", run)}
	}
	switch kind {
	case api.WaitWorker:
		return []string{"sluice worker"}
	case api.WaitApproval:
		return []string{
			fmt.Sprintf("sluice get %.12s", r.view.Plan), fmt.Sprintf("sluice approve %s --plan %.12s", run, r.view.Plan),
			fmt.Sprintf("sluice reject %s --reason TEXT", run),
		}
	case api.WaitPerson:
		return []string{"sluice resume " + run}
	case api.WaitFreeze:
		lift := fmt.Sprintf("sluice unfreeze %s --reason TEXT", why.Waiting.Name)
		pass := fmt.Sprintf("sluice bypass %s %s --reason TEXT", why.Waiting.Name, run)
		return []string{"sluice get freezes", lift, pass, "sluice rollback " + run, "sluice abort " + run}
	case api.WaitCluster:
		if r.aborted() {
			return []string{r.kubectl(u, "get --raw /readyz"), "sluice abort " + run}
		}
		return append([]string{r.kubectl(u, "get --raw /readyz")}, r.skip(u)...)
	case api.WaitLock:
		if why.Holder == "" {
			return nil
		}
		return []string{"sluice why " + why.Holder}
	case api.WaitPermit:
		in := []string{fmt.Sprintf("sluice why %s", why.Waiting.Name), "sluice get permits"}
		if u != nil {
			in = append(in, fmt.Sprintf("sluice let-in %s %s --reason TEXT", run, u.Cluster))
		}
		return append(in, r.skip(u)...)
	case api.WaitTasks:
		return []string{"sluice get " + run, "sluice abort " + run}
	case api.WaitSoak, api.WaitTurn, api.WaitRetry:
		return nil
	}
	var out []string
	if u != nil {
		out = append(out, r.looks(why, u)...)
	}
	switch {
	case u != nil && u.Phase == api.PhaseRefused && u.Failure != nil && u.Failure.At == atPermit:
		out = append(out, "sluice get permits", fmt.Sprintf("sluice let-in %s %s --reason TEXT", run, u.Cluster), "sluice resume "+run)
		return append(append(out, r.skip(u)...), "sluice abort "+run)
	case u != nil && u.Phase == api.PhaseRefused:
		return append(out, fmt.Sprintf("sluice plan %s --to %s", r.view.Subject, r.view.Version), "sluice resume "+run, "sluice abort "+run)
	case u != nil && u.Phase.Stands():
		out = append(out, "sluice resume "+run, fmt.Sprintf("sluice rollback %s --cluster %s", run, u.Cluster))
		if u.Last != nil && u.Last.Back == nil {
			out = append(out, fmt.Sprintf("sluice rollback %s --cluster %s --batch --reason TEXT", run, u.Cluster))
		}
		return append(append(out, r.skip(u)...), "sluice abort "+run)
	case kind == api.WaitDecision || kind == api.WaitCheck:
		return append(out, "sluice resume "+run, "sluice rollback "+run, "sluice abort "+run)
	case kind == api.WaitBudget:
		return append(out, "sluice rollback "+run, "sluice abort "+run)
	}
	return out
}

// aborted reports whether the run is being aborted: what is out of reach is owed. A second abort gives that up.
func (r remedies) aborted() bool { return r.view.Ending != nil && r.view.Phase != api.PhaseRollingBack }

// skip is the command that goes on without a unit.
func (r remedies) skip(u *api.UnitStatus) []string {
	if u == nil || r.view.Back != "" {
		return nil
	}
	return []string{fmt.Sprintf("sluice skip %s %s --reason TEXT", r.view.Name, u.Cluster)}
}

// looks are the commands that look at the first pod that keeps a unit.
func (r remedies) looks(why *Reason, u *api.UnitStatus) []string {
	if why.Stuck == nil || len(why.Stuck.Pods) == 0 {
		if why.Stuck != nil && why.Stuck.Missing > 0 {
			return []string{r.kubectl(u, "get events -A --field-selector type=Warning")}
		}
		return nil
	}
	pod := why.Stuck.Pods[0]
	namespace := why.namespace(u)
	out := []string{r.kubectl(u, fmt.Sprintf("-n %s describe pod %s", namespace, pod.Name))}
	if pod.Restarts > 0 {
		out = append(out, r.kubectl(u, fmt.Sprintf("-n %s logs %s -c %s --previous", namespace, pod.Name, pod.Container)))
	}
	return out
}

func (r remedies) kubectl(u *api.UnitStatus, what string) string {
	context := ""
	if u != nil {
		context = r.contexts[u.Cluster]
	}
	if context == "" {
		return "kubectl " + what
	}
	return fmt.Sprintf("kubectl --context %s %s", context, what)
}

// namespace is that of the workload that a unit moved last.
func (r *Reason) namespace(u *api.UnitStatus) string {
	for _, b := range slices.Backward(u.Batches) {
		if parts := strings.Split(b.Workload, "/"); len(parts) == 3 {
			return parts[1]
		}
	}
	return "default"
}
