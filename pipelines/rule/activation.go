package rule

import (
	"strings"

	"github.com/google/cel-go/interpreter"
)

// activation resolves the names of a rule from facts, by pointer so that nothing is copied.
type activation struct {
	facts  Facts
	params Params
}

var _ interpreter.Activation = (*activation)(nil)

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if param, ok := strings.CutPrefix(name, paramsPrefix); ok {
		value, given := a.params[param]
		return value, given
	}
	if strings.HasPrefix(name, tasksPrefix) {
		value, given := a.params[name]
		return value, given
	}
	part := a.part(name)
	return part, part != nil
}

// Parent implements interpreter.Activation.
func (a *activation) Parent() interpreter.Activation { return nil }

func (a *activation) part(name string) any {
	switch name {
	case factWorkload:
		return &a.facts.Workload
	case factBatch:
		return &a.facts.Batch
	case factUnit:
		return &a.facts.Unit
	case factChange:
		return &a.facts.Change
	case factStage:
		return &a.facts.Stage
	}
	return nil
}
