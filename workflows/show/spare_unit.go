package show

import (
	"slices"

	"sluice.dev/sluice/internal/api"
)

// SpareUnit keeps what the checks of a unit say and saw within so many bytes, as its run is stored: half for what is told in full, half
// for what is told in few words. The latest list is kept first, nil for the cluster's own, then the others from the last batch on;
// within a list what did not pass. Of what has no room at all the list says that there was more.
func SpareUnit(u *api.UnitStatus, latest *api.BatchStatus, most int) {
	room := roomFor{full: most / 2, short: most / 2}
	if latest != nil {
		room.keep(&latest.Checks, &latest.Spared)
	}
	room.keep(&u.Checks, &u.Spared)
	for i := len(u.Batches) - 1; i >= 0; i-- {
		if b := &u.Batches[i]; b != latest {
			room.keep(&b.Checks, &b.Spared)
		}
	}
}

// roomFor is how many bytes are left for checks that are told in full, and in few words.
type roomFor struct{ full, short int }

func (r *roomFor) keep(list *[]api.Check, spared *bool) {
	if r.short <= 0 && len(*list) > 0 { // nothing older is weighed any more
		*list, *spared = nil, true
		return
	}
	left := make([]bool, len(*list))
	for _, passed := range []bool{false, true} {
		for i := range *list {
			if c := &(*list)[i]; (c.Verdict == api.Passed) == passed {
				left[i] = !r.take(c)
			}
		}
	}
	if !slices.Contains(left, true) {
		return
	}
	*spared = true
	kept := make([]api.Check, 0, len(*list))
	for i, c := range *list {
		if !left[i] {
			kept = append(kept, c)
		}
	}
	*list = kept
}

// take keeps a check as it is, or shortens it. It returns false where there is no room for either.
func (r *roomFor) take(c *api.Check) bool {
	if n := stored(*c); n <= r.full {
		r.full -= n
		return true
	}
	shorten(c)
	r.short -= stored(*c)
	return r.short >= 0
}
