package show_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/show"
)

// TestAUnitKeepsWhatItsLatestChecksSaw: what has room only in few words says so, and of what has none at all a list says that there was
// more. What did not pass comes first.
func TestAUnitKeepsWhatItsLatestChecksSaw(t *testing.T) {
	list := func(n int) (all []api.Check) {
		for i := range n {
			all = append(all, api.Check{
				Name: fmt.Sprint("check-", i), Verdict: api.Passed, Message: strings.Repeat("m", 500),
				Seen: map[string]any{"series": strings.Repeat("s", 2000)},
			})
		}
		all[n-1].Verdict, all[n-1].Advisory = api.Failed, true
		return all
	}
	for _, c := range []struct {
		reason                 string
		batches, checks, most  int
		latest                 int // -1 is the cluster
		full, short, none, cut int // batches that have all in full, that have all in few words, that have none, that have some
	}{
		{"where there is room nothing is lost", 3, 4, 100_000, 2, 3, 0, 0, 0},
		{"older batches are told in few words", 5, 4, 40_000, 4, 1, 3, 0, 1},
		{"the latest ones come first, wherever they are", 5, 4, 40_000, 0, 1, 3, 0, 1},
		{"those of the cluster, too", 5, 4, 40_000, -1, 1, 3, 0, 1},
		{"the oldest give up all", 300, 10, 40_000, 299, 0, 10, 288, 2},
		{"one that has no room leaves out what passed", 1, 300, 40_000, 0, 0, 0, 0, 1},
	} {
		u := api.UnitStatus{Checks: list(1)}
		for range c.batches {
			u.Batches = append(u.Batches, api.BatchStatus{Checks: list(c.checks)})
		}
		var latest *api.BatchStatus
		if c.latest >= 0 {
			latest = &u.Batches[c.latest]
		}
		show.SpareUnit(&u, latest, c.most)
		full, short, none, cut := 0, 0, 0, 0
		for _, b := range u.Batches {
			whole := 0
			for _, k := range b.Checks {
				if k.Seen["series"] != nil {
					whole++
				}
			}
			switch {
			case whole == c.checks:
				full++
			case len(b.Checks) == 0 && b.Spared:
				none++
			case whole == 0 && len(b.Checks) == c.checks && !b.Spared:
				short++
			default:
				cut++
			}
			if n := len(b.Checks); n > 0 && b.Checks[n-1].Verdict != api.Failed {
				t.Errorf("%s: what did not pass is left out, and what passed is not", c.reason)
			}
		}
		if full != c.full || short != c.short || none != c.none || cut != c.cut {
			t.Errorf("%s: %d full, %d short, %d none, %d others", c.reason, full, short, none, cut)
		}
		if latest != nil && c.checks < 10 && latest.Checks[0].Seen["series"] == nil {
			t.Errorf("%s: the latest batch gave up what its checks saw", c.reason)
		}
		body, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(body); n > c.most+c.batches*200 {
			t.Errorf("%s: all of it takes %d bytes", c.reason, n)
		}
	}
}
