package sqlite

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
)

// OpenRuns implements ledger.Numbers.
func (s *Store) OpenRuns(ctx context.Context, limit int) ([]ledger.OpenRun, error) {
	list, err := rows(ctx, s.db, scanOpenRun, `
		SELECT MAX(started,
			COALESCE((SELECT MAX(moved) FROM observations o WHERE o.run = runs.name), ''),
			COALESCE((SELECT MAX(at) FROM audit a WHERE a.object = runs.name AND a.command <> 'notify'), '')), `+runColumns+`
		FROM runs WHERE ended = '' ORDER BY seq LIMIT ?`, ledger.Rows(limit))
	return list, failed(err, "cannot list open runs")
}

func scanOpenRun(row scanner) (ledger.OpenRun, error) {
	var open ledger.OpenRun
	var err error
	open.Run, err = scanRun(after{row, moment{&open.Moved}})
	return open, err
}

// CountEnded implements ledger.Numbers.
func (s *Store) CountEnded(ctx context.Context) (map[string]int, error) {
	type count struct {
		phase string
		runs  int
	}
	counts, err := rows(ctx, s.db, func(row scanner) (c count, err error) {
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
	list, err := rows(ctx, s.db, func(row scanner) (c ledger.Counted, err error) {
		err = row.Scan(&c.Command, &c.Refused, &c.Entries)
		return c, err
	},
		`SELECT command, substr(outcome, 1, length(?)) = ?, COUNT(*) FROM audit GROUP BY 1, 2 ORDER BY 1, 2`, ledger.Refused, ledger.Refused)
	return list, failed(err, "cannot count the audit")
}

// LastDeployed implements ledger.Numbers.
func (s *Store) LastDeployed(ctx context.Context, limit int) ([]ledger.Deployed, error) {
	list, err := rows(ctx, s.db, scanDeployed, `
		SELECT cluster, component, MAX(since) FROM (SELECT * FROM deployments ORDER BY seq DESC LIMIT ?)
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
	err := s.db.QueryRowContext(ctx, `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`).Scan(&bytes)
	return bytes, failed(err, "cannot measure the ledger")
}
