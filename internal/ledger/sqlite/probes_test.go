package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"sluice.dev/sluice/internal/ledger/sqlstore"
	"sluice.dev/sluice/internal/probing"
)

// TestWhatWasMissedBeforeNobodyCounted is of a ledger from before runs that are missed were counted: all that a case ever missed is no news.
func TestWhatWasMissedBeforeNobodyCounted(t *testing.T) {
	m := newMisses(t)
	m.says(0, 40)
	if _, err := raw(t, m.path).Exec(`UPDATE probe_stands SET since = '', missed = 0`); err != nil { // as the step of the schema leaves it
		t.Fatal(err)
	}
	m.says(1, 41, 43)
	m.counted("since it is counted", 2)
	m.says(2, 44)
	m.counted("from then on", 3)
}

// TestAFewLessMissedAreNotAllOfThem is of an agent that was killed between saying how many were missed and writing that down.
func TestAFewLessMissedAreNotAllOfThem(t *testing.T) {
	m := newMisses(t)
	m.says(0, 100)
	m.says(1, 102)
	m.says(2, 101)
	m.says(3, 102)
	m.counted("it had forgotten one", 3)
	m.says(4, 2)
	m.counted("the case is another one", 5)
}

// misses are how many runs a case has missed, as a cluster says by the minute.
type misses struct {
	*testing.T
	*sqlstore.Store
	path string
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func newMisses(t *testing.T) *misses {
	path := filepath.Join(t.TempDir(), "ledger.db")
	return &misses{T: t, Store: open(t, path), path: path}
}

func (m *misses) says(minute int, missed ...int64) {
	m.Helper()
	at := noon.Add(time.Duration(minute) * time.Minute)
	var all []probing.Said
	for _, n := range missed {
		st := probing.Stand{Case: "etcd", State: probing.Passing, Since: noon, Missed: n}
		all = append(all, probing.Said{Cluster: "c1", At: at, Stands: []probing.Stand{st}})
	}
	if err := m.SaveSaid(m.Context(), all, at); err != nil {
		m.Fatal(err)
	}
}

func (m *misses) counted(reason string, want int64) {
	m.Helper()
	var got int64
	for _, n := range must(m.ListProbeNoise(m.Context(), "etcd", noon, noon.Add(time.Hour))) {
		got += n.Missed
	}
	if got != want {
		m.Errorf("%s: %d are missed, not %d", reason, got, want)
	}
}
