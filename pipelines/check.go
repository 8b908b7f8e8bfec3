package pipelines

import (
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// Check hangs a gate or a Task on points of a rollout.
type Check struct {
	Name        string       `json:"name,omitempty" is:"name"` // default: the task's name
	DisplayName string       `json:"displayName,omitempty"`
	TaskRef     *TaskRef     `json:"taskRef,omitempty"`  // a Task by name
	TaskSpec    *TaskSpec    `json:"taskSpec,omitempty"` // a Task written in place; it reads its own params only
	Gate        *Gate        `json:"gate,omitempty"`     // exactly one of taskRef, taskSpec, gate; a gate reads the pipeline's params
	Params      []ParamValue `json:"params,omitempty" items:"0..50"`
	// default afterBatch and afterCluster, or the one whose facts the rules need
	At          []Point     `json:"at,omitempty" items:"1..11"`
	RunAfter    []string    `json:"runAfter,omitempty" is:"name" items:"1..100"` // other checks of the same list; a cycle is an error
	Enforcement Enforcement `json:"enforcement,omitempty"`                       // default Enforcing
	Position    Position    `json:"-"`
}

// name is the check's own name, or its task's.
func (c *Check) name() string {
	if c.Name == "" && c.TaskRef != nil {
		return c.TaskRef.Name
	}
	return c.Name
}

// points are the points of the check in the order of a rollout, the default ones where it names none.
func (c *Check) points() []Point {
	if len(c.At) == 0 {
		return defaultPoints()
	}
	points := slices.Clone(c.At)
	slices.SortFunc(points, func(a, b Point) int { return slices.Index(Points(), a) - slices.Index(Points(), b) })
	return points
}

// Enforcement says whether a check can hold a unit.
type Enforcement string

// Enforcing is the default; an Advisory check reports and never holds.
const (
	Enforcing Enforcement = "Enforcing"
	Advisory  Enforcement = "Advisory"
)

func (Enforcement) values() []string {
	return []string{string(Enforcing), string(Advisory)}
}

// Point is where a check runs.
type Point string

// The points. During runs at every look of a batch and of the soaks that follow it, beside the move. BeforeRun and AfterRun are once a
// run; a stage counts all of its units there.
const (
	BeforeBatch   Point = "beforeBatch"
	During        Point = "during"
	AfterBatch    Point = "afterBatch"
	BeforeCluster Point = "beforeCluster"
	AfterCluster  Point = "afterCluster"
	BeforeGroup   Point = "beforeGroup"
	AfterGroup    Point = "afterGroup"
	BeforeStage   Point = "beforeStage"
	AfterStage    Point = "afterStage"
	BeforeRun     Point = "beforeRun"
	AfterRun      Point = "afterRun"
)

// Points lists every point, from the smallest unit to the largest.
func Points() []Point {
	return []Point{
		BeforeBatch, During, AfterBatch, BeforeCluster, AfterCluster, BeforeGroup, AfterGroup, BeforeStage, AfterStage, BeforeRun, AfterRun,
	}
}

// OfRun reports whether what is at the point happens once a run.
func (p Point) OfRun() bool { return p == BeforeRun || p == AfterRun }

func (Point) values() []string {
	var values []string
	for _, p := range Points() {
		values = append(values, string(p))
	}
	return values
}

func defaultPoints() []Point {
	return []Point{AfterBatch, AfterCluster}
}

// ScopeOf says which facts a gate sees at a point. It is empty for what is no point.
func ScopeOf(p Point) rule.Scope {
	switch p {
	case BeforeBatch, During, AfterBatch:
		return rule.ScopeBatch
	case BeforeCluster, AfterCluster:
		return rule.ScopeCluster
	case BeforeGroup, AfterGroup, BeforeStage, AfterStage, BeforeRun, AfterRun:
		return rule.ScopeStage
	}
	return ""
}

// TaskRef names a Task.
type TaskRef struct {
	Name string `json:"name" is:"name"`
}

// Gate is a CEL rule that yields a bool. Message says what it means when it does not hold.
type Gate struct {
	CEL      string   `json:"cel" is:"text"`
	Message  string   `json:"message,omitempty"`
	Position Position `json:"-"` // of the expression's first character
}

// Task is a reusable check: steps in order, all of which must pass.
type Task struct {
	Metadata Metadata `json:"metadata"`
	Spec     TaskSpec `json:"spec"`
	Position Position `json:"-"`
}

// TaskSpec is the body of a Task.
type TaskSpec struct {
	Description string       `json:"description,omitempty"`
	Params      []Param      `json:"params,omitempty" items:"0..50"`
	Results     []TaskResult `json:"results,omitempty" items:"0..50"` // at most 4096 bytes together
	Steps       []Step       `json:"steps" items:"1..50"`
}
