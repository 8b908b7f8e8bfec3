package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
)

// Enter implements ledger.Permits.
func (s *Store) Enter(ctx context.Context, p permit.Permit, limits []permit.Limit, now time.Time) (permit.Admission, error) {
	if err := ledger.CheckPermit(p); err != nil {
		return permit.Admission{}, failed(err, "cannot ask for a permit")
	}
	var out permit.Admission
	var refused error // which is kept, for whoever lets it in
	err := s.write(ctx, turnOfPermits, func(tx handle) error {
		own, others, err := permitOf(ctx, tx, p, now)
		if err != nil {
			return err
		}
		if own.Entered.IsZero() && own.WaitsWhat == "" && !p.Back {
			if err := roomFor(ctx, tx); err != nil {
				return err
			}
		}
		had := !own.Entered.IsZero()
		out, refused = permit.Admit(own, others, limits, now)
		if refused != nil {
			own.Seen, own.Refused, own.Passed, own.WaitsWhat = now, true, "", refused.Error()
			if err := savePermit(ctx, tx, own); err != nil {
				return err
			}
			return revisePermits(ctx, tx)
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

// roomFor is Refused where too many have a permit or wait for one, the one that asks among them.
func roomFor(ctx context.Context, tx handle) error {
	var has int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM permits WHERE gone = 0`).Scan(&has); err != nil {
		return err
	}
	if has > permit.Most {
		return fault.New(fault.Refused, "%d units change or wait already, and no more may (permit.Most)", has-1)
	}
	return nil
}

// permitOf is the permit of a unit that asks for something, made where there is none, and the others that may be in its way, in their
// order: they share a failure domain with it, or are in trouble, which may keep those out that do. It is Conflict where the unit has asked
// for something else since, or its run has ended.
func permitOf(ctx context.Context, tx handle, p permit.Permit, now time.Time) (own permit.Permit, others []permit.Permit, err error) {
	there, err := late(ctx, tx, p)
	if err != nil {
		return p, nil, err
	}
	domains := domainsOf(p)
	args := make([]any, len(domains))
	for i, domain := range domains {
		args[i] = domain
	}
	others, err = rows(ctx, tx, scanPermit, `
		SELECT turn, body FROM permits WHERE gone = 0 AND turn IN (
			SELECT turn FROM permits WHERE trouble = 1
			UNION SELECT turn FROM permit_domains WHERE domain IN (?`+strings.Repeat(", ?", len(domains)-1)+`)) ORDER BY turn`, args...)
	if err != nil {
		return p, nil, err
	}
	i := slices.IndexFunc(others, func(o permit.Permit) bool { return o.Run == p.Run && o.Cluster == p.Cluster })
	if i >= 0 {
		own = others[i]
		others = slices.Delete(others, i, i+1)
		own.Holder, own.Domains, own.Back = p.Holder, p.Domains, p.Back
		if !own.Refused {
			return own, others, nil
		}
		p.LetIn = own.LetIn
	}
	// It is the last in turn, also where it was refused or had left before.
	own = p
	own.Asked, own.Seen = now, now
	if there {
		if _, err := tx.ExecContext(ctx, `DELETE FROM permits WHERE run = ? AND cluster = ?`, p.Run, p.Cluster); err != nil {
			return own, others, err
		}
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO permits (run, cluster, body) VALUES (?, ?, '') RETURNING turn`,
		p.Run, p.Cluster).Scan(&own.Turn)
	if err != nil {
		return own, others, err
	}
	for _, domain := range domains {
		_, err := tx.ExecContext(ctx, `INSERT INTO permit_domains (domain, turn) VALUES (?, ?) ON CONFLICT DO NOTHING`, domain, own.Turn)
		if err != nil {
			return own, others, err
		}
	}
	return own, others, nil
}

// domainsOf are the failure domains of a permit, its cluster first.
func domainsOf(p permit.Permit) []string {
	return append([]string{"cluster " + p.Cluster}, p.Domains...)
}

// late is Conflict where what a unit asks for is of no use any more, and tells whether it has asked for something before.
func late(ctx context.Context, tx handle, p permit.Permit) (there bool, err error) {
	var ended, since bool
	err = tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM runs WHERE name = ? AND ended <> ''),
			EXISTS (SELECT 1 FROM permits WHERE run = ? AND cluster = ?),
			EXISTS (SELECT 1 FROM permits WHERE run = ? AND cluster = ? AND (asked > ? OR gone = 1 AND asked = ?))`,
		p.Run, p.Run, p.Cluster, p.Run, p.Cluster, formatTime(p.Holder.At), formatTime(p.Holder.At)).Scan(&ended, &there, &since)
	switch {
	case err != nil:
		return there, err
	case ended:
		return there, fault.New(fault.Conflict, "its run has ended")
	case since:
		return there, fault.New(fault.Conflict, "it has asked for something else since %s", p.Holder.At)
	}
	return there, nil
}

func savePermit(ctx context.Context, tx handle, p permit.Permit) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE permits SET body = ?, asked = ?, trouble = ? WHERE turn = ?`,
		string(body), formatTime(p.Holder.At), asInt(p.Trouble != ""), p.Turn)
	return err
}

func revisePermits(ctx context.Context, tx handle) error {
	return tx.last(ctx, `UPDATE permit_revision SET revision = revision + 1`)
}

// Trouble implements ledger.Permits.
func (s *Store) Trouble(ctx context.Context, p permit.Permit, why string, now time.Time) error {
	if err := ledger.CheckPermit(p); err != nil {
		return failed(err, "cannot note trouble")
	}
	err := s.write(ctx, turnOfPermits, func(tx handle) error {
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
func (s *Store) Leave(ctx context.Context, run, cluster string, at time.Time) error {
	err := s.write(ctx, turnOfPermits, func(tx handle) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO permits (run, cluster, body, asked, gone) SELECT ?, ?, '', ?, 1
			WHERE NOT EXISTS (SELECT 1 FROM runs WHERE name = ? AND ended <> '')
			ON CONFLICT (run, cluster) DO UPDATE SET body = '', trouble = 0, asked = excluded.asked, gone = 1
				WHERE permits.asked <= excluded.asked`,
			run, cluster, formatTime(at), run)
		if err != nil {
			return err
		}
		return revisePermits(ctx, tx)
	})
	return failed(err, "cannot take back the permit of %s of run %s", cluster, run)
}

// endPermits takes back what a run had that has ended: whoever died on the way gives it back by that.
func endPermits(ctx context.Context, tx handle, run string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM permits WHERE run = ?`, run); err != nil {
		return err
	}
	return revisePermits(ctx, tx)
}

// LetIn implements ledger.Permits.
func (s *Store) LetIn(ctx context.Context, run, cluster string, l ledger.Lift) (permit.Permit, error) {
	if err := l.Check(); err != nil {
		return permit.Permit{}, failed(err, "cannot let %s of run %s in", cluster, run)
	}
	var let permit.Permit
	err := s.write(ctx, turnOfPermits, func(tx handle) error {
		found, err := rows(ctx, tx, scanPermit, `SELECT turn, body FROM permits WHERE run = ? AND cluster = ? AND gone = 0`, run, cluster)
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
	list, err := rows(ctx, s.all, scanPermit, `SELECT turn, body FROM permits WHERE gone = 0 ORDER BY turn`)
	return list, failed(err, "cannot list permits")
}

// PermitRevision implements ledger.Permits.
func (s *Store) PermitRevision(ctx context.Context) (int64, error) {
	var revision int64
	err := s.all.QueryRowContext(ctx, `SELECT revision FROM permit_revision`).Scan(&revision)
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
