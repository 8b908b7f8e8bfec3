package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"sluice.dev/sluice/internal/probing"
)

// TestWhatWasMissedBeforeNobodyCounted is of a ledger from before runs that are missed were counted: all that a case ever missed is no news.
func TestWhatWasMissedBeforeNobodyCounted(t *testing.T) {
	path, ctx, noon := filepath.Join(t.TempDir(), "ledger.db"), t.Context(), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	l := open(t, path)
	say := func(minute int, missed ...int64) {
		t.Helper()
		at := noon.Add(time.Duration(minute) * time.Minute)
		var all []probing.Said
		for _, n := range missed {
			st := probing.Stand{Case: "etcd", State: probing.Passing, Since: noon, Missed: n}
			all = append(all, probing.Said{Cluster: "c1", At: at, Stands: []probing.Stand{st}})
		}
		if err := l.SaveSaid(ctx, all, at); err != nil {
			t.Fatal(err)
		}
	}
	missed := func(want int64) {
		t.Helper()
		var got int64
		for _, n := range must(l.ListProbeNoise(ctx, "etcd", noon, noon.Add(time.Hour))) {
			got += n.Missed
		}
		if got != want {
			t.Errorf("%d are missed, not %d", got, want)
		}
	}
	say(0, 40)
	if _, err := raw(t, path).Exec(`UPDATE probe_stands SET since = '', missed = 0`); err != nil { // as the step of the schema leaves it
		t.Fatal(err)
	}
	say(1, 41, 43)
	missed(2)
	say(2, 44)
	missed(3)
}
