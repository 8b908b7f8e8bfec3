package pipelines

import (
	"reflect"
	"slices"
	"strings"
)

// Policy is what no pipeline may undercut, for all that moves or for some of it. It says the least that is asked: a pipeline may always
// be more careful. A rollback is never refused by one.
type Policy struct {
	Metadata Metadata   `json:"metadata"`
	Spec     PolicySpec `json:"spec"`
	Position Position   `json:"-"`
}

// PolicySpec is the body of a Policy: whom it concerns, and what is asked. What a field leaves out is not asked.
type PolicySpec struct {
	Description  string    `json:"description,omitempty"`
	Components   []string  `json:"components,omitempty" is:"name" items:"1..1000"`  // that it concerns; default all
	Environments []string  `json:"environments,omitempty" is:"name" items:"1..100"` // that it concerns; default all
	Clusters     *Selector `json:"clusters,omitempty"`                              // that it concerns, by their labels; default all

	// environments, first to last: no cluster of a later one moves before, or beside, one of an earlier one
	Order []string `json:"order,omitempty" is:"name" items:"2..50"`
	// environments of the order that cannot be gone round: what comes after them moves only behind a cluster of each
	MustPass       []string  `json:"mustPass,omitempty" is:"name" items:"1..50"`
	FirstGroup     *Amount   `json:"firstGroup,omitempty"`     // of all clusters of a run, the most in its first group
	MaxConcurrency *Amount   `json:"maxConcurrency,omitempty"` // the most clusters of a group that move at once
	FirstBatch     *Amount   `json:"firstBatch,omitempty"`     // of a node set's pods, the most that the first batch moves
	MaxBatch       *Amount   `json:"maxBatch,omitempty"`       // of a node set's pods, the most that any batch moves
	Soak           *Soak     `json:"soak,omitempty"`           // the least
	Interval       *Duration `json:"interval,omitempty"`       // the least quiet time between a cluster and the next
	MaxFailures    *Amount   `json:"maxFailures,omitempty"`    // the most failed clusters that a stage bears
	MaxUnreachable *Amount   `json:"maxUnreachable,omitempty"` // the most clusters out of reach that a stage bears
	// the most failed batches that a cluster bears
	MaxBatchFailures *int          `json:"maxBatchFailures,omitempty" range:"0..1000"`
	Checks           []CheckFloor  `json:"checks,omitempty" items:"1..50"`
	Windows          []WindowFloor `json:"windows,omitempty" items:"1..20"`
	OnFailure        []OnFailure   `json:"onFailure,omitempty" items:"1..3"` // what a run may do once its failure budget is spent
	Pausable         bool          `json:"pausable,omitempty"`               // a pause stops it part-way
	WayBack          bool          `json:"wayBack,omitempty"`                // it can be rolled back
	// who makes a plan or starts it has to be known for sure
	RefuseUnverified bool    `json:"refuseUnverified,omitempty"`
	Review           *Review `json:"review,omitempty"`
}

// CheckFloor is a check that must be there and hold what does not pass: by its Task's name, or the kinds of its steps, or both.
type CheckFloor struct {
	Task  string     `json:"task,omitempty" is:"name"`
	Steps []StepName `json:"steps,omitempty" items:"1..20"` // a step of one of these kinds
	At    []Point    `json:"at,omitempty" items:"1..11"`    // at each of these; default at any
}

// StepName is the name of a kind of step.
type StepName string

func (StepName) values() []string { return StepKindNames() }

// WindowFloor is a window that must be kept: a step that denies what it denies, and allows what it allows and no more.
type WindowFloor struct {
	Window `json:",inline"`
	At     []Point `json:"at,omitempty" items:"1..11"` // default beforeBatch, beforeCluster, beforeRun
}

// Points are where the window must be asked.
func (w *WindowFloor) Points() []Point {
	if len(w.At) == 0 {
		return opening()
	}
	return w.At
}

// Review is that people look at a plan before what the policy concerns begins to move.
type Review struct {
	Approvals int          `json:"approvals" range:"1..10"`     // people who approve the plan
	Verified  bool         `json:"verified,omitempty"`          // only people who are known for sure count
	When      []ReviewWhen `json:"when,omitempty" items:"1..2"` // default always
}

// ReviewWhen is what a review is asked for.
type ReviewWhen string

// What is reviewed: a component where it has never been, and one whose template is another than that of what runs there.
const (
	FirstVersion   ReviewWhen = "FirstVersion"
	TemplateChange ReviewWhen = "TemplateChange"
)

func (ReviewWhen) values() []string { return []string{string(FirstVersion), string(TemplateChange)} }

// Concerns says in words whom the policy concerns.
func (s *PolicySpec) Concerns() string {
	var parts []string
	if len(s.Components) > 0 {
		parts = append(parts, strings.Join(s.Components, " or "))
	}
	if len(s.Environments) > 0 {
		parts = append(parts, "in "+strings.Join(s.Environments, " or "))
	}
	if s.Clusters != nil {
		parts = append(parts, "where "+s.Clusters.String())
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}

// Asks names the fields by which the policy asks for something.
func (s *PolicySpec) Asks() []string {
	var names []string
	v := reflect.ValueOf(s).Elem()
	for _, f := range newStructures().of(v.Type()).fields {
		beside := slices.Contains([]string{"description", "components", "environments", "clusters"}, f.name)
		if !beside && !v.FieldByIndex(f.index).IsZero() {
			names = append(names, f.name)
		}
	}
	return names
}
