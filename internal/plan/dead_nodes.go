package plan

import (
	"fmt"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// LetBehind is how many dead nodes of a node set may stay behind.
func (r StageRules) LetBehind() pipelines.Amount {
	if r.MaxBehind != nil {
		return *r.MaxBehind
	}
	return *pipelines.DefaultRules().MaxBehind
}

// behindText says what is let stay behind where it is not the usual.
func (r StageRules) behindText() string {
	if let := r.LetBehind(); let != *pipelines.DefaultRules().MaxBehind {
		return "; maxBehind " + let.String()
	}
	return ""
}

// TooManyBehind says which node sets have more dead nodes than the rules let stay behind.
func (r StageRules) TooManyBehind(behind []goal.Behind) []api.Refusal {
	var all []api.Refusal
	let := r.LetBehind()
	for _, b := range behind {
		if most := let.Of(b.Total); b.Count > most {
			all = append(all, api.Refusal{Rule: api.RuleMaxBehind, Object: b.Workload, Message: fmt.Sprintf(
				"%s of %d in node set %s: %s; maxBehind %s lets %d stay behind", deadNodes(b), b.Total, b.NodeSet, b.Names(goal.MostNamed), let, most)})
		}
	}
	return all
}

func deadNodes(b goal.Behind) string {
	if b.Count == 1 {
		return "1 node is dead"
	}
	return fmt.Sprintf("%d nodes are dead", b.Count)
}

// AboutBehind says of each workload which nodes are set aside.
func (c ClusterDiff) AboutBehind() []string {
	var notes []string
	for _, w := range c.Workloads {
		for _, b := range w.Behind {
			notes = append(notes, fmt.Sprintf("%s under %s in node set %s, and set aside: %s",
				deadNodes(b), b.Workload, b.NodeSet, b.Names(goal.MostNamed)))
		}
	}
	return notes
}
