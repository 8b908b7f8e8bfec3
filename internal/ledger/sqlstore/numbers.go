package sqlstore

import (
	"context"
	"slices"
	"time"

	"sluice.dev/sluice/internal/ledger"
)

// OpenRuns implements ledger.Numbers.
func (s *Store) OpenRuns(ctx context.Context, limit int) ([]ledger.OpenRun, error) {
	list, err := rows(ctx, s.all, scanOpenRun, `
		SELECT COALESCE((SELECT MAX(moved) FROM observations o WHERE o.run = runs.name), ''),
			COALESCE((SELECT MAX(at) FROM audit a WHERE a.object = runs.name AND a.command <> 'notify'), ''), `+runColumns+`
		FROM runs WHERE ended = '' ORDER BY seq LIMIT ?`, ledger.Rows(limit))
	return list, failed(err, "cannot list open runs")
}

func scanOpenRun(row scanner) (ledger.OpenRun, error) {
	var open ledger.OpenRun
	var moved, told time.Time
	var err error
	open.Run, err = scanRun(after{row, []any{moment{&moved}, moment{&told}}})
	open.Moved = slices.MaxFunc([]time.Time{open.Started, moved, told}, time.Time.Compare)
	return open, err
}

// CountEnded implements ledger.Numbers.
func (s *Store) CountEnded(ctx context.Context) (map[string]int, error) {
	type count struct {
		phase string
		runs  int
	}
	counts, err := rows(ctx, s.all, func(row scanner) (c count, err error) {
		err = row.Scan(&c.phase, &c.runs)
		return c, err
	},
		`SELECT phase, COUNT(*) FROM runs WHERE ended <> '' AND drill = '' GROUP BY phase`)
	all := map[string]int{}
	for _, c := range counts {
		all[c.phase] = c.runs
	}
	return all, failed(err, "cannot count runs")
}

// CountEntries implements ledger.Numbers.
func (s *Store) CountEntries(ctx context.Context) ([]ledger.Counted, error) {
	list, err := rows(ctx, s.all, func(row scanner) (c ledger.Counted, err error) {
		err = row.Scan(&c.Command, &c.Refused, &c.Entries)
		return c, err
	},
		`SELECT command, substr(outcome, 1, length(?)) = ?, COUNT(*) FROM audit GROUP BY 1, 2 ORDER BY 1, 2`, ledger.Refused, ledger.Refused)
	return list, failed(err, "cannot count the audit")
}

// LastDeployed implements ledger.Numbers.
func (s *Store) LastDeployed(ctx context.Context, limit int) ([]ledger.Deployed, error) {
	list, err := rows(ctx, s.all, scanDeployed, `
		SELECT cluster, component, MAX(since) FROM (SELECT * FROM deployments ORDER BY seq DESC LIMIT ?) AS d
		GROUP BY cluster, component ORDER BY MAX(seq) DESC`, ledger.Rows(limit))
	return list, failed(err, "cannot list what was deployed last")
}

func scanDeployed(row scanner) (d ledger.Deployed, err error) {
	err = row.Scan(&d.Cluster, column{&d.Subject}, moment{&d.At})
	return d, err
}

// Size implements ledger.Numbers.
func (s *Store) Size(ctx context.Context) (int64, error) {
	var bytes int64
	err := s.all.QueryRowContext(ctx, s.database.Size).Scan(&bytes)
	return bytes, failed(err, "cannot measure the ledger")
}
