package rights

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Role is what may be done in one namespace, or, where that is "", everywhere.
type Role struct {
	Namespace string
	Rules     []Rule
}

// Rule is a rule of RBAC with its reasons.
type Rule struct {
	rbacv1.PolicyRule
	Why []string
}

// Options say how rights are given.
type Options struct {
	// Apart gives what is asked for in namespaces that are known by a role in each of them, and not everywhere. They have to be there.
	Apart bool
}

// Roles are the roles that give what work needs, and nothing else: the one for everywhere first, the others by namespace. What
// is asked for in Sluice's own namespace is given there alone.
func (w Work) Roles(o Options) []Role {
	units := w.Units()
	given := map[string]map[string]*Rule{}
	for _, n := range w.Needs(o) {
		for _, namespace := range n.Place.namespaces(units, o.Apart) {
			if given[namespace] == nil {
				given[namespace] = map[string]*Rule{}
			}
			add(given[namespace], n)
		}
	}
	var roles []Role
	for _, namespace := range slices.Sorted(maps.Keys(given)) {
		rules := given[namespace]
		withoutNames(rules)
		if namespace != "" {
			without(rules, given[""])
		}
		if len(rules) > 0 {
			roles = append(roles, Role{Namespace: namespace, Rules: ordered(rules)})
		}
	}
	return roles
}

// namespaces are those in which a role gives what is asked for at a place; "" is everywhere.
func (p Place) namespaces(units []string, apart bool) []string {
	switch {
	case p.kind == within && (apart || p.name == own):
		return []string{p.name}
	case p.kind == ofUnits && apart:
		return units
	}
	return []string{""}
}

func add(rules map[string]*Rule, n Need) {
	key := strings.Join([]string{n.Group, n.Resource, strings.Join(n.Names, ","), strings.Join(n.URLs, ",")}, "|")
	r := rules[key]
	if r == nil {
		r = &Rule{}
		if len(n.URLs) > 0 {
			r.NonResourceURLs = n.URLs
		} else {
			r.APIGroups, r.Resources, r.ResourceNames = []string{n.Group}, []string{n.Resource}, n.Names
		}
		rules[key] = r
	}
	for _, verb := range n.Verbs {
		if !slices.Contains(r.Verbs, verb) {
			r.Verbs = append(r.Verbs, verb)
		}
	}
	slices.SortFunc(r.Verbs, orderVerbs)
	if !slices.Contains(r.Why, n.Why) {
		r.Why = append(r.Why, n.Why)
	}
}

// withoutNames takes away what rules about single objects say of what another rule says about all.
func withoutNames(rules map[string]*Rule) {
	for key, r := range rules {
		if len(r.ResourceNames) > 0 {
			narrow(rules, key, rules[strings.Join([]string{r.APIGroups[0], r.Resources[0], "", ""}, "|")])
		}
	}
}

// without takes away what others give already.
func without(rules, others map[string]*Rule) {
	for key, r := range rules {
		narrow(rules, key, others[key])
		if len(r.ResourceNames) > 0 && rules[key] != nil {
			narrow(rules, key, others[strings.Join([]string{r.APIGroups[0], r.Resources[0], "", ""}, "|")])
		}
	}
}

func narrow(rules map[string]*Rule, key string, by *Rule) {
	r := rules[key]
	if by == nil || r == by {
		return
	}
	r.Verbs = slices.DeleteFunc(r.Verbs, func(verb string) bool { return slices.Contains(by.Verbs, verb) })
	if len(r.Verbs) == 0 {
		delete(rules, key)
	}
}

func ordered(rules map[string]*Rule) []Rule {
	all := make([]Rule, 0, len(rules))
	for _, r := range rules {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Rule) int {
		return cmp.Or(
			cmp.Compare(first(a.APIGroups), first(b.APIGroups)), cmp.Compare(first(a.Resources), first(b.Resources)),
			slices.Compare(a.ResourceNames, b.ResourceNames), slices.Compare(a.NonResourceURLs, b.NonResourceURLs),
		)
	})
	return all
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}
