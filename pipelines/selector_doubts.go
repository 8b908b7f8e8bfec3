package pipelines

import (
	"fmt"
	"maps"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// Doubt is something in the selectors of a stage, or of a policy, that is allowed and hardly meant: a label or a value that nothing has.
type Doubt struct {
	Message string
	Similar bool  // something is written almost so, and is named in the message
	path    []any // inside the stage
}

// Labels are the labels that the cluster groups and the clusters of a fleet have, those that Sluice makes among them. Each
// kind is gathered when a selector first asks for it.
type Labels struct {
	docs             *Documents
	groups, clusters labelsInUse
}

// Labels are those of the fleet.
func (d *Documents) Labels() *Labels { return &Labels{docs: d} }

func (l *Labels) ofGroups() labelsInUse {
	if l.groups == nil {
		l.groups = labelsInUse{}
		for _, g := range l.docs.ClusterGroups {
			l.groups.add(g.EffectiveLabels())
		}
	}
	return l.groups
}

func (l *Labels) ofClusters() labelsInUse {
	if l.clusters == nil {
		l.clusters = labelsInUse{}
		for _, c := range l.docs.Clusters {
			l.clusters.add(c.EffectiveLabels(l.docs.ClusterGroups[c.Spec.Group]))
		}
	}
	return l.clusters
}

// Doubts lists what in the selectors of a stage nothing in the fleet answers to. A stage that may be empty is doubted only
// where something like it is there. Where there are no cluster groups, or no clusters, their selector is not doubted:
// pipelines are also checked in folders of their own.
func (l *Labels) Doubts(s *Stage) []Doubt {
	doubts := doubtsOf(s.ClusterGroups, l.ofGroups, "cluster group", s.MayBeEmpty, "clusterGroups")
	return append(doubts, doubtsOf(s.Clusters, l.ofClusters, "cluster", s.MayBeEmpty, "clusters")...)
}

// DoubtsOfPolicy lists what in the selector of a policy no cluster answers to.
func (l *Labels) DoubtsOfPolicy(s *PolicySpec) []Doubt {
	return doubtsOf(s.Clusters, l.ofClusters, "cluster", false, "clusters")
}

// DoubtsOfScope lists what in the selector of a binding's scope no cluster group answers to.
func (l *Labels) DoubtsOfScope(s *BindingScope) []Doubt {
	return doubtsOf(s.ClusterGroups, l.ofGroups, "cluster group", false, "clusterGroups")
}

// labelsInUse are the values of each label that something has.
type labelsInUse map[string]map[string]bool

func (u labelsInUse) add(labels map[string]string) {
	for key, value := range labels {
		if u[key] == nil {
			u[key] = map[string]bool{}
		}
		u[key][value] = true
	}
}

func doubtsOf(s *Selector, inUse func() labelsInUse, noun string, mayBeEmpty bool, field string) []Doubt {
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return nil
	}
	u := inUse()
	if len(u) == 0 {
		return nil
	}
	var doubts []Doubt
	doubt := func(key, value string, path ...any) {
		message, similar := u.missing(noun, key, value)
		if message == "" || mayBeEmpty && !similar {
			return
		}
		doubts = append(doubts, Doubt{Message: message, Similar: similar, path: append([]any{field}, path...)})
	}
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		doubt(key, s.MatchLabels[key], "matchLabels", key)
	}
	for i, r := range s.MatchExpressions {
		if len(r.Values) == 0 && r.Operator == OpExists && u[r.Key] == nil {
			doubt(r.Key, "", "matchExpressions", i, "key")
		}
		for j, value := range r.Values {
			doubt(r.Key, value, "matchExpressions", i, "values", j)
		}
	}
	return doubts
}

// missing says that nothing has the label, or that nothing has the value under it; "" where something does. Similar is
// whether something has one that is written almost so.
func (u labelsInUse) missing(noun, key, value string) (message string, similar bool) {
	if u[key][value] {
		return "", false
	}
	near := ""
	if u[key] == nil {
		if len(u) <= maxSuggestFrom {
			near = rule.Suggest(key, slices.Sorted(maps.Keys(u)))
		}
		return fmt.Sprintf("no %s has the label %s%s", noun, key, near), near != ""
	}
	if len(u[key]) <= maxSuggestFrom {
		near = rule.Suggest(value, slices.Sorted(maps.Keys(u[key])))
	}
	return fmt.Sprintf("no %s has %s %s%s", noun, key, value, near), near != ""
}
