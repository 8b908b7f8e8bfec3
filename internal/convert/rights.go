package convert

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Touch is what a Probe may do by the API.
type Touch struct {
	APIGroups     []string `yaml:"apiGroups,omitempty"`
	Resources     []string `yaml:"resources"`
	ResourceNames []string `yaml:"resourceNames,omitempty"`
	Verbs         []string `yaml:"verbs"`
	Everywhere    bool     `yaml:"everywhere,omitempty"`
}

// account is a document of those that say what a check may do, as far as it is read.
type account struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Rules []struct {
		APIGroups       []string `yaml:"apiGroups"`
		Resources       []string `yaml:"resources"`
		ResourceNames   []string `yaml:"resourceNames"`
		Verbs           []string `yaml:"verbs"`
		NonResourceURLs []string `yaml:"nonResourceURLs"`
	} `yaml:"rules"`
	AggregationRule  any   `yaml:"aggregationRule"`
	ImagePullSecrets []any `yaml:"imagePullSecrets"`
	RoleRef          struct {
		Kind string `yaml:"kind"`
		Name string `yaml:"name"`
	} `yaml:"roleRef"`
	Subjects []struct {
		Kind      string `yaml:"kind"`
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"subjects"`

	at   *yaml.Node
	used bool // a check of the file has its rights by it
}

// rightsKinds are the kinds of the documents that say what a check may do.
var rightsKinds = []string{"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}

// account keeps a document that says what a check may do; false where it is another one.
func (c *converter) account(doc *yaml.Node) bool {
	a := &account{at: doc}
	if doc.Kind != yaml.MappingNode || !slices.Contains(rightsKinds, textOf(doc, "kind")) || doc.Decode(a) != nil {
		return false
	}
	if a.APIVersion != "v1" && !strings.HasPrefix(a.APIVersion, "rbac.authorization.k8s.io/") {
		return false
	}
	c.accounts = append(c.accounts, a)
	return true
}

// textOf is the text of a key of a mapping.
func textOf(mapping *yaml.Node, key string) string {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1].Value
		}
	}
	return ""
}

// unused says which of them give nothing to any check of the file.
func (c *converter) unused() {
	for _, a := range c.accounts {
		if !a.used {
			c.leave(a.at, "%s %s: no check of this file has its rights by it", a.Kind, a.Metadata.Name)
		}
	}
}

// touches are the rights that a check's account has by the bindings of the file. What it may do in one other namespace is said: a case
// touches its own, or every one.
func (k *check) touches(at *yaml.Node, name string) {
	found := false
	for _, b := range k.accounts {
		switch {
		case b.Kind == "ServiceAccount" && b.Metadata.Name == name && k.same(b.Metadata.Namespace):
			b.used = true
			if len(b.Metadata.Annotations) > 0 {
				k.remark(b.at, "annotations of ServiceAccount %s: the account of a probe has none", name)
			}
			if len(b.ImagePullSecrets) > 0 {
				k.remark(b.at, "imagePullSecrets of ServiceAccount %s: the account of a probe has none", name)
			}
		case strings.HasSuffix(b.Kind, "Binding") && k.bound(b, name):
			b.used, found = true, true
			k.given(b)
		}
	}
	if slices.ContainsFunc(k.spec.Touches, func(t Touch) bool { return !t.Everywhere && slices.Contains(t.Verbs, "create") }) {
		k.remark(at, "what it makes: it may have 10 of each at a time; say in objects where it makes more, such as a pod on each node")
	}
	if !found {
		k.remark(at, "ServiceAccount %s: say in touches what it may do, the account comes of that", name)
	}
}

// same reports whether a namespace is that of the check.
func (k *check) same(namespace string) bool { return namespace == "" || namespace == k.namespace }

func (k *check) bound(b *account, name string) bool {
	for _, s := range b.Subjects {
		if s.Kind == "ServiceAccount" && s.Name == name && k.same(s.Namespace) {
			return true
		}
	}
	return false
}

// given takes what a binding gives.
func (k *check) given(b *account) {
	i := slices.IndexFunc(k.accounts, func(r *account) bool {
		return r.Kind == b.RoleRef.Kind && r.Metadata.Name == b.RoleRef.Name &&
			(r.Kind == "ClusterRole" || r.Metadata.Namespace == b.Metadata.Namespace)
	})
	if i < 0 {
		k.remark(b.at, "%s %s: %s %s is not in this file: say in touches what it may do", b.Kind, b.Metadata.Name, b.RoleRef.Kind, b.RoleRef.Name)
		return
	}
	role := k.accounts[i]
	role.used = true
	if b.Kind == "RoleBinding" && !k.same(b.Metadata.Namespace) {
		k.remark(b.at, "%s %s: what it may do in namespace %s: a case touches its own namespace, or everywhere: say in touches which",
			b.Kind, b.Metadata.Name, b.Metadata.Namespace)
		return
	}
	if role.AggregationRule != nil {
		k.remark(role.at, "%s %s: aggregationRule: its rules are those of others: say in touches what it may do", role.Kind, role.Metadata.Name)
	}
	for _, r := range role.Rules {
		t := Touch{
			APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames, Everywhere: b.Kind == "ClusterRoleBinding",
		}
		if slices.Equal(t.APIGroups, []string{""}) {
			t.APIGroups = nil
		}
		for _, verb := range r.Verbs {
			switch {
			case verb == "create" && len(r.ResourceNames) > 0: // which no names bound, and so gives nothing
			case slices.Contains([]string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}, verb):
				t.Verbs = append(t.Verbs, verb)
			default:
				k.remark(role.at, "%s %s: verb %s: no case has it", role.Kind, role.Metadata.Name, verb)
			}
		}
		for _, url := range r.NonResourceURLs {
			k.remark(role.at, "%s %s: %s: no case is given paths", role.Kind, role.Metadata.Name, url)
		}
		if slices.Contains(slices.Concat(r.APIGroups, r.Resources), "*") {
			k.remark(role.at, "%s %s: * is no resource and no group: say in touches which", role.Kind, role.Metadata.Name)
			continue
		}
		if len(t.Resources) > 0 && len(t.Verbs) > 0 {
			k.spec.Touches = append(k.spec.Touches, t)
		}
	}
}
