package access

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines"
)

// Explanation tells a subject what it is given itself, and whether that is enough. It names no binding of somebody else, shows
// no rule, and says of the object no more than was asked.
type Explanation struct {
	Subject string          `json:"subject"`
	Right   pipelines.Right `json:"right"`
	Allowed bool            `json:"allowed"`
	By      []string        `json:"by,omitempty"`    // bindings that allow it
	Short   string          `json:"short,omitempty"` // what is missing
	Bound   []Bound         `json:"bound,omitempty"` // all bindings of the subject, by name
}

// Bound is a binding of the subject that asks.
type Bound struct {
	Binding string            `json:"binding"`
	Rights  []pipelines.Right `json:"rights"`
	Scope   string            `json:"scope"`
}

// Explain says whether a subject may do something to an object, for that subject itself: it is what can-i prints.
func (g *Grants) Explain(s Subject, right pipelines.Right, o Object) Explanation {
	held := g.For(s)
	d := held.May(right, o)
	e := Explanation{Subject: s.Name, Right: right, Allowed: d.Allowed, By: d.By}
	switch {
	case d.Allowed:
	case !s.Verified:
		e.Short = "it is not known for sure who you are"
	case len(held.bound) == 0:
		e.Short = "no binding binds you"
	case len(held.giving(right)) == 0:
		e.Short = "no binding that binds you gives it"
	default:
		e.Short = "no binding that binds you gives it for all of this"
	}
	for _, b := range held.bound {
		e.Bound = append(e.Bound, Bound{b.name, slices.Clone(b.rights), b.scope.String()})
	}
	slices.SortStableFunc(e.Bound, func(a, b Bound) int { return strings.Compare(a.Binding, b.Binding) })
	return e
}
