package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const runColumns = `name, plan, component, version, back, phase, started, ended, made_by, reason, report, direct, drill, request, live`

// NewRun implements ledger.Runs.
func (s *Store) NewRun(ctx context.Context, r ledger.Run) (ledger.Run, error) {
	return s.NewRunAbove(ctx, r, 0)
}

// NewRunAbove implements ledger.Runs.
func (s *Store) NewRunAbove(ctx context.Context, r ledger.Run, floor int64) (ledger.Run, error) {
	if err := errors.Join(r.Check(), ledger.CheckFloor(floor)); err != nil {
		return ledger.Run{}, failed(err, "cannot make run")
	}
	err := s.write(ctx, turnOfRuns(r.Subject), func(tx handle) error {
		var number int64
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) + 1 FROM runs WHERE component = ?`, r.Subject.String()).Scan(&number)
		if err != nil {
			return err
		}
		var has bool
		err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE request = ? AND request <> '' AND ended = '')`,
			r.Request).Scan(&has)
		if err != nil {
			return err
		}
		if has {
			return fault.New(fault.Conflict, "its request has a run")
		}
		number = max(number, floor+1)
		r.Name = ledger.RunName(r.Subject, number)
		_, err = tx.ExecContext(ctx, `
			INSERT INTO runs (number, `+runColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			number, r.Name, r.Plan, r.Subject.String(), r.Version, r.Back, r.Phase,
			formatTime(r.Started), formatTime(r.Ended), r.By, readable(r.Reason), r.Report, asInt(r.Direct), r.Drill, r.Request, r.Live)
		return err
	})
	if err != nil {
		return ledger.Run{}, failed(err, "cannot make run of %s", r.Subject)
	}
	return r, nil
}

// SaveRun implements ledger.Runs.
func (s *Store) SaveRun(ctx context.Context, r ledger.Run) error {
	err := s.write(ctx, turnOfPermits, func(tx handle) error {
		was, err := scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE name = ?`, r.Name))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such run")
		}
		if err != nil {
			return err
		}
		if next, err := was.Becomes(r); err != nil || !next {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE runs SET phase = ?, ended = ?, report = ? WHERE name = ?`,
			r.Phase, formatTime(r.Ended), r.Report, r.Name)
		if err != nil || r.Ended.IsZero() {
			return err
		}
		return endPermits(ctx, tx, r.Name)
	})
	return failed(err, "cannot save run %s", r.Name)
}

// Run implements ledger.Runs.
func (s *Store) Run(ctx context.Context, name string) (ledger.Run, error) {
	r, err := scanRun(s.all.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE name = ?`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Run{}, fault.New(fault.NotFound, "cannot find run %s", name)
	}
	return r, failed(err, "cannot read run %s", name)
}

// RunOfRequest implements ledger.Runs.
func (s *Store) RunOfRequest(ctx context.Context, request string) (ledger.Run, error) {
	r, err := scanRun(s.all.QueryRowContext(ctx, `
		SELECT `+runColumns+` FROM runs WHERE request = ? AND request <> '' ORDER BY seq DESC LIMIT 1`, request))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Run{}, fault.New(fault.NotFound, "cannot find a run of that request")
	}
	return r, failed(err, "cannot find the run of a request")
}

// Overtaken implements ledger.Runs.
func (s *Store) Overtaken(ctx context.Context, name string) (ledger.Run, error) {
	r, err := scanRun(s.all.QueryRowContext(ctx, `
		SELECT `+runColumns+` FROM runs WHERE direct = 1 AND seq = (
			SELECT MAX(d.seq) FROM runs r JOIN runs d ON d.component = r.component AND d.direct = 1 AND d.seq > r.seq
			WHERE r.name = ? AND d.back IN (r.name, NULLIF(r.back, '')))`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Run{}, fault.New(fault.NotFound, "cannot find a run that has overtaken %s", name)
	}
	return r, failed(err, "cannot tell what has overtaken run %s", name)
}

// ListRuns implements ledger.Runs.
func (s *Store) ListRuns(ctx context.Context, subject api.Subject, limit int) ([]ledger.Run, error) {
	return unmarked(s.PageRuns(ctx, subject, ledger.Page{Limit: limit}))
}

// PageRuns implements ledger.Runs.
func (s *Store) PageRuns(ctx context.Context, subject api.Subject, p ledger.Page) ([]ledger.Marked[ledger.Run], error) {
	list, err := rows(ctx, s.all, marked(scanRun), `
		SELECT seq, `+runColumns+` FROM runs WHERE seq < ? AND (? = '' OR component = ?)
		ORDER BY seq DESC LIMIT ?`, below(p), subject.String(), subject.String(), ledger.Rows(p.Limit))
	return list, failed(err, "cannot list runs")
}

func scanRun(row scanner) (ledger.Run, error) {
	var r ledger.Run
	err := row.Scan(&r.Name, &r.Plan, column{&r.Subject}, &r.Version, &r.Back, &r.Phase, moment{&r.Started}, moment{&r.Ended}, &r.By,
		&r.Reason, &r.Report, &r.Direct, &r.Drill, &r.Request, &r.Live)
	return r, err
}
