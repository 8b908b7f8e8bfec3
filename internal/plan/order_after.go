package plan

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/fault"
)

// linkAfter resolves what the units of a stage wait for. A cluster or cluster group that an earlier stage took has ended by
// then; one that the run is narrowed past is noted; one that comes later or never would be waited for for ever, and is
// refused.
func (b *builder) linkAfter(s *StagePlan, members []*member) error {
	left := map[string]bool{}
	for _, m := range members {
		after, err := b.clustersBefore(m, left)
		if err != nil {
			return err
		}
		m.after = after
		if m.behind, err = b.groupsBefore(m, left); err != nil {
			return err
		}
	}
	s.Notes = append(s.Notes, sortedKeys(left)...)
	return nil
}

func (b *builder) clustersBefore(m *member, left map[string]bool) ([]string, error) {
	var after []string
	for _, name := range sorted(m.cluster.Spec.After) {
		before := b.fleet.places[name]
		if before == nil {
			return nil, fault.New(fault.Invalid, "cluster %s goes after %s, which no document declares", m.Cluster, name)
		}
		if b.taken[name] == "" {
			return nil, fault.New(fault.Invalid, "cluster %s goes after %s, which neither this stage nor an earlier one takes", m.Cluster, name)
		}
		if !b.in.takes(before.Place) {
			left["cluster "+m.Cluster+" goes after "+name+", which this run leaves out"] = true
			continue
		}
		after = append(after, name)
	}
	return after, nil
}

func (b *builder) groupsBefore(m *member, left map[string]bool) ([]string, error) {
	var behind []string
	for _, name := range sorted(m.group.Spec.After) {
		if b.in.Documents.ClusterGroups[name] == nil {
			return nil, fault.New(fault.Invalid, "cluster group %s goes after %s, which no document declares", m.Group, name)
		}
		members := b.fleet.members[name]
		if len(members) == 0 {
			continue
		}
		if late := len(members) - b.groups[name]; late > 0 && b.groups[name] > 0 {
			note := fmt.Sprintf("cluster group %s goes after %s, of which this stage and those before it leave out %s",
				m.Group, name, count(late, "cluster"))
			left[note] = true
		}
		if b.groups[name] == 0 {
			return nil, fault.New(fault.Invalid,
				"cluster group %s goes after %s, of which neither this stage nor an earlier one takes a cluster", m.Group, name)
		}
		if !slices.ContainsFunc(members, func(p *placement) bool { return b.taken[p.Cluster] != "" && b.in.takes(p.Place) }) {
			left["cluster group "+m.Group+" goes after "+name+", which this run leaves out"] = true
			continue
		}
		behind = append(behind, name)
	}
	return behind, nil
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
