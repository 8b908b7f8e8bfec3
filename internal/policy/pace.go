package policy

import (
	"fmt"

	"sluice.dev/sluice/pipelines"
)

// firstGroup is kept where what moves first is few clusters.
func (j *judge) firstGroup() {
	most := j.spec.FirstGroup
	if most == nil {
		return
	}
	first, all := j.stages[0], j.moves()
	for _, g := range first.Groups {
		n := 0
		for i := range g.Units {
			if j.concerns(&g.Units[i]) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		if n > most.Of(all) {
			j.broken("firstGroup", first.Name, fmt.Sprintf("at most %s of %d clusters", most, all), "%d clusters", n)
		}
		return
	}
}

func (j *judge) concurrency() {
	most := j.spec.MaxConcurrency
	if most == nil {
		return
	}
	for _, s := range j.stages {
		for _, g := range s.Groups {
			of := len(g.Units)
			if len(s.Groups) == 1 {
				of = s.WholeUnits()
			}
			if at := min(g.MaxConcurrency, len(g.Units)); at > most.Of(of) {
				j.broken("maxConcurrency", s.Name, fmt.Sprintf("at most %s of %d clusters", most, of), "%d at once", at)
				break
			}
		}
	}
}

// soak is kept where it is quiet for no less time after anything.
func (j *judge) soak() {
	least := j.spec.Soak
	if least == nil {
		return
	}
	for _, s := range j.stages {
		has := s.Rules.Soak
		need := func(field string, wanted *pipelines.Duration, found pipelines.Duration) {
			if wanted != nil && found < *wanted {
				j.broken("soak."+field, s.Name, "at least "+wanted.String(), "%s", found)
			}
		}
		if b := least.Batch; b != nil {
			first := b.First
			if first == nil {
				first = b.Rest
			}
			need("batch.first", first, has.AfterBatch(true))
			need("batch.rest", b.Rest, has.AfterBatch(false))
			if has.MinSamples < b.MinSamples {
				j.broken("soak.batch.minSamples", s.Name, fmt.Sprintf("at least %d", b.MinSamples), "%d", has.MinSamples)
			}
		}
		need("cluster", least.Cluster, has.Cluster)
		need("group", least.Group, has.Group)
		need("stage", least.Stage, has.Stage)
	}
}

// interval is kept where it is quiet for so long between a cluster and the one that takes its place. Between two groups the soak of the
// group counts as well, and between two stages that of the stage.
func (j *judge) interval() {
	least := j.spec.Interval
	if least == nil {
		return
	}
	for _, s := range j.stages {
		has := s.Rules.Soak
		gap, between := has.Cluster, ""
		switch within := s.widestGroup(); {
		case within > 1:
			between = "clusters"
		case len(s.Groups) > 1:
			gap, between = gap+has.Group, "groups"
		case s.index < j.lastStage():
			gap, between = gap+has.Group+has.Stage, "this stage and the next"
		}
		if between != "" && gap < *least {
			j.broken("interval", s.Name, "at least "+least.String(), "%s between %s", gap, between)
		}
	}
}

// widestGroup is how many clusters the largest group of the stage has.
func (s *concern) widestGroup() int {
	most := 0
	for _, g := range s.Groups {
		most = max(most, len(g.Units))
	}
	return most
}

// lastStage is the last stage of the plan that moves anything.
func (j *judge) lastStage() int {
	last := 0
	for i := range j.Plan.Stages {
		if j.Plan.Stages[i].Units() > 0 {
			last = i
		}
	}
	return last
}

// failures are kept where a stage, and a cluster, bears no more that goes wrong.
func (j *judge) failures() {
	j.budget("maxFailures", j.spec.MaxFailures, func(s *concern) int { return s.MaxFailures })
	j.budget("maxUnreachable", j.spec.MaxUnreachable, func(s *concern) int { return s.MaxUnreachable })
	most := j.spec.MaxBatchFailures
	if most == nil {
		return
	}
	for _, s := range j.stages {
		if found := s.Rules.MaxBatchFailures; found > *most {
			j.broken("maxBatchFailures", s.Name, fmt.Sprintf("at most %d", *most), "%d", found)
		}
	}
}

// budget is kept where no stage bears more of its clusters than the most.
func (j *judge) budget(rule string, most *pipelines.Amount, of func(*concern) int) {
	if most == nil {
		return
	}
	for _, s := range j.stages {
		if found := of(s); found > most.BudgetOf(s.WholeUnits()) {
			j.broken(rule, s.Name, fmt.Sprintf("at most %s of %d clusters", most, s.WholeUnits()), "%d", found)
		}
	}
}
