package pipelines

import (
	"fmt"
	"maps"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// Doubt is something in a stage's selectors that is allowed and hardly meant: a label or a value that nothing has.
type Doubt struct {
	Message string
	Similar bool  // something is written almost so, and is named in the message
	path    []any // inside the stage
}

// Labels are the labels that the cluster groups and the clusters of a fleet have.
type Labels struct {
	groups, clusters labelsInUse
}

// Labels gathers the labels of the fleet, those that Sluice makes among them.
func (d *Documents) Labels() *Labels {
	all := &Labels{groups: labelsInUse{}, clusters: labelsInUse{}}
	for _, g := range d.ClusterGroups {
		all.groups.add(g.EffectiveLabels())
	}
	for _, c := range d.Clusters {
		all.clusters.add(c.EffectiveLabels(d.ClusterGroups[c.Spec.Group]))
	}
	return all
}

// Doubts lists what in the selectors of a stage nothing in the fleet answers to. A stage that may be empty is doubted only
// where something like it is there. Where there are no cluster groups, or no clusters, their selector is not doubted:
// pipelines are also checked in folders of their own.
func (l *Labels) Doubts(s *Stage) []Doubt {
	doubts := l.groups.doubts(s.ClusterGroups, "cluster group", s.MayBeEmpty, "clusterGroups")
	return append(doubts, l.clusters.doubts(s.Clusters, "cluster", s.MayBeEmpty, "clusters")...)
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

func (u labelsInUse) doubts(s *Selector, noun string, mayBeEmpty bool, field string) []Doubt {
	if s == nil || len(u) == 0 {
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
