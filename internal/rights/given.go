package rights

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// An API server lets nobody give a right that he has not: who writes a role needs all that it says, and who binds one that is there
// already may be let do that by its name.

const whyGiven = "roles of components give them, and only who has a right may give it"

// given is what writing an object of RBAC takes. Has says whether a role is among what is brought.
func given(o *unstructured.Unstructured, place Place, has func(kind, name string) bool) []Need {
	switch o.GetKind() {
	case "Role", "ClusterRole":
		var role rbacv1.ClusterRole // a Role has the same rules
		if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role) != nil {
			return nil // the API server does not take it either
		}
		return rulesOf(role.Rules, place)
	case "RoleBinding", "ClusterRoleBinding":
		kind, _, _ := unstructured.NestedString(o.Object, "roleRef", "kind")
		name, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
		if has(kind, name) {
			return nil // who may write the role has what it says
		}
		resource := "clusterroles"
		if kind == "Role" {
			resource = "roles"
		}
		// It is looked for where it is bound, also where the role is of no namespace.
		return []Need{{
			Group: rbacv1.GroupName, Resource: resource, Names: []string{name}, Verbs: []string{"bind"}, Place: place, Why: "components bind it",
		}}
	}
	return nil
}

func rulesOf(rules []rbacv1.PolicyRule, place Place) (all []Need) {
	for _, r := range rules {
		if len(r.NonResourceURLs) > 0 {
			all = append(all, Need{URLs: r.NonResourceURLs, Verbs: r.Verbs, Place: Outside, Why: whyGiven})
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				all = append(all, Need{
					Group: group, Resource: resource, Names: r.ResourceNames, Verbs: r.Verbs, Place: place, Why: whyGiven,
				})
			}
		}
	}
	return all
}
