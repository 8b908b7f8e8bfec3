package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
)

// ofOpenRuns leaves out what runs had that have ended: whoever died on the way gives it back by that.
const ofOpenRuns = `NOT EXISTS (SELECT 1 FROM runs r WHERE r.name = permits.run AND r.ended <> '')`

// Enter implements ledger.Permits.
func (s *Store) Enter(ctx context.Context, p permit.Permit, limits []permit.Limit, now time.Time) (permit.Admission, error) {
	if err := ledger.CheckPermit(p); err != nil {
		return permit.Admission{}, failed(err, "cannot ask for a permit")
	}
	var out permit.Admission
	var refused error // which is kept: who is refused waits no more
	err := s.write(ctx, func(tx *sql.Tx) error {
		own, others, err := permitOf(ctx, tx, p, now)
		if err != nil {
			return err
		}
		if len(others) >= permit.Most {
			return fault.New(fault.Refused, "%d units change or wait already, and no more may (permit.Most)", len(others))
		}
		had := !own.Entered.IsZero()
		out, refused = permit.Admit(own, others, limits, now)
		if refused != nil {
			_, err := tx.ExecContext(ctx, `DELETE FROM permits WHERE turn = ?`, own.Turn)
			return err
		}
		for _, passed := range out.Passes {
			passed.Passed = p.Run
			if err := savePermit(ctx, tx, passed); err != nil {
				return err
			}
		}
		own.Seen, own.WaitsWhat = now, out.Why
		if out.Given() && !had {
			own.Entered = now
		}
		if err := savePermit(ctx, tx, own); err != nil {
			return err
		}
		if len(out.Passes) > 0 || out.Given() && !had {
			return revisePermits(ctx, tx)
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return out, failed(err, "cannot let %s of run %s change", p.Cluster, p.Run)
}

// permitOf is the permit of a unit, made where there is none, and all others, in their order.
func permitOf(ctx context.Context, tx *sql.Tx, p permit.Permit, now time.Time) (own permit.Permit, others []permit.Permit, err error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM permits WHERE NOT `+ofOpenRuns); err != nil {
		return p, nil, err
	}
	others, err = rows(ctx, tx, scanPermit, `SELECT turn, body FROM permits ORDER BY turn`)
	if err != nil {
		return p, nil, err
	}
	i := slices.IndexFunc(others, func(o permit.Permit) bool { return o.Run == p.Run && o.Cluster == p.Cluster })
	if i >= 0 {
		own = others[i]
		own.Holder, own.Domains, own.Back = p.Holder, p.Domains, p.Back
		return own, slices.Delete(others, i, i+1), nil
	}
	own = p
	own.Asked, own.Seen = now, now
	body, err := json.Marshal(own)
	if err != nil {
		return own, others, err
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO permits (run, cluster, body) VALUES (?, ?, ?) RETURNING turn`,
		p.Run, p.Cluster, string(body)).Scan(&own.Turn)
	return own, others, err
}

func savePermit(ctx context.Context, tx *sql.Tx, p permit.Permit) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE permits SET body = ? WHERE turn = ?`, string(body), p.Turn)
	return err
}

func revisePermits(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE permit_revision SET revision = revision + 1`)
	return err
}

// Trouble implements ledger.Permits.
func (s *Store) Trouble(ctx context.Context, p permit.Permit, why string, now time.Time) error {
	if err := ledger.CheckPermit(p); err != nil {
		return failed(err, "cannot note trouble")
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		own, _, err := permitOf(ctx, tx, p, now)
		if err != nil {
			return err
		}
		if own.Entered.IsZero() {
			own.Entered = now
		}
		if own.Trouble == "" {
			own.Since = now
		}
		if own.Trouble = clip.Bytes(why, permit.MaxTrouble); why == "" {
			own.Since = time.Time{}
		}
		if err := savePermit(ctx, tx, own); err != nil {
			return err
		}
		return revisePermits(ctx, tx)
	})
	return failed(err, "cannot note the trouble of %s of run %s", p.Cluster, p.Run)
}

// Leave implements ledger.Permits.
func (s *Store) Leave(ctx context.Context, run, cluster string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM permits WHERE run = ? AND cluster = ?`, run, cluster); err != nil {
			return err
		}
		return revisePermits(ctx, tx)
	})
	return failed(err, "cannot take back the permit of %s of run %s", cluster, run)
}

// LetIn implements ledger.Permits.
func (s *Store) LetIn(ctx context.Context, run, cluster string, l ledger.Lift) (permit.Permit, error) {
	if err := l.Check(); err != nil {
		return permit.Permit{}, failed(err, "cannot let %s of run %s in", cluster, run)
	}
	var let permit.Permit
	err := s.write(ctx, func(tx *sql.Tx) error {
		found, err := rows(ctx, tx, scanPermit, `SELECT turn, body FROM permits WHERE run = ? AND cluster = ? AND `+ofOpenRuns, run, cluster)
		if err != nil {
			return err
		}
		if len(found) == 0 || !found[0].Entered.IsZero() {
			return fault.New(fault.NotFound, "it does not wait for a permit")
		}
		let = found[0]
		if let.LetIn == nil {
			let.LetIn = &permit.Let{By: l.By, Reason: l.Reason, At: l.At}
		}
		if err := savePermit(ctx, tx, let); err != nil {
			return err
		}
		return revisePermits(ctx, tx)
	})
	return let, failed(err, "cannot let %s of run %s in", cluster, run)
}

// ListPermits implements ledger.Permits.
func (s *Store) ListPermits(ctx context.Context) ([]permit.Permit, error) {
	list, err := rows(ctx, s.db, scanPermit, `SELECT turn, body FROM permits WHERE `+ofOpenRuns+` ORDER BY turn`)
	return list, failed(err, "cannot list permits")
}

// PermitRevision implements ledger.Permits.
func (s *Store) PermitRevision(ctx context.Context) (int64, error) {
	var revision int64
	err := s.db.QueryRowContext(ctx, `
		SELECT (SELECT revision FROM permit_revision) + (SELECT COUNT(*) FROM runs WHERE ended <> '')`).Scan(&revision)
	return revision, failed(err, "cannot read the revision of permits")
}

func scanPermit(row scanner) (permit.Permit, error) {
	var p permit.Permit
	var turn int64
	var body string
	if err := row.Scan(&turn, &body); err != nil {
		return p, err
	}
	err := json.Unmarshal([]byte(body), &p)
	p.Turn = turn
	return p, err
}
