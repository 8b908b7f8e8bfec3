package plan

import "strings"

// Shared is a text about clusters in which it is the same, but for what each has its own of.
type Shared struct {
	Clusters []string
	Own      []string // what each of them has its own of
	Text     string
}

// Seen is what was seen in the clusters of a plan, each text said once. Lists are in plan order.
type Seen struct {
	Batches     []Shared
	Changes     []Shared // the objects that change, then the diff
	Drift       []Shared
	Notes       []Shared
	Refusals    []Shared
	Unreachable []Shared // why they could not be looked at
	Unchanged   []string // clusters in which nothing is to be done
	Missing     []string // clusters that nobody looked at
}

// Share says what was seen for a plan. Text returns the unified diff of a blob digest; where it is nil, changes are the objects alone.
func Share(p *Plan, live *Live, text func(digest string) (string, error)) (Seen, error) {
	seen, err := look(p, live, text)
	if err != nil {
		return Seen{}, err
	}
	all := Seen{
		Batches: shared(groupAlike(seen.reached, batchText)), Changes: shared(groupAlike(seen.reached, changeText)),
		Drift:       shared(groupAlike(seen.reached, driftText)),
		Unreachable: shared(groupAlike(seen.unreachable, func(s *sight) string { return s.Unreachable })),
		Missing:     seen.missing,
	}
	var notes, refusals []line
	for _, s := range seen.reached {
		for _, note := range s.Notes {
			notes = append(notes, line{s, note})
		}
		if s.still() {
			all.Unchanged = append(all.Unchanged, s.ClusterDiff.Cluster)
		}
	}
	for _, s := range append(seen.reached, seen.unreachable...) {
		for _, r := range s.Refusals {
			refusals = append(refusals, line{s, r.String()})
		}
	}
	all.Notes, all.Refusals = shared(groupLines(notes)), shared(groupLines(refusals))
	return all, nil
}

func shared(groups []*alike) []Shared {
	var all []Shared
	for _, g := range groups {
		var kept strings.Builder
		for line := range strings.Lines(g.text) {
			if !strings.HasPrefix(line, hiddenDigest) {
				kept.WriteString(line)
			}
		}
		all = append(all, Shared{Clusters: g.clusters, Own: g.own, Text: kept.String()})
	}
	return all
}

// SharedDiffs are the changes of a plan, each said once, in plan order. Text returns the unified diff of a blob digest.
func SharedDiffs(p *Plan, live *Live, text func(digest string) (string, error)) ([]Shared, error) {
	seen, err := look(p, live, text)
	if err != nil {
		return nil, err
	}
	return shared(groupAlike(seen.reached, changeText)), nil
}
