package plan

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Failing is a unit that has just failed: a check said so. What could not be judged holds its unit, and nothing else.
type Failing struct {
	Budgets   []Budget // of the group, the stage and the run; all must bear it
	OnFailure pipelines.OnFailure
	Rollback  pipelines.RollbackMode // of the component
}

// Budget is how many failed units something bears, and how many there are, the one that has just failed among them.
type Budget struct {
	Of     string // "stage production"
	Failed int
	Most   int
}

func (b Budget) bears() bool { return b.Failed <= b.Most }

// String shows the arithmetic.
func (b Budget) String() string {
	return fmt.Sprintf("%s bears it: %s failed so far, maxFailures is %d", b.Of, count(b.Failed, "unit"), b.Most)
}

// Consequence is what a failed unit means for its run.
type Consequence string

// The consequences.
const (
	Borne     Consequence = "Borne"     // the unit ends, and the run goes on without it
	TakenBack Consequence = "TakenBack" // the whole run goes back
	Undecided Consequence = "Undecided" // the run pauses until somebody decides
)

// Consequence says what the failure means, and why it is borne where it is.
func (f Failing) Consequence() (Consequence, string) {
	within, sums := true, make([]string, 0, len(f.Budgets))
	for _, b := range f.Budgets {
		within = within && b.bears()
		sums = append(sums, b.String())
	}
	j := Judged{Verdict: api.Failed, OnFailure: f.OnFailure, Rollback: f.Rollback}
	if within {
		j.Is = append(j.Is, WithinBudget)
	}
	switch row := j.Rule(); {
	case row.Ruling == Bear && within:
		return Borne, strings.Join(sums, "; ")
	case row.Ruling == Bear:
		var so []string
		for _, b := range f.Budgets {
			so = append(so, fmt.Sprintf("%s of %s", count(b.Failed, "unit"), b.Of))
		}
		return Borne, fmt.Sprintf("the pipeline says onFailure: %s; %s failed so far", f.OnFailure, strings.Join(so, ", "))
	case row.Ruling == TakeBack:
		return TakenBack, ""
	}
	return Undecided, ""
}
