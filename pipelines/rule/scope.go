package rule

import (
	"reflect"
	"slices"
	"strings"
)

// Scope says which facts a gate can see.
type Scope string

// The scopes. A gate at a batch or during it sees a batch; a gate at a cluster sees totals over the component's
// workloads there; a gate at a group or stage sees counts of units only.
const (
	ScopeBatch   Scope = "batch"
	ScopeCluster Scope = "cluster"
	ScopeStage   Scope = "stage"
	// ScopeTasks is for what decides whether a task of a run starts: there is nothing to look at but results.
	ScopeTasks Scope = "tasks"
)

// The names under which a rule reads the parts of Facts, and its params.
const (
	factWorkload = "workload"
	factBatch    = "batch"
	factUnit     = "unit"
	factChange   = "change"
	factStage    = "stage"

	paramsPrefix = "params."
	tasksPrefix  = "tasks."
	resultsPart  = ".results."
)

// Facts lists the names of the facts that a rule of the scope can read, in the order in which messages print them.
// It is nil for a scope that does not exist.
func (s Scope) Facts() []string {
	switch s {
	case ScopeBatch:
		return []string{factWorkload, factBatch, factUnit, factChange}
	case ScopeCluster:
		return []string{factWorkload, factUnit, factChange}
	case ScopeStage:
		return []string{factStage, factChange}
	case ScopeTasks:
		return []string{factChange}
	case scopeMeasurement:
		return []string{factResult, factValue, factSeries, factLabels}
	case scopeSubject:
		return []string{SubjectClaims, SubjectName, SubjectKind, SubjectIssuer}
	case scopeObserved:
		return []string{observedFacts, observedUsual, observedMedian, observedCluster, observedTarget, observedWhere}
	}
	return nil
}

func (s Scope) has(fact string) bool {
	return slices.Contains(s.Facts(), fact)
}

// factType is the Go type behind a fact, or nil where there is no such fact in any scope.
func factType(fact string) reflect.Type {
	switch fact {
	case factWorkload:
		return reflect.TypeFor[Workload]()
	case factBatch:
		return reflect.TypeFor[Batch]()
	case factUnit:
		return reflect.TypeFor[Unit]()
	case factChange:
		return reflect.TypeFor[Change]()
	case factStage:
		return reflect.TypeFor[Stage]()
	}
	return nil
}

// field finds the field of a fact's struct by the name that rules use for it.
func field(t reflect.Type, name string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if f.Tag.Get("cel") == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func fieldNames(t reflect.Type) []string {
	names := make([]string, 0, t.NumField())
	for f := range t.Fields() {
		names = append(names, f.Tag.Get("cel"))
	}
	return names
}

// enumerate prints names as a sentence does: "a", "a and b", "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
