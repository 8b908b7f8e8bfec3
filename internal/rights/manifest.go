package rights

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Manifest is the objects that give roles to somebody.
type Manifest struct {
	Name  string // of the roles and of their bindings
	Whose rbacv1.Subject
	Roles []Role
}

// managed are the labels of what is printed.
func managed() map[string]string { return map[string]string{"app.kubernetes.io/managed-by": "sluice"} }

// Objects are what an API server is given: the namespaces, an account in Sluice's own where that is who gets the roles, and each role
// with its binding.
func (m Manifest) Objects() []runtime.Object {
	all := []runtime.Object{namespaceOf(own)}
	for _, r := range m.Roles {
		if r.Namespace != "" && r.Namespace != own {
			all = append(all, namespaceOf(r.Namespace))
		}
	}
	if m.Whose.Kind == rbacv1.ServiceAccountKind && m.Whose.Namespace == own {
		all = append(all, &corev1.ServiceAccount{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: m.meta(own, m.Whose.Name),
		})
	}
	for _, r := range m.Roles {
		all = append(all, m.role(r), m.binding(r))
	}
	return all
}

// namespaceOf says nothing of a namespace but that it is there: what others have written on it stays.
func namespaceOf(name string) runtime.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
}

func (m Manifest) meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: managed()}
}

const rbac = rbacv1.GroupName + "/v1"

func (m Manifest) role(r Role) runtime.Object {
	if r.Namespace == "" {
		return &rbacv1.ClusterRole{
			TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "ClusterRole"}, ObjectMeta: m.meta("", m.Name), Rules: r.PolicyRules(),
		}
	}
	return &rbacv1.Role{
		TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "Role"}, ObjectMeta: m.meta(r.Namespace, m.Name), Rules: r.PolicyRules(),
	}
}

func (m Manifest) binding(r Role) runtime.Object {
	if r.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "ClusterRoleBinding"}, ObjectMeta: m.meta("", m.Name),
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: m.Name},
			Subjects: []rbacv1.Subject{m.Whose},
		}
	}
	return &rbacv1.RoleBinding{
		TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "RoleBinding"}, ObjectMeta: m.meta(r.Namespace, m.Name),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: m.Name},
		Subjects: []rbacv1.Subject{m.Whose},
	}
}

// PolicyRules are the rules of a role as RBAC has them.
func (r Role) PolicyRules() []rbacv1.PolicyRule {
	all := make([]rbacv1.PolicyRule, len(r.Rules))
	for i, rule := range r.Rules {
		all[i] = rule.PolicyRule
	}
	return all
}

// YAML is the objects as documents, with the reasons of each rule before it.
func (m Manifest) YAML() ([]byte, error) {
	why := map[string][]Rule{}
	for _, r := range m.Roles {
		why[r.Namespace] = r.Rules
	}
	var out strings.Builder
	for i, o := range m.Objects() {
		if i > 0 {
			out.WriteString("---\n")
		}
		var rules []Rule
		switch role := o.(type) {
		case *rbacv1.ClusterRole:
			rules, role.Rules = why[""], nil
		case *rbacv1.Role:
			rules, role.Rules = why[role.Namespace], nil
		}
		body, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("cannot write an object: %w", err)
		}
		text, isRole := strings.CutSuffix(string(body), "rules: null\n")
		out.WriteString(text)
		if isRole {
			out.WriteString("rules:\n")
		}
		for _, r := range rules {
			if err := r.writeTo(&out); err != nil {
				return nil, err
			}
		}
	}
	return []byte(out.String()), nil
}

func (r Rule) writeTo(out *strings.Builder) error {
	body, err := yaml.Marshal([]rbacv1.PolicyRule{r.PolicyRule})
	if err != nil {
		return fmt.Errorf("cannot write a rule: %w", err)
	}
	fmt.Fprintf(out, "# %s\n%s", strings.Join(r.Why, "; "), body)
	return nil
}

// Values are the rules as the charts take them under rbac.
type Values struct {
	Cluster    []rbacv1.PolicyRule            `json:"cluster"`
	Namespaces map[string][]rbacv1.PolicyRule `json:"namespaces"`
}

// ValuesOf are roles as values of the charts.
func ValuesOf(roles []Role) Values {
	v := Values{Cluster: []rbacv1.PolicyRule{}, Namespaces: map[string][]rbacv1.PolicyRule{}}
	for _, r := range roles {
		if r.Namespace == "" {
			v.Cluster = slices.Clone(r.PolicyRules())
			continue
		}
		v.Namespaces[r.Namespace] = r.PolicyRules()
	}
	return v
}
