package pipelines

import (
	"maps"
	"slices"
	"strings"
)

// NodeSet is a set of nodes that is moved before the next one is looked at.
type NodeSet struct {
	Name     string `json:"name,omitempty" is:"name"` // default: made of its selector
	Selector `json:",inline"`
}

// Selector chooses by labels, or everything where all is true. An empty one is an error. What it lists must all hold.
type Selector struct {
	All              bool                  `json:"all,omitempty"`
	MatchLabels      map[string]string     `json:"matchLabels,omitempty" keys:"labelKey" is:"labelValue"`
	MatchExpressions []SelectorRequirement `json:"matchExpressions,omitempty" items:"1..100"`
	Names            []string              `json:"names,omitempty" is:"text" items:"1..10000"`
}

// SelectorRequirement is a requirement as in Kubernetes: In, NotIn, Exists, DoesNotExist.
type SelectorRequirement struct {
	Key      string   `json:"key" is:"labelKey"`
	Operator string   `json:"operator" is:"operator"`
	Values   []string `json:"values,omitempty" is:"labelValue" items:"1..1000"`
}

// The operators of a requirement.
const (
	OpIn           = "In"
	OpNotIn        = "NotIn"
	OpExists       = "Exists"
	OpDoesNotExist = "DoesNotExist"
)

// Empty reports whether the selector says nothing at all, not even all.
func (s Selector) Empty() bool {
	return !s.All && !s.narrows()
}

func (s Selector) narrows() bool {
	return len(s.MatchLabels) > 0 || len(s.MatchExpressions) > 0 || len(s.Names) > 0
}

// Matches reports whether something with these labels and this name is chosen. An empty selector chooses nothing.
func (s Selector) Matches(labels map[string]string, name string) bool {
	if s.All {
		return true
	}
	if s.Empty() {
		return false
	}
	if len(s.Names) > 0 && !slices.Contains(s.Names, name) {
		return false
	}
	for key, want := range s.MatchLabels {
		if got, ok := labels[key]; !ok || got != want {
			return false
		}
	}
	for _, r := range s.MatchExpressions {
		if !r.matches(labels) {
			return false
		}
	}
	return true
}

func (r SelectorRequirement) matches(labels map[string]string) bool {
	value, ok := labels[r.Key]
	switch r.Operator {
	case OpIn:
		return ok && slices.Contains(r.Values, value)
	case OpNotIn: // as in Kubernetes, what has no such label is not in
		return !ok || !slices.Contains(r.Values, value)
	case OpExists:
		return ok
	case OpDoesNotExist:
		return !ok
	}
	return false
}

// String prints the selector on one line, the same for equal selectors: "all", "pool=canary,zone in (a,b)".
func (s Selector) String() string {
	if s.All {
		return "all"
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		parts = append(parts, key+"="+s.MatchLabels[key])
	}
	for _, r := range s.MatchExpressions {
		parts = append(parts, r.String())
	}
	if len(s.Names) > 0 {
		parts = append(parts, "name in ("+strings.Join(s.Names, ",")+")")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ",")
}

// String prints the requirement as kubectl would take it.
func (r SelectorRequirement) String() string {
	switch r.Operator {
	case OpExists:
		return r.Key
	case OpDoesNotExist:
		return "!" + r.Key
	case OpNotIn:
		return r.Key + " notin (" + strings.Join(r.Values, ",") + ")"
	}
	return r.Key + " in (" + strings.Join(r.Values, ",") + ")"
}

// derivedName makes a name that fits into a unit path: letters, digits and dashes of the selector.
func (s Selector) derivedName() string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(s.String()) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			dash = b.Len() > 0
			continue
		}
		if dash {
			b.WriteByte('-')
			dash = false
		}
		b.WriteRune(r)
		if b.Len() >= 40 {
			break
		}
	}
	return b.String()
}
