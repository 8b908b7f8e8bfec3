package policy

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// allAtOnce are the rules of which an exception lets a change reach pods that no batch holds back.
func allAtOnce() []api.Rule { return []api.Rule{api.RuleReachesAtOnce, api.RuleTakesAllDown} }

// run judges what holds for a run as a whole.
func (j *judge) run() {
	if want := j.spec.OnFailure; len(want) > 0 && !slices.Contains(want, j.Plan.OnFailure) {
		text := string(want[0])
		for _, o := range want[1:] {
			text += " or " + string(o)
		}
		j.broken("onFailure", "", text, "%s", j.Plan.OnFailure)
	}
	if j.spec.WayBack && j.Plan.Rollback == pipelines.RollbackNever {
		j.broken("wayBack", "", "a way back", "rollback: Never of component %s", j.Plan.Subject)
	}
	if j.spec.Pausable {
		j.pausable()
	}
}

// pausable is kept where a pause finds something that has not moved yet.
func (j *judge) pausable() {
	const wanted = "that a pause stops it part-way"
	for _, e := range j.Plan.Exceptions {
		if slices.Contains(allAtOnce(), api.Rule(e.Rule)) {
			j.broken("pausable", "", wanted, "an exception that lets %s through for %s", e.Rule, e.Object)
		}
	}
	for _, s := range j.stages {
		if len(s.Rules.Batches) == 1 {
			j.broken("pausable", s.Name, wanted, "one batch of everything")
		}
	}
}
