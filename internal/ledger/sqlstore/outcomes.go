package sqlstore

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/ledger"
)

const outcomeColumns = `run, cluster, plan, failed, ended`

// NoteOutcome implements ledger.Outcomes.
func (s *Store) NoteOutcome(ctx context.Context, o ledger.Outcome) error {
	if err := o.Check(); err != nil {
		return failed(err, "cannot note how it went in %s", o.Cluster)
	}
	err := s.write(ctx, turnOfOutcomes, func(tx handle) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE outcomes SET failed = CASE failed WHEN '' THEN ? ELSE failed END, ended = CASE ended WHEN '' THEN ? ELSE ended END,
				at = CASE failed WHEN '' THEN ? ELSE at END
			WHERE run = ? AND cluster = ?`,
			formatTime(o.Failed), formatTime(o.Ended), formatTime(o.At()), o.Run, o.Cluster)
		if err != nil || !o.Passed && o.Failed.IsZero() {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO outcomes (`+outcomeColumns+`, at) SELECT ?, ?, ?, ?, ?, ?
			WHERE NOT EXISTS (SELECT 1 FROM runs WHERE name = ? AND drill <> '') ON CONFLICT (run, cluster) DO NOTHING`,
			o.Run, o.Cluster, o.Plan, formatTime(o.Failed), formatTime(o.Ended), formatTime(o.At()), o.Run)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM outcomes WHERE at < ?`, formatTime(o.At().Add(-ledger.OutcomesFor)))
		return err
	})
	return failed(err, "cannot note how it went in %s", o.Cluster)
}

// ListOutcomes implements ledger.Outcomes.
func (s *Store) ListOutcomes(ctx context.Context, after time.Time) ([]ledger.Outcome, error) {
	var any bool
	err := s.all.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM outcomes WHERE at > ? AND failed <> '')`, formatTime(after)).Scan(&any)
	if err != nil || !any {
		return nil, failed(err, "cannot list how it went")
	}
	list, err := rows(ctx, s.all, scanOutcome,
		`SELECT `+outcomeColumns+` FROM outcomes WHERE at > ? ORDER BY at DESC, run, cluster LIMIT ?`, formatTime(after), ledger.Rows(0))
	return list, failed(err, "cannot list how it went")
}

// Failing implements ledger.Outcomes.
func (s *Store) Failing(ctx context.Context) ([]ledger.Outcome, error) {
	list, err := rows(ctx, s.all, scanOutcome, `
		SELECT `+outcomeColumns+` FROM outcomes
		WHERE failed <> '' AND ended = '' AND run IN (SELECT name FROM runs WHERE ended = '') ORDER BY at, run, cluster LIMIT ?`, ledger.Rows(0))
	return list, failed(err, "cannot list what fails")
}

func scanOutcome(row scanner) (ledger.Outcome, error) {
	var o ledger.Outcome
	err := row.Scan(&o.Run, &o.Cluster, &o.Plan, moment{&o.Failed}, moment{&o.Ended})
	return o, err
}
