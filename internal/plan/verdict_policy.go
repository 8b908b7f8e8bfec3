package plan

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Ruling is what the verdict of a check leads to.
type Ruling string

// The rulings.
const (
	GoesOn       Ruling = "go on"
	MeasureAgain Ruling = "measure again"
	Hold         Ruling = "hold"
	BearBatch    Ruling = "go on, the batch has failed"
	Bear         Ruling = "end the unit, go on without it"
	TakeBack     Ruling = "roll back"
)

// Condition is what else a ruling depends on.
type Condition string

// The conditions. The zero value is any.
const (
	GoingBack     Condition = "the unit goes back"
	OnlyAdvises   Condition = "the check is Advisory"
	WithinLimit   Condition = "within the step's own limits"
	WithinCluster Condition = "within its cluster's budget"
	WithinBudget  Condition = "within every failure budget"
)

// Judged is a verdict, and what a ruling about it depends on.
type Judged struct {
	Verdict api.Verdict
	Is      []Condition
	// Of the pipeline, and of the component.
	OnFailure pipelines.OnFailure
	Rollback  pipelines.RollbackMode
}

// PolicyRow is one row of the table from verdicts to rulings. Empty fields are any. The first row that fits decides.
type PolicyRow struct {
	Verdict   api.Verdict            `json:"verdict,omitempty"`
	When      Condition              `json:"when,omitempty"`
	OnFailure pipelines.OnFailure    `json:"onFailure,omitempty"`
	Rollback  pipelines.RollbackMode `json:"rollback,omitempty"`
	Ruling    Ruling                 `json:"ruling"`
	Why       string                 `json:"why"`
}

// VerdictPolicy is the table. It is all that decides what a verdict leads to.
func VerdictPolicy() []PolicyRow { return slices.Clone(verdictPolicy) }

var verdictPolicy = []PolicyRow{
	{When: GoingBack, Ruling: GoesOn, Why: "no check stops a way back; two failed units do"},
	{When: OnlyAdvises, Ruling: GoesOn, Why: "it is reported, and holds nothing"},
	{Verdict: api.Passed, Ruling: GoesOn, Why: "only this lets a unit go on"},
	{Verdict: api.Skipped, Ruling: GoesOn, Why: "the check that it runs after decides"},
	{Verdict: api.Failed, When: WithinLimit, Ruling: MeasureAgain, Why: "failureLimit bears it"},
	{Verdict: api.Inconclusive, When: WithinLimit, Ruling: MeasureAgain, Why: "inconclusiveLimit bears it"},
	{Verdict: api.Error, When: WithinLimit, Ruling: MeasureAgain, Why: "consecutiveErrorLimit bears it: 4 in a row, where nothing is said"},
	{Verdict: api.Inconclusive, Ruling: Hold, Why: "nobody can tell: whoever may resume, abort or roll back decides"},
	{Verdict: api.Error, Ruling: Hold, Why: "nobody could look: whoever may resume, abort or roll back decides"},
	{Verdict: api.Failed, When: WithinCluster, Ruling: BearBatch, Why: "maxBatchFailures bears it, at during and afterBatch"},
	{Verdict: api.Failed, When: WithinBudget, Ruling: Bear, Why: "maxFailures of the run, the stage and the group bear it"},
	{Verdict: api.Failed, OnFailure: pipelines.Continue, Ruling: Bear, Why: "the pipeline goes on whatever fails"},
	{
		Verdict: api.Failed, OnFailure: pipelines.Rollback, Rollback: pipelines.RollbackAuto, Ruling: TakeBack,
		Why: "the whole run goes back, at the pace of a rollback",
	},
	{Verdict: api.Failed, Ruling: Hold, Why: "the run pauses: whoever may resume, abort or roll back decides"},
	{Ruling: Hold, Why: "an unknown verdict is no pass"},
}

// Rule finds the row that decides.
func (j Judged) Rule() PolicyRow {
	for _, row := range verdictPolicy {
		if row.fits(j) {
			return row
		}
	}
	return PolicyRow{Ruling: Hold} // never: the last row fits everything
}

func (r PolicyRow) fits(j Judged) bool {
	given := r.When == ""
	for _, c := range j.Is {
		given = given || c == r.When
	}
	return given && (r.Verdict == "" || r.Verdict == j.Verdict) &&
		(r.OnFailure == "" || r.OnFailure == j.OnFailure) && (r.Rollback == "" || r.Rollback == j.Rollback)
}

// goesOn reports whether somebody goes on about whom this was judged.
func (j Judged) goesOn() bool { return j.Rule().Ruling == GoesOn }

// MeasuresAgain reports whether a step whose measurements came to a verdict so often is measured on.
func MeasuresAgain(v api.Verdict, withinLimit bool) bool {
	j := Judged{Verdict: v}
	if withinLimit {
		j.Is = []Condition{WithinLimit}
	}
	return j.Rule().Ruling == MeasureAgain
}

// FirstBad returns the first check that holds a unit: anything but Passed or Skipped, unless it only advises. A check is
// Skipped only behind one that did not pass, which is then found first.
func FirstBad(found []api.Check) (api.Check, bool) {
	for _, c := range found {
		j := Judged{Verdict: c.Verdict}
		if c.Advisory {
			j.Is = []Condition{OnlyAdvises}
		}
		if !j.goesOn() {
			return c, true
		}
	}
	return api.Check{}, false
}
