package pipelines

import (
	"slices"
	"strings"
)

// Binding says who may do what, and to what. Without one nobody may do anything: bindings only ever add.
type Binding struct {
	Metadata Metadata    `json:"metadata"`
	Spec     BindingSpec `json:"spec"`
	Position Position    `json:"-"`
}

// BindingSpec is the body of a Binding. It has roles or rights, or both.
type BindingSpec struct {
	Description string `json:"description,omitempty" is:"text"`
	// CEL over claims, subject, kind and issuer: whom it binds. Where it cannot be told, it binds not
	Subjects string        `json:"subjects" is:"text"`
	Roles    []BindingRole `json:"roles,omitempty" items:"1..5"`
	Rights   []Right       `json:"rights,omitempty" items:"1..7"` // beside those of the roles
	Scope    BindingScope  `json:"scope"`
}

// BindingScope is what a binding reaches: what all that is set here has in common.
type BindingScope struct {
	All           bool      `json:"all,omitempty"`                                     // everything; it stands alone
	Components    []string  `json:"components,omitempty" is:"nameGlob" items:"1..500"` // names, * for any letters
	Environments  []string  `json:"environments,omitempty" is:"name" items:"1..50"`
	ClusterGroups *Selector `json:"clusterGroups,omitempty"`
	Namespaces    []string  `json:"namespaces,omitempty" is:"nameGlob" items:"1..500"` // names, * for any letters
}

// Empty reports whether the scope says nothing at all, not even all.
func (s *BindingScope) Empty() bool { return !s.All && !s.narrows() }

func (s *BindingScope) narrows() bool {
	return len(s.Components) > 0 || len(s.Environments) > 0 || s.ClusterGroups != nil || len(s.Namespaces) > 0
}

// Right is something that one may do, as a verb.
type Right string

// The rights.
const (
	RightView     Right = "view"     // read: lists, states, reasons, reports, the audit
	RightPlan     Right = "plan"     // make plans, and store them
	RightOperate  Right = "operate"  // start runs, and tell runs, freezes and drills what to do
	RightApprove  Right = "approve"  // approve and reject, and let a plan pass a freeze or a policy
	RightRegister Right = "register" // apply and delete documents of which no other right speaks
	RightBind     Right = "bind"     // apply and delete bindings, sources and triggers, and make service tokens
	RightEnforce  Right = "enforce"  // apply and delete policies
)

// Rights lists every right.
func Rights() []Right {
	return []Right{RightView, RightPlan, RightOperate, RightApprove, RightRegister, RightBind, RightEnforce}
}

func (Right) values() []string { return texts(Rights()) }

// BindingRole is a set of rights with a name.
type BindingRole string

// The roles.
const (
	RoleViewer   BindingRole = "viewer"
	RolePlanner  BindingRole = "planner"
	RoleOperator BindingRole = "operator"
	RoleApprover BindingRole = "approver"
	RoleAdmin    BindingRole = "admin"
)

// BindingRoles lists every role.
func BindingRoles() []BindingRole {
	return []BindingRole{RoleViewer, RolePlanner, RoleOperator, RoleApprover, RoleAdmin}
}

func (BindingRole) values() []string { return texts(BindingRoles()) }

// Rights are what whoever has the role may do. No role both moves something and approves that, and none that says who may do what may
// do it for being that role.
func (r BindingRole) Rights() []Right {
	switch r {
	case RoleViewer:
		return []Right{RightView}
	case RolePlanner:
		return []Right{RightView, RightPlan}
	case RoleOperator:
		return []Right{RightView, RightPlan, RightOperate}
	case RoleApprover:
		return []Right{RightView, RightApprove}
	case RoleAdmin:
		return []Right{RightView, RightRegister, RightBind, RightEnforce}
	}
	return nil
}

// Gives lists the rights of the roles of a binding, and those that it gives beside them, in the order of Rights.
func (s *BindingSpec) Gives() (given []Right) {
	for _, right := range Rights() {
		named := slices.Contains(s.Rights, right)
		if named || slices.ContainsFunc(s.Roles, func(r BindingRole) bool { return slices.Contains(r.Rights(), right) }) {
			given = append(given, right)
		}
	}
	return given
}

// String says in words what the scope reaches.
func (s *BindingScope) String() string {
	if s.All {
		return "everything"
	}
	var parts []string
	for _, part := range []struct {
		what  string
		names []string
	}{{"components", s.Components}, {"environments", s.Environments}, {"namespaces", s.Namespaces}} {
		if len(part.names) > 0 {
			parts = append(parts, part.what+" "+strings.Join(part.names, ", "))
		}
	}
	if s.ClusterGroups != nil {
		parts = append(parts, "cluster groups with "+s.ClusterGroups.String())
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}
