package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sluice.dev/sluice/internal/fault"
)

const runColumns = `name, plan, component, version, back, phase, started, ended, made_by, reason, report`

// NewRun implements Runs.
func (s *SQLite) NewRun(ctx context.Context, r Run) (Run, error) {
	if err := required("run", "component", r.Component, "plan", r.Plan); err != nil {
		return Run{}, failed(err, "cannot make run")
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		var number int64
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) + 1 FROM runs WHERE component = ?`, r.Component).Scan(&number)
		if err != nil {
			return err
		}
		r.Name = fmt.Sprintf("%s-%d", r.Component, number)
		_, err = tx.ExecContext(ctx, `
			INSERT INTO runs (number, `+runColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			number, r.Name, r.Plan, r.Component, r.Version, r.Back, r.Phase, formatTime(r.Started), formatTime(r.Ended), r.By, r.Reason, r.Report)
		return err
	})
	if err != nil {
		return Run{}, failed(err, "cannot make run of %s", r.Component)
	}
	return r, nil
}

// SaveRun implements Runs.
func (s *SQLite) SaveRun(ctx context.Context, r Run) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		was, err := scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE name = ?`, r.Name))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such run")
		}
		if err != nil {
			return err
		}
		if was.Phase == r.Phase && was.Ended.Equal(r.Ended) && was.Report == r.Report {
			return nil
		}
		if !was.Ended.IsZero() {
			return fault.New(fault.Conflict, "it ended %s as %s", formatTime(was.Ended), was.Phase)
		}
		_, err = tx.ExecContext(ctx, `UPDATE runs SET phase = ?, ended = ?, report = ? WHERE name = ?`,
			r.Phase, formatTime(r.Ended), r.Report, r.Name)
		return err
	})
	return failed(err, "cannot save run %s", r.Name)
}

// Run implements Runs.
func (s *SQLite) Run(ctx context.Context, name string) (Run, error) {
	r, err := scanRun(s.db.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE name = ?`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, fault.New(fault.NotFound, "cannot find run %s", name)
	}
	return r, failed(err, "cannot read run %s", name)
}

// ListRuns implements Runs.
func (s *SQLite) ListRuns(ctx context.Context, component string, limit int) ([]Run, error) {
	list, err := rows(ctx, s.db, scanRun, `
		SELECT `+runColumns+` FROM runs WHERE (? = '' OR component = ?)
		ORDER BY seq DESC LIMIT ?`, component, component, bounded(limit))
	return list, failed(err, "cannot list runs")
}

func scanRun(row scanner) (Run, error) {
	var r Run
	var started, ended string
	err := row.Scan(&r.Name, &r.Plan, &r.Component, &r.Version, &r.Back, &r.Phase, &started, &ended, &r.By, &r.Reason, &r.Report)
	if err != nil {
		return Run{}, err
	}
	if r.Started, err = parseTime(started); err != nil {
		return Run{}, err
	}
	r.Ended, err = parseTime(ended)
	return r, err
}
