package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const freezeColumns = `number, origin, scope, in_flight, made_by, reason, since, until, lifted, lifted_by, lift_reason, run, fuse`

// AddFreeze implements ledger.Freezes.
func (s *Store) AddFreeze(ctx context.Context, f api.Freeze) (api.Freeze, error) {
	if err := ledger.CheckFreeze(f); err != nil {
		return api.Freeze{}, failed(err, "cannot freeze")
	}
	scope, err := json.Marshal(f.Scope)
	if err != nil {
		return api.Freeze{}, failed(err, "cannot freeze")
	}
	err = s.write(ctx, turnOfFreezes, func(tx handle) error {
		if f.Run != "" || f.Fuse != "" {
			made, err := scanFreeze(tx.QueryRowContext(ctx, `SELECT `+freezeColumns+` FROM freezes
				WHERE run = ? AND run <> '' OR fuse = ? AND fuse <> ''`, f.Run, f.Fuse))
			if !errors.Is(err, sql.ErrNoRows) {
				f = made
				return err
			}
		}
		var holding int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM freezes WHERE lifted = ''`).Scan(&holding); err != nil {
			return err
		}
		if holding >= ledger.MaxFreezes {
			return fault.New(fault.Refused, "%d freezes hold already, and no more may (MaxFreezes); lift some", holding)
		}
		var number int64
		err := tx.QueryRowContext(ctx, `
			INSERT INTO freezes (origin, scope, in_flight, made_by, reason, since, until, lifted, lifted_by, lift_reason, run, fuse)
			VALUES (?, ?, ?, ?, ?, ?, ?, '', '', '', ?, ?) RETURNING number`,
			f.Origin, string(scope), f.InFlight, f.By, readable(f.Reason), formatTime(f.Since), formatTime(f.Until), f.Run, f.Fuse).Scan(&number)
		if err != nil {
			return err
		}
		f.Name = freezeName(number)
		return revise(ctx, tx)
	})
	if err != nil {
		return api.Freeze{}, failed(err, "cannot freeze")
	}
	return f, nil
}

// LiftFreeze implements ledger.Freezes.
func (s *Store) LiftFreeze(ctx context.Context, name string, l ledger.Lift) (api.Freeze, error) {
	if err := l.Check(); err != nil {
		return api.Freeze{}, failed(err, "cannot lift %s", name)
	}
	var f api.Freeze
	err := s.write(ctx, turnOfFreezes, func(tx handle) error {
		var err error
		if f, err = freezeNamed(ctx, tx, name); err != nil {
			return err
		}
		if !f.Lifted.IsZero() {
			return fault.New(fault.Conflict, "it was lifted %s by %s", f.Lifted.UTC().Format("2006-01-02 15:04:05 MST"), f.LiftedBy)
		}
		f, err = lift(ctx, tx, f, l)
		return err
	})
	return f, failed(err, "cannot lift %s", name)
}

// EndFreezes implements ledger.Freezes.
func (s *Store) EndFreezes(ctx context.Context, now time.Time) error {
	const over = `lifted = '' AND until <> '' AND until <= ?`
	var any bool
	err := s.all.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM freezes WHERE `+over+`)`, formatTime(now)).Scan(&any)
	if err != nil || !any {
		return failed(err, "cannot end freezes") // a poll writes nothing
	}
	err = s.write(ctx, turnOfFreezes, func(tx handle) error {
		ended, err := rows(ctx, tx, scanFreeze, `SELECT `+freezeColumns+` FROM freezes WHERE `+over, formatTime(now))
		if err != nil {
			return err
		}
		for _, f := range ended {
			if _, err := lift(ctx, tx, f, ledger.Outlived(f)); err != nil {
				return err
			}
		}
		return nil
	})
	return failed(err, "cannot end freezes")
}

// lift ends a freeze that holds.
func lift(ctx context.Context, tx handle, f api.Freeze, l ledger.Lift) (api.Freeze, error) {
	f.Lifted, f.LiftedBy, f.LiftReason = l.At, l.By, l.Reason
	_, err := tx.ExecContext(ctx, `UPDATE freezes SET lifted = ?, lifted_by = ?, lift_reason = ? WHERE number = ?`,
		formatTime(l.At), l.By, readable(l.Reason), freezeNumber(f.Name))
	if err != nil {
		return f, err
	}
	return f, revise(ctx, tx)
}

func revise(ctx context.Context, tx handle) error {
	return tx.last(ctx, `UPDATE freeze_revision SET revision = revision + 1`)
}

// Frozen implements ledger.Freezes. It takes no lock: where the freezes change while it reads, it reads again.
func (s *Store) Frozen(ctx context.Context) ([]api.Freeze, int64, error) {
	before, err := s.freezeRevision(ctx)
	for err == nil {
		var list []api.Freeze
		list, err = rows(ctx, s.all, scanFreeze, `SELECT `+freezeColumns+` FROM freezes WHERE lifted = '' ORDER BY number`)
		if err != nil {
			break
		}
		var after int64
		if after, err = s.freezeRevision(ctx); err == nil && after == before {
			return list, after, nil
		}
		before = after
	}
	return nil, 0, failed(err, "cannot read freezes")
}

func (s *Store) freezeRevision(ctx context.Context) (int64, error) {
	var revision int64
	err := s.all.QueryRowContext(ctx, `SELECT revision FROM freeze_revision`).Scan(&revision)
	return revision, err
}

// Freeze implements ledger.Freezes.
func (s *Store) Freeze(ctx context.Context, name string) (api.Freeze, error) {
	f, err := freezeNamed(ctx, s.all, name)
	return f, failed(err, "cannot read %s", name)
}

func freezeNamed(ctx context.Context, h handle, name string) (api.Freeze, error) {
	f, err := scanFreeze(h.QueryRowContext(ctx, `SELECT `+freezeColumns+` FROM freezes WHERE number = ?`, freezeNumber(name)))
	if errors.Is(err, sql.ErrNoRows) {
		return api.Freeze{}, fault.New(fault.NotFound, "there is no such freeze")
	}
	return f, err
}

// ListFreezes implements ledger.Freezes.
func (s *Store) ListFreezes(ctx context.Context, limit int) ([]api.Freeze, error) {
	return unmarked(s.PageFreezes(ctx, true, ledger.Page{Limit: limit}))
}

// PageFreezes implements ledger.Freezes.
func (s *Store) PageFreezes(ctx context.Context, lifted bool, p ledger.Page) ([]ledger.Marked[api.Freeze], error) {
	which := ""
	if !lifted {
		which = ` AND lifted = ''`
	}
	list, err := rows(ctx, s.all, marked(scanFreeze), `
		SELECT number, `+freezeColumns+` FROM freezes WHERE number < ?`+which+` ORDER BY number DESC LIMIT ?`, below(p), ledger.Rows(p.Limit))
	return list, failed(err, "cannot list freezes")
}

// Untold implements ledger.Freezes.
func (s *Store) Untold(ctx context.Context, revision int64, limit int) ([]ledger.Hearer, error) {
	list, err := rows(ctx, s.all, scanHearer, `
		SELECT held, `+runColumns+` FROM runs WHERE ended = '' AND told < ? ORDER BY seq LIMIT ?`, revision, ledger.Rows(limit))
	return list, failed(err, "cannot list runs to tell of freezes")
}

func scanHearer(row scanner) (ledger.Hearer, error) {
	var h ledger.Hearer
	var err error
	h.Run, err = scanRun(after{row, []any{&h.Held}})
	return h, err
}

// after is a row whose first columns go elsewhere.
type after struct {
	row   scanner
	first []any
}

// Scan scans what follows the first columns.
func (a after) Scan(into ...any) error { return a.row.Scan(append(slices.Clone(a.first), into...)...) }

// Told implements ledger.Freezes.
func (s *Store) Told(ctx context.Context, run string, h ledger.Heard) error {
	err := s.put(ctx, `UPDATE runs SET told = ?, held = ? WHERE name = ? AND told < ?`,
		h.Revision, asInt(h.Held), run, h.Revision)
	return failed(err, "cannot note what run %s was told", run)
}

const freezePrefix = "freeze-"

func freezeName(number int64) string { return freezePrefix + strconv.FormatInt(number, 10) }

// freezeNumber is the number in a name; 0, which no freeze has, where it is no name of one.
func freezeNumber(name string) int64 {
	text, ok := strings.CutPrefix(name, freezePrefix)
	number, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || freezeName(number) != name {
		return 0
	}
	return number
}

func scanFreeze(row scanner) (api.Freeze, error) {
	var f api.Freeze
	var number int64
	var scope string
	err := row.Scan(&number, &f.Origin, &scope, &f.InFlight, &f.By, &f.Reason, moment{&f.Since}, moment{&f.Until}, moment{&f.Lifted},
		&f.LiftedBy, &f.LiftReason, &f.Run, &f.Fuse)
	if err != nil {
		return api.Freeze{}, err
	}
	f.Name = freezeName(number)
	if err := json.Unmarshal([]byte(scope), &f.Scope); err != nil {
		return api.Freeze{}, fmt.Errorf("scope of %s: %w", f.Name, err)
	}
	return f, nil
}
