package policy

import (
	"fmt"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// batches are kept where no step of a list moves more than is allowed. Percentages are held against percentages and counts against
// counts, as they are written; where the one is to be held against the other, it is what comes of it for the pods that were seen.
func (j *judge) batches() {
	for _, s := range j.stages {
		if most := j.spec.FirstBatch; most != nil {
			j.batch("firstBatch", s, *most, 1)
		}
		if most := j.spec.MaxBatch; most != nil {
			j.batch("maxBatch", s, *most, len(s.Rules.Batches))
		}
	}
}

// batch holds the first steps of a stage against the most that is allowed, and says the first thing that is too much.
func (j *judge) batch(rule string, s *concern, most pipelines.Amount, steps int) {
	wanted := "at most " + most.String()
	unclear := false
	for i := range s.Rules.Batches[:steps] {
		step, answer := widest(s.Rules.Batches, i, most)
		if answer == tooMuch {
			j.broken(rule, s.Name, wanted, "%s (batches %s)", step, written(s.Rules.Batches))
			return
		}
		unclear = unclear || answer == depends
	}
	if j.Draft {
		return
	}
	for _, u := range s.units {
		seen := j.seen[u.Cluster]
		if seen == nil || seen.Unreachable != "" {
			if unclear {
				j.broken(rule, s.Name, wanted, "%s, of pods that nobody has seen in %s", written(s.Rules.Batches), u.Cluster)
				return
			}
			continue
		}
		for _, d := range seen.Workloads {
			if found := tooMany(d, most, steps, unclear); found != "" {
				j.broken(rule, s.Name, wanted, "%s in %s", found, u.Cluster)
				return
			}
		}
	}
}

// tooMany says which batch of a workload moves more pods than is allowed; "" where none does. What is created whole, or moves no pod,
// has no batch to hold back; what is taken down at once has one, whatever is written.
func tooMany(d plan.Division, most pipelines.Amount, steps int, unclear bool) string {
	if d.Whole == plan.CreatedWhole || d.Whole == plan.PodsStay || d.Whole == "" && !unclear {
		return ""
	}
	for _, set := range d.NodeSets {
		moved := 0
		for _, b := range set.Batches {
			if b.Size == 0 {
				continue
			}
			if moved++; moved > steps {
				break
			}
			if b.Size > most.Of(set.Pods) {
				why := "batch " + b.Amount.String()
				if d.Whole != "" {
					why = d.Whole
				}
				return fmt.Sprintf("%d of %d pods of %s (%s)", b.Size, set.Pods, d.Object, why)
			}
		}
	}
	return ""
}

// answer is what can be said of a step by what is written.
type answer int

const (
	within answer = iota
	tooMuch
	depends // on how many pods there are
)

// widest is the most that a step of a cumulative list may move, and whether that is within what is allowed.
func widest(list []pipelines.Amount, i int, most pipelines.Amount) (pipelines.Amount, answer) {
	step, mixed := list[i], false
	for _, before := range list[:i] {
		if before.Percent != step.Percent {
			mixed = true // it has moved something that cannot be taken off as it is written
			continue
		}
		step.Value, mixed = list[i].Value-before.Value, false
	}
	switch {
	case step.Percent == most.Percent && step.Value <= most.Value:
		return step, within
	case !step.Percent && step.Value == 1:
		return step, within // a percentage is never less than one pod
	case step.Percent == most.Percent && !mixed:
		return step, tooMuch
	}
	return step, depends
}

func written(list []pipelines.Amount) string { return fmt.Sprint(list) }
