package plan

import "strings"

// SharedDiff is what changes in clusters where the same changes, but for what each has its own of.
type SharedDiff struct {
	Clusters []string
	Own      []string // what each of them has its own of
	Text     string   // the objects that change, then the diff
}

// SharedDiffs are the changes of a plan, each said once, in plan order. Text returns the unified diff of a blob digest.
func SharedDiffs(p *Plan, live *Live, text func(digest string) (string, error)) ([]SharedDiff, error) {
	seen, err := look(p, live, text)
	if err != nil {
		return nil, err
	}
	var all []SharedDiff
	for _, g := range groupAlike(seen.reached, changeText) {
		var kept strings.Builder
		for line := range strings.Lines(g.text) {
			if !strings.HasPrefix(line, hiddenDigest) {
				kept.WriteString(line)
			}
		}
		all = append(all, SharedDiff{Clusters: g.clusters, Own: g.own, Text: kept.String()})
	}
	return all, nil
}
