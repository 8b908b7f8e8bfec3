package policy

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// identity is kept where whoever makes the plan or starts it is known for sure.
func (j *judge) identity() {
	i := slices.IndexFunc(j.By, func(name string) bool { return !identity.Verified(name) })
	if j.spec.RefuseUnverified && i >= 0 {
		j.broken("refuseUnverified", "", "a verified identity", "%s", j.By[i])
	}
}

// review is kept where enough people approve the plan before anything that is concerned begins.
func (j *judge) review() {
	r := j.spec.Review
	if r == nil {
		return
	}
	why := j.reviewed(r)
	if why == "" {
		return
	}
	first, most := j.stages[0], 0
	for i := range j.Plan.Stages[:first.index+1] {
		s := &j.Plan.Stages[i]
		if s.Skipped == "" && (s.Approvers.Verified || !r.Verified) {
			most = max(most, s.Approvals)
		}
	}
	if most >= r.Approvals {
		return
	}
	kind := "approval"
	if r.Verified {
		kind = "verified approval"
	}
	j.broken("review", first.Name, fmt.Sprintf("%s before it starts, since %s", api.Counted(r.Approvals, kind), why), "%d", most)
}

// reviewed says why the plan is to be reviewed; "" where it is not.
func (j *judge) reviewed(r *pipelines.Review) string {
	if len(r.When) == 0 {
		return "all of it is reviewed"
	}
	if j.Draft {
		return ""
	}
	for _, s := range j.stages {
		for _, u := range s.units {
			if why := j.isNew(&u); why != "" && slices.Contains(r.When, pipelines.FirstVersion) {
				return why
			}
			if why := j.isOther(&u); why != "" && slices.Contains(r.When, pipelines.TemplateChange) {
				return why
			}
		}
	}
	return ""
}

// isNew says that nothing of the component is on record in a cluster.
func (j *judge) isNew(u *plan.Unit) string {
	if u.WayBack.Exists() {
		return ""
	}
	return fmt.Sprintf("no version of %s is on record in %s", j.Plan.Subject, u.Cluster)
}

// isOther says that a cluster runs what was rendered from another template, or from one that nobody knows any more.
func (j *judge) isOther(u *plan.Unit) string {
	if !u.WayBack.Exists() || j.Templates[u.Cluster] == j.Plan.Source.Template {
		return ""
	}
	return fmt.Sprintf("the template of %s in %s is another one", j.Plan.Subject, u.Cluster)
}
