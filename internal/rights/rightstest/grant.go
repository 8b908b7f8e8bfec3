// Package rightstest is for tests of what somebody may do at a real API server: his requests go by a place where they are written down.
package rightstest

import (
	"strings"

	"sluice.dev/sluice/internal/rights"
)

// Grant is one verb of one rule.
type Grant struct{ Namespace, Group, Resource, Name, Verb, URL string }

// String is a grant as people would say it.
func (g Grant) String() string {
	text := strings.TrimPrefix(g.Verb+" "+g.Resource+"."+g.Group+g.URL, " ")
	if g.Name != "" {
		text += " " + g.Name
	}
	if g.Namespace != "" {
		text += " in " + g.Namespace
	}
	return text
}

// GrantsOf are the grants of roles.
func GrantsOf(roles []rights.Role) (all []Grant) {
	for _, role := range roles {
		for _, r := range role.Rules {
			names := r.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, verb := range r.Verbs {
				for _, url := range r.NonResourceURLs {
					all = append(all, Grant{Verb: verb, URL: url})
				}
				for _, name := range names {
					if len(r.Resources) > 0 {
						all = append(all, Grant{role.Namespace, r.APIGroups[0], r.Resources[0], name, verb, ""})
					}
				}
			}
		}
	}
	return all
}

// Gives reports whether a grant lets a request pass.
func (g Grant) Gives(asked Grant) bool {
	return g.Verb == asked.Verb && g.Group == asked.Group && g.Resource == asked.Resource &&
		(g.Namespace == "" || g.Namespace == asked.Namespace) && (g.Name == "" || g.Name == asked.Name)
}
