package access

import (
	"errors"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// MaxBindings is how many bindings there may be: all are asked whenever somebody asks for something.
const MaxBindings = 1_000

// Grants are compiled bindings. They are safe for concurrent use, and never change.
type Grants struct {
	bindings []compiled
}

type compiled struct {
	name   string
	means  *rule.SubjectRule
	rights []pipelines.Right
	scope  pipelines.BindingScope
}

// Compile makes grants of bindings. One that cannot be compiled binds nobody, and is named in the error, which is fault.Invalid: the
// grants of the others stand, so that one broken document does not lock everybody out. So it is with what exceeds MaxBindings.
func Compile(bindings []*pipelines.Binding) (*Grants, error) {
	g := &Grants{}
	var broken []error
	if len(bindings) > MaxBindings {
		broken = append(broken,
			fault.New(fault.Invalid, "there are %d, and those after the first %d by name bind nobody", len(bindings), MaxBindings))
		bindings = slices.Clone(bindings)
		slices.SortFunc(bindings, func(a, b *pipelines.Binding) int { return strings.Compare(a.Metadata.Name, b.Metadata.Name) })
		bindings = bindings[:MaxBindings]
	}
	rules := rule.NewCompiler()
	for _, b := range bindings {
		means, err := rules.CompileSubject(b.Spec.Subjects)
		if err != nil {
			broken = append(broken, fault.Wrap(fault.Invalid, err, "Binding %s binds nobody", b.Metadata.Name))
			continue
		}
		g.bindings = append(g.bindings, compiled{b.Metadata.Name, means, b.Spec.Gives(), b.Spec.Scope})
	}
	if len(broken) > 0 {
		return g, fault.Wrap(fault.Invalid, errors.Join(broken...), "cannot compile bindings")
	}
	return g, nil
}

// Held is what one subject is given, found once and asked as often as one likes.
type Held struct {
	subject Subject
	bound   []compiled
}

// For finds what a subject is given. A binding whose rule cannot be told for the subject does not bind it, nor does any bind a subject
// that is not verified, or is not within its bounds.
func (g *Grants) For(s Subject) Held {
	held := Held{subject: s}
	if !s.Verified || s.Check() != nil {
		return held
	}
	facts := s.facts()
	for _, b := range g.bindings {
		if means, err := b.means.Means(facts); err == nil && means {
			held.bound = append(held.bound, b)
		}
	}
	return held
}

// May decides whether a subject may do something to an object: For and Held.May in one.
func (g *Grants) May(s Subject, right pipelines.Right, o Object) Decision {
	return g.For(s).May(right, o)
}

// May decides whether the subject may do something to an object. Every place that the object touches needs a binding, not all the same
// one.
func (h Held) May(right pipelines.Right, o Object) Decision {
	d := Decision{Right: right}
	if !h.subject.Verified {
		return d.deny("the subject is not verified")
	}
	if err := h.subject.Check(); err != nil {
		return d.deny(err.Error())
	}
	places, few := o.places()
	if !few {
		return d.deny("it touches too many places to decide about")
	}
	giving := h.giving(right)
	if len(giving) == 0 {
		return d.deny("no binding gives it")
	}
	for _, p := range places {
		i := slices.IndexFunc(giving, func(b compiled) bool { return reaches(&b.scope, o.Component, p) })
		if i < 0 {
			return d.deny("no binding that gives it reaches " + p.text(o.Component))
		}
		if !slices.Contains(d.By, giving[i].name) {
			d.By = append(d.By, giving[i].name)
		}
	}
	slices.Sort(d.By)
	d.Allowed = true
	return d
}

// Sees reports whether the right is held over a component in some place, as a list asks that shows which components there are. What is
// shown of one place is for May to decide.
func (h Held) Sees(right pipelines.Right, component string) bool {
	return slices.ContainsFunc(h.giving(right), func(b compiled) bool { return reachesComponent(&b.scope, component) })
}

// Has reports whether a right is given over anything at all.
func (h Held) Has(right pipelines.Right) bool { return len(h.giving(right)) > 0 }

// giving are the bindings of the subject that give a right, by name.
func (h Held) giving(right pipelines.Right) (all []compiled) {
	for _, b := range h.bound {
		if slices.Contains(b.rights, right) {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b compiled) int { return strings.Compare(a.name, b.name) })
	return all
}
