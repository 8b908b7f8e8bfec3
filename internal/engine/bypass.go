package engine

import (
	"context"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// passed lists, by cluster, the target of a component that has passed its stage there and runs there still: where a narrowed
// run need not go again. What is only recorded for a cluster is no proof: its stage may not have soaked, or not have been
// judged. A run that is still open has proved nothing yet.
func (e *Engine) passed(ctx context.Context, subject api.Subject) (map[string]string, error) {
	present, err := e.ledger.ListDeployments(ctx, "", subject)
	if err != nil {
		return nil, err
	}
	passed, runs := map[string]string{}, map[string]map[string]bool{}
	for _, d := range present {
		clusters, known := runs[d.Run]
		if !known {
			if clusters, err = e.passedIn(ctx, d.Run); err != nil {
				return nil, err
			}
			runs[d.Run] = clusters
		}
		if clusters[d.Cluster] {
			passed[d.Cluster] = d.Target
		}
	}
	return passed, nil
}

// passedIn lists the clusters whose stage a run has passed to its end, judged by its report.
func (e *Engine) passedIn(ctx context.Context, name string) (map[string]bool, error) {
	run, err := e.ledger.Run(ctx, name)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil || run.Report == "" || run.Back != "" {
		return nil, err
	}
	report, err := e.reportOf(ctx, run)
	if err != nil {
		return nil, err
	}
	whole := report.Phase == api.PhaseSucceeded
	if whole {
		// A run that was aborted while its last stage soaked has moved all its units, and proved nothing about the stage.
		if whole, err = e.unaborted(ctx, name); err != nil {
			return nil, err
		}
	}
	clusters := map[string]bool{}
	for i := range report.Stages {
		if !whole && !begun(report.Stages[i+1:]) {
			break
		}
		for _, u := range report.Stages[i].Units {
			clusters[u.Cluster] = u.Phase == api.PhaseSucceeded
		}
	}
	return clusters, nil
}

// reportOf is how a run that has ended was written down.
func (e *Engine) reportOf(ctx context.Context, run ledger.Run) (api.RunStatus, error) {
	var report api.RunStatus
	err := e.read(ctx, run.Report, &report)
	return report, fault.Wrap(fault.CodeOf(err), err, "cannot read the report of run %s", run.Name)
}

// begun reports whether a unit of one of these stages was started, or somebody rejected one: then the stages before it had ended well.
func begun(stages []api.StageStatus) bool {
	for i := range stages {
		if stages[i].Rejected != nil {
			return true
		}
		for _, u := range stages[i].Units {
			if !u.Started.IsZero() {
				return true
			}
		}
	}
	return false
}

// unaborted reports whether nobody has aborted a run. Of one with too many entries to look through, nobody can tell: it is none.
func (e *Engine) unaborted(ctx context.Context, run string) (bool, error) {
	aborted := func(entry ledger.Entry) bool {
		return entry.Command == "abort" && !strings.HasPrefix(entry.Outcome, ledger.Refused)
	}
	_, found, all, err := e.findEntry(ctx, run, aborted)
	return all && !found, err
}

// bypassed refuses a plan that goes past stages without a reason, and one whose left-out clusters have changed since.
func (e *Engine) bypassed(ctx context.Context, p *plan.Plan, reason string) error {
	if reason == "" && p.BypassReason() == "" && len(p.Bypasses) > 0 {
		var lines []string
		for _, b := range p.Bypasses {
			lines = append(lines, b.Text(p.Version))
		}
		return fault.New(fault.Refused, "it goes past what was to come first: %s; say why with --reason", strings.Join(lines, "; "))
	}
	var passed map[string]string
	for i := range p.Stages {
		for _, out := range p.Stages[i].LeftOut {
			if !out.Passed {
				continue
			}
			if passed == nil {
				var err error
				if passed, err = e.passed(ctx, p.Subject); err != nil {
					return err
				}
			}
			if passed[out.Cluster] != out.Target {
				return fault.New(fault.Refused, "it leaves out %s of stage %s, where %s had passed when it was made and runs no longer; plan again",
					out.Cluster, p.Stages[i].Name, p.Version)
			}
		}
	}
	return nil
}

// auditBypasses writes down each stage that a run goes past, and why.
func (e *Engine) auditBypasses(ctx context.Context, p *plan.Plan, run ledger.Run) error {
	reason := run.Reason
	if given := p.BypassReason(); given != "" && given != reason {
		reason = strings.TrimSuffix(given+"; "+reason, "; ")
	}
	for _, b := range p.Bypasses {
		err := e.audit(ctx, ledger.Entry{
			Who: run.By, Command: "bypass", Object: run.Name, Scope: "stage " + b.Stage, Reason: reason, Outcome: b.Text(p.Version),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
