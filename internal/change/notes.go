package change

import (
	"errors"
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// Unseen is what a plan says of a cluster that could not be compared; false where that is no answer, but an error.
func Unseen(cluster string, err error) (plan.ClusterDiff, bool) {
	out := plan.ClusterDiff{Cluster: cluster}
	rule := api.RuleAccess
	switch fault.CodeOf(err) {
	case fault.Unreachable:
		out.Unreachable = err.Error()
		return out, true
	case fault.Invalid:
		rule = api.RuleContext
		var render *templates.RenderError
		if errors.As(err, &render) {
			rule = api.RuleRender
		}
	case fault.Unauthorized, fault.Refused, fault.NotFound:
	default:
		return out, false
	}
	out.Refusals = []api.Refusal{{Rule: rule, Message: err.Error()}}
	return out, true
}

func (d *comparison) refuse(rule api.Rule, object, message string) {
	d.out.Refusals = append(d.out.Refusals, api.Refusal{Rule: rule, Object: object, Message: message})
}

// note keeps what people read of a change.
func (d *comparison) note(found patch.Change) {
	shown := plan.Object{Object: found.Object, Action: strings.ToLower(string(found.Action))}
	for _, f := range found.Drift {
		by := ""
		if f.Manager != "" {
			by = " by " + f.Manager
		}
		shown.Drift = append(shown.Drift, fmt.Sprintf("%s: recorded %s, live %s%s", f.Path, f.Recorded, f.Live, by))
	}
	if !found.Absent || len(found.Drift) > 0 {
		d.out.Objects = append(d.out.Objects, shown)
	}
	for _, no := range found.Refusals {
		if d.Part.Back && no.Rule != api.RuleOwnedBy && no.Rule != api.RuleTerminating {
			d.out.Notes = append(d.out.Notes, fmt.Sprintf("%s of %s does not hold a rollback: %s", no.Rule, no.Object, no.Message))
			continue
		}
		d.refuse(no.Rule, no.Object, no.Message)
	}
	for _, yes := range found.Excepted {
		d.out.Notes = append(d.out.Notes, fmt.Sprintf("%s of %s let through by exception: %s", yes.Rule, yes.Object, yes.Reason))
	}
	if found.Action != patch.Unchanged && !found.Absent {
		d.digests = append(d.digests, found.Digest())
		d.text.WriteString(patch.Text(found))
	}
}

// blindChecks says which checks will hold the cluster because nothing that they speak of is moved here.
func (d *comparison) blindChecks() {
	if len(d.digests) == 0 || len(d.out.Workloads) > 0 || d.Part.Back {
		return
	}
	for _, c := range d.Rules.Checks {
		if c.RunsAt(pipelines.AfterCluster) && c.Enforcement == pipelines.Enforcing && d.BlindTo(c) {
			d.out.Notes = append(d.out.Notes,
				fmt.Sprintf("check %s reads the workload, and none is moved here: it will be Inconclusive and hold the cluster", c.Name))
		}
	}
}
