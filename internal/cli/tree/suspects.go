package tree

import "sluice.dev/sluice/internal/api"

// mostSuspects is how many suspects a unit names.
const mostSuspects = 2

// suspects are what else had touched a unit before it failed, the most likely first.
func (d *drawer) suspects(u *api.UnitStatus) (rows []row) {
	for _, b := range d.in.View.Blame {
		if b.Unit != u.Path {
			continue
		}
		others := b.Others(d.in.View.Name)
		for _, s := range others[:min(len(others), mostSuspects)] {
			rows = append(rows, row{indent: 2, mark: " ", name: "suspect", phase: u.Phase, rank: rankEnded, cells: [4]string{3: s.String()}})
		}
	}
	return rows
}
