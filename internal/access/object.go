package access

import (
	"path"
	"slices"

	"sluice.dev/sluice/pipelines"
)

// MaxPlaces bounds what one action touches: environments by groups by namespaces.
const MaxPlaces = 50_000

// Object is what an action is done to. What it leaves out counts as everything of that sort: only a scope that does not narrow it
// reaches the object.
type Object struct {
	Component    string              // "" where it is about none, or all
	Environments []string            // that it touches
	GroupLabels  []map[string]string // effective labels of the cluster groups that it touches, their environment among them
	Namespaces   []string
	// AnyNamespace says that it is not known yet which namespaces it touches, and that it is enough to have a right in some.
	AnyNamespace bool
}

// place is one combination of what an object touches. Every place needs a grant.
type place struct {
	environment string
	group       map[string]string
	namespace   string
	somewhere   bool // in whichever namespace
}

// places are all of an object, or false where there are too many to look at. A group stands in the environment that its labels name, and
// in no other one; where they name none it may stand in any of the object's.
func (o *Object) places() ([]place, bool) {
	var where []place
	reached := map[string]bool{}
	for _, labels := range o.GroupLabels {
		in := o.Environments
		if own := labels[pipelines.LabelEnvironment]; own != "" {
			in = []string{own}
		}
		if len(in) == 0 {
			in = []string{""}
		}
		for _, e := range in {
			reached[e] = true
			where = append(where, place{environment: e, group: labels})
		}
		if len(where) > MaxPlaces {
			return nil, false
		}
	}
	for _, e := range o.Environments {
		if !reached[e] {
			where = append(where, place{environment: e})
		}
	}
	if len(where) == 0 {
		where = []place{{}}
	}
	for i := range where {
		where[i].somewhere = o.AnyNamespace
	}
	if len(o.Namespaces) == 0 {
		return where, len(where) <= MaxPlaces
	}
	if len(where)*len(o.Namespaces) > MaxPlaces {
		return nil, false
	}
	all := make([]place, 0, len(where)*len(o.Namespaces))
	for _, p := range where {
		for _, n := range o.Namespaces {
			p.namespace = n
			all = append(all, p)
		}
	}
	return all, true
}

// reaches reports whether a scope has a place of a component within it.
func reaches(s *pipelines.BindingScope, component string, p place) bool {
	if s.All {
		return true
	}
	if s.Empty() {
		return false
	}
	return reachesComponent(s, component) &&
		(len(s.Environments) == 0 || slices.Contains(s.Environments, p.environment)) &&
		(s.ClusterGroups == nil || p.group != nil && s.ClusterGroups.Matches(p.group, p.group[pipelines.LabelName])) &&
		(len(s.Namespaces) == 0 || p.somewhere || p.namespace != "" && among(s.Namespaces, p.namespace))
}

func reachesComponent(s *pipelines.BindingScope, component string) bool {
	return s.All || !s.Empty() && (len(s.Components) == 0 || component != "" && among(s.Components, component))
}

// among reports whether a name is one of some, in which a star stands for any letters.
func among(names []string, name string) bool {
	return slices.ContainsFunc(names, func(pattern string) bool {
		fits, err := path.Match(pattern, name)
		return err == nil && fits
	})
}
