package pipelines

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Group is a set of people, as Sluice writes their names. Approvals name it.
type Group struct {
	Metadata Metadata  `json:"metadata"`
	Spec     GroupSpec `json:"spec"`
	Position Position  `json:"-"`
}

// GroupSpec is the body of a Group.
type GroupSpec struct {
	Description string   `json:"description,omitempty"`
	People      []string `json:"people" is:"person" items:"1..500"` // such as ann@example.com; capital letters make no other person
}

// MaxApprovers is how many people one Approval may name, those of its groups included.
const MaxApprovers = 500

// Approval is who must say yes to the plan, by its hash, before a stage starts. Whoever started the run does not count, and
// one no ends the run.
type Approval struct {
	By           []string  `json:"by,omitempty" is:"person" items:"1..100"`  // people who may approve; default anybody
	Groups       []string  `json:"groups,omitempty" is:"name" items:"1..20"` // groups of people who may, too
	MinApprovals int       `json:"minApprovals,omitempty" range:"1..10"`     // how many of them must; default 1
	Expires      *Duration `json:"expires,omitempty"`                        // an approval counts for so long; default for ever
	// only names that are proven count; none is, until there is authentication
	RequireVerified bool `json:"requireVerified,omitempty"`
}

// Least is how many people must approve.
func (a *Approval) Least() int { return cmp.Or(a.MinApprovals, 1) }

// Anybody reports whether it leaves open who may approve.
func (a *Approval) Anybody() bool { return len(a.By)+len(a.Groups) == 0 }

// Asks is what a stage asks for before it starts, its short form written out; nil where it asks for nothing.
func (s *Stage) Asks() *Approval {
	if s.Approval == nil && s.Approvals > 0 {
		return &Approval{MinApprovals: s.Approvals}
	}
	return s.Approval
}

// Approvers are the people who may approve, each once, sorted; none where anybody may. An error names a group that is not there.
func (d *Documents) Approvers(a *Approval) ([]string, error) {
	people := slices.Clone(a.By)
	for _, name := range a.Groups {
		g, ok := d.Groups[name]
		if !ok {
			return nil, fmt.Errorf("there is no Group %s", name)
		}
		people = append(people, g.Spec.People...)
	}
	for i, name := range people {
		people[i] = strings.ToLower(name)
	}
	slices.Sort(people)
	if people = slices.Compact(people); len(people) > MaxApprovers {
		return nil, fmt.Errorf("it names %d people, and at most %d may approve", len(people), MaxApprovers)
	}
	return people, nil
}

// people checks a group: a name that stands in it twice is one person.
func (l *linter) people(g *Group, at spot) {
	l.persons(g.Spec.People, at.at("spec", "people"))
}

func (l *linter) persons(names []string, at spot) {
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = strings.ToLower(name)
	}
	l.unique("person", folded, func(i int) spot { return at.at(i) })
}

// approval checks that a stage can be approved. Groups are asked for where the load has any, as cluster groups are.
func (l *linter) approval(s *Stage, at spot) {
	if s.Approval == nil {
		return
	}
	a, here := s.Approval, at.at("approval")
	if at.has("approvals") {
		l.report.addAt(at.key("approvals"), "approvals: %d is short for approval: {minApprovals: %[1]d}: write one of the two", s.Approvals)
	}
	l.persons(a.By, here.at("by"))
	for i, name := range a.Groups {
		l.referIfAny(here.at("groups", i), KindGroup, name)
	}
	l.unique("group", a.Groups, func(i int) spot { return here.at("groups", i) })
	if a.Expires != nil && *a.Expires <= 0 {
		l.report.addAt(here.at("expires"), "expires must be longer than 0s: no approval would ever count")
	}
	if a.RequireVerified {
		l.warnings.addAt(here.key("requireVerified"),
			"stage %s: no name is verified until there is authentication: nobody can approve it", s.Name)
	}
	people, err := l.all.Approvers(a)
	missing := slices.ContainsFunc(a.Groups, func(name string) bool { return l.all.Groups[name] == nil })
	switch {
	case a.Anybody() || missing || here.flawed():
	case err != nil:
		l.report.addAt(here, "stage %s: %v", s.Name, err)
	case len(people) < a.Least():
		l.report.addAt(here, "stage %s wants %d approvals, and only %d may approve (%s): it would never start",
			s.Name, a.Least(), len(people), strings.Join(people, ", "))
	case len(people) == a.Least():
		l.warnings.addAt(here,
			"stage %s wants everybody who may approve it: none of them can start the run, whose own approval does not count", s.Name)
	}
}
