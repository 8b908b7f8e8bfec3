package probing

import (
	"slices"
	"strings"
)

// Answers reports whether a case is to run because of an event.
func (s *ConfigSpec) Answers(e Event) bool {
	return slices.ContainsFunc(s.Events, func(of EventSpec) bool { return of.answers(e) })
}

// answers reports whether an event is of the kind, and of one of the names where there are any.
func (s EventSpec) answers(e Event) bool {
	if s.On != e.Kind {
		return false
	}
	return len(s.Names) == 0 || slices.ContainsFunc(s.Names, func(name string) bool { return named(name, e) })
}

// named reports whether a name is that of an event. A workload's kind may be left out, and so may what a condition has come to.
func named(name string, e Event) bool {
	if name == "" {
		return false
	}
	if name == e.Name {
		return true
	}
	switch e.Kind {
	case Deployed, BatchMoved:
		_, short, found := strings.Cut(e.Name, "/")
		return found && strings.Contains(name, "/") && name == short
	case NodeCondition:
		condition, _, _ := strings.Cut(e.Name, "=")
		return name == condition
	}
	return false
}
