package plan

import (
	"cmp"
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// stage resolves one stage: which clusters, in which groups, in which order, under which rules.
func (b *builder) stage(p *Plan, s *pipelines.Stage) (StagePlan, error) {
	rules, err := b.rules(p, s)
	if err != nil {
		return StagePlan{}, err
	}
	out := StagePlan{Name: s.Name, Rules: rules}
	sel, err := b.selection(s)
	if err != nil {
		return StagePlan{}, err
	}
	for _, p := range sel.fresh {
		b.taken[p.Cluster] = s.Name
		b.groups[p.Group]++
	}
	out.Notes = append(sel.notes(), b.doubts(s)...)
	if len(sel.leftOut) > 0 {
		out.Whole = len(sel.fresh)
	}
	if out.LeftOut, err = b.leftOut(p, sel.leftOut); err != nil {
		return StagePlan{}, err
	}
	b.empty = append(b.empty, len(sel.fresh) == 0)
	if out.Skipped = sel.empty(); out.Skipped != "" {
		return out, nil
	}
	b.addLogPatterns(out.Rules.Checks)
	if err := b.bindMetrics(out.Rules.Checks, sel.groupsOfUnits()); err != nil {
		return StagePlan{}, err
	}
	members, err := b.members(sel.units)
	if err != nil {
		return StagePlan{}, err
	}
	if err := b.linkAfter(&out, members); err != nil {
		return StagePlan{}, err
	}
	if err := orderStage(&out, members); err != nil {
		return StagePlan{}, err
	}
	if err := b.fillUnits(p, &out); err != nil {
		return StagePlan{}, err
	}
	out.Notes = append(out.Notes, blindSoaks(rules)...)
	if out.Approvers, out.Approvals, err = b.approvers(s); err != nil {
		return StagePlan{}, err
	}
	out.MaxFailures = rules.MaxFailures.BudgetOf(len(members))
	out.MaxUnreachable = rules.MaxUnreachable.BudgetOf(len(members))
	if most := rules.MaxGroupFailures; most != nil {
		for i := range out.Groups {
			out.Groups[i].MaxFailures = new(most.BudgetOf(len(out.Groups[i].Units)))
		}
	}
	return out, nil
}

// selection is what the selectors of a stage choose, and what became of it.
type selection struct {
	narrowing string
	groups    []string     // cluster groups that match
	found     int          // clusters in these groups
	matched   int          // of these, clusters that match the stage's own selector
	earlier   []string     // of these, clusters that an earlier stage took, with its name
	fresh     []*placement // the rest
	units     []*placement // of these, what the run is narrowed to
	leftOut   []*placement // of these, the rest
	chosen    *pipelines.Stage
}

func (b *builder) selection(s *pipelines.Stage) (*selection, error) {
	if s.ClusterGroups == nil {
		return nil, fault.New(fault.Invalid, "clusterGroups is missing; all of them is written all: true")
	}
	sel := &selection{narrowing: b.in.narrowing(), chosen: s}
	for _, g := range b.fleet.groups {
		if !s.ClusterGroups.Matches(g.EffectiveLabels(), g.Metadata.Name) {
			continue
		}
		sel.groups = append(sel.groups, g.Metadata.Name)
		for _, p := range b.fleet.members[g.Metadata.Name] {
			sel.found++
			if s.Clusters != nil && !s.Clusters.Matches(p.labels, p.Cluster) {
				continue
			}
			sel.matched++
			if earlier := b.taken[p.Cluster]; earlier != "" {
				sel.earlier = append(sel.earlier, p.Cluster+" ("+earlier+")")
				continue
			}
			sel.fresh = append(sel.fresh, p)
			if b.in.takes(p.Place) {
				sel.units = append(sel.units, p)
			} else {
				sel.leftOut = append(sel.leftOut, p)
			}
		}
	}
	return sel, nil
}

// empty says why nothing was selected; "" where something was.
func (s *selection) empty() string {
	const head = "selects no cluster: "
	switch {
	case len(s.units) > 0:
		return ""
	case len(s.groups) == 0:
		return head + "no cluster group matches " + s.chosen.ClusterGroups.String()
	case s.found == 0:
		return head + "there is no cluster in " + names(s.groups)
	case s.matched == 0:
		return fmt.Sprintf("%sof %s in %s none matches %s", head, count(s.found, "cluster"), names(s.groups), s.chosen.Clusters)
	case len(s.fresh) == 0:
		return head + "earlier stages take " + names(s.earlier)
	default:
		return head + s.narrowing
	}
}

// groupsOfUnits are the cluster groups of the units, each once.
func (s *selection) groupsOfUnits() []string {
	var groups []string
	for _, u := range s.units {
		if !slices.Contains(groups, u.Group) {
			groups = append(groups, u.Group)
		}
	}
	return groups
}

func (s *selection) notes() []string {
	if len(s.earlier) == 0 || len(s.fresh) == 0 {
		return nil
	}
	return []string{"an earlier stage takes " + names(s.earlier)}
}

// names lists at most eight names, and says how many more there are.
func names(all []string) string { return clip.Few(all, 8) }

// member is a cluster of a stage on its way to being a Unit.
type member struct {
	*placement
	score   int // hundredths of a point
	reasons []Reason
	after   []string // clusters, in this stage or an earlier one
	behind  []string // cluster groups, in this stage or an earlier one
}

func (b *builder) members(places []*placement) ([]*member, error) {
	members := make([]*member, 0, len(places))
	for _, p := range places {
		if p.cluster.Spec.UserGrade < 0 || p.cluster.Spec.UserGrade > 10 {
			return nil, fault.New(fault.Invalid, "cannot score cluster %s: userGrade is %d, not 0 to 10", p.Cluster, p.cluster.Spec.UserGrade)
		}
		m := &member{placement: p}
		m.score, m.reasons = b.scorer.score(p)
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b *member) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return members, nil
}

// fillUnits gives ordered units what only they have: values, target, way back.
func (b *builder) fillUnits(p *Plan, s *StagePlan) error {
	for i := range s.Groups {
		for j := range s.Groups[i].Units {
			u := &s.Groups[i].Units[j]
			place := b.fleet.places[u.Cluster].rendered(p.Source.Kind)
			values, err := b.in.Values(place)
			if err != nil {
				return fault.Wrap(fault.CodeOf(err), err, "cannot merge the values of cluster %s", u.Cluster)
			}
			u.Values = values
			u.Target = targetDigest(p, place, values)
			u.WayBack = b.in.WayBack[u.Cluster]
		}
	}
	return nil
}

// unit is the part of a Unit that stands before its order is known.
func (m *member) unit() Unit {
	return Unit{
		Path:          m.Group + "/" + m.Cluster,
		Cluster:       m.Cluster,
		Context:       m.context(),
		Site:          m.cluster.Spec.Site,
		Group:         m.Group,
		Environment:   m.Environment,
		BusinessSide:  m.BusinessSide,
		NetworkDomain: m.NetworkDomain,
		Region:        m.Region,
		Labels:        m.labels,
		Domains:       m.domains,
		After:         m.after,
		AfterGroups:   m.behind,
		Score:         float64(m.score) / 100,
		Reasons:       m.reasons,
	}
}
