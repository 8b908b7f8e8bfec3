package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
)

// Namespaces lists the namespaces of all that a run of a plan writes, or may bring back, as its clusters were seen: sorted, each once. It
// is nil where that may be more than namespaces hold: a cluster was not looked at, did not answer or refuses all of it, something is in no
// namespace, or nothing at all was found.
func (p *Plan) Namespaces(live *Live) []string {
	if live == nil {
		return nil
	}
	seen := make(map[string]*ClusterDiff, len(live.Clusters))
	for i := range live.Clusters {
		seen[live.Clusters[i].Cluster] = &live.Clusters[i]
	}
	all := map[string]bool{}
	for _, u := range p.AllUnits() {
		c := seen[u.Cluster]
		if c == nil || c.Unreachable != "" {
			return nil
		}
		for _, no := range c.Refusals {
			all[NamespaceOf(no.Object)] = true // what is refused need not be among the objects
		}
		for _, o := range c.Objects {
			all[NamespaceOf(o.Object)] = true
		}
		for _, n := range c.Beside {
			all[n] = true
		}
	}
	if all[""] || len(all) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(all))
}

// NamespaceOf is the namespace of an object that is named Kind/namespace/name; "" of one that is in none.
func NamespaceOf(object string) string {
	parts := strings.Split(object, "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// Outside refuses what is in none of some namespaces, of which nil are all.
func (c *ClusterDiff) Outside(namespaces []string) (all []api.Refusal) {
	if namespaces == nil {
		return nil
	}
	const again = "it is not among what was seen when its plan was made, and nobody was asked whether the run may go there; plan again"
	for _, o := range c.Objects {
		if !slices.Contains(namespaces, NamespaceOf(o.Object)) {
			all = append(all, api.Refusal{Rule: api.RuleNamespace, Object: o.Object, Message: again})
		}
	}
	for _, n := range c.Beside {
		if !slices.Contains(namespaces, n) {
			all = append(all, api.Refusal{Rule: api.RuleNamespace, Message: fmt.Sprintf("what is left in namespace %q: %s", n, again)})
		}
	}
	return all
}
