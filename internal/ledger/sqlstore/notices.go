package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const noticeColumns = `id, key, receiver, run, event, body, at, attempts, next, leased, told, settled, outcome, about`

// Since implements ledger.Notices.
func (s *Store) Since(ctx context.Context, receivers []string, now time.Time) (map[string]time.Time, error) {
	since := map[string]time.Time{}
	err := s.since(ctx, receivers, since)
	if err == nil && len(since) < len(receivers) {
		err = s.write(ctx, NoTurn, func(tx handle) error {
			for _, name := range receivers {
				_, err := tx.ExecContext(ctx, `INSERT INTO receivers (name, since, quiet) VALUES (?, ?, '') ON CONFLICT (name) DO NOTHING`,
					name, formatTime(now))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = s.since(ctx, receivers, since)
		}
	}
	return since, failed(err, "cannot read since when receivers are told")
}

func (s *Store) since(ctx context.Context, receivers []string, into map[string]time.Time) error {
	for _, name := range receivers {
		var since time.Time
		err := s.all.QueryRowContext(ctx, `SELECT since FROM receivers WHERE name = ?`, name).Scan(moment{&since})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		into[name] = since
	}
	return nil
}

// Unnoticed implements ledger.Notices.
func (s *Store) Unnoticed(ctx context.Context, since time.Time, limit int) ([]ledger.Noticed, error) {
	list, err := rows(ctx, s.all, scanNoticed, `
		SELECT noticed, `+runColumns+` FROM runs WHERE (ended = '' OR ended >= ?) AND noticed <> ? ORDER BY seq LIMIT ?`,
		formatTime(since), ledger.NoticedEnd, ledger.Rows(limit))
	return list, failed(err, "cannot list runs to notice")
}

func scanNoticed(row scanner) (ledger.Noticed, error) {
	var n ledger.Noticed
	var err error
	n.Run, err = scanRun(after{row, []any{&n.Last}})
	return n, err
}

// Notice implements ledger.Notices.
func (s *Store) Notice(ctx context.Context, was ledger.Noticed, now string, queue []ledger.Notice) error {
	for _, n := range queue {
		if err := n.Check(); err != nil {
			return failed(err, "cannot queue a notice")
		}
	}
	err := s.write(ctx, turnOfNotices, func(tx handle) error {
		changed, err := tx.ExecContext(ctx, `UPDATE runs SET noticed = ? WHERE name = ? AND noticed = ?`, now, was.Run.Name, was.Last)
		if err != nil {
			return err
		}
		if n, err := changed.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.Conflict, "somebody else has noticed something of it"))
		}
		for _, n := range queue {
			if err := s.queue(ctx, tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	return failed(err, "cannot note what run %s does", was.Run.Name)
}

func (s *Store) queue(ctx context.Context, tx handle, n ledger.Notice) error {
	var waiting int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM notices WHERE receiver = ? AND settled = ''`, n.Receiver).Scan(&waiting)
	if err != nil {
		return err
	}
	if waiting >= ledger.MaxNotices {
		n.Settled, n.Outcome = n.At, fmt.Sprintf("given up: %d wait for the receiver already (MaxNotices)", waiting)
	}
	// What stood until now is told no more.
	_, err = tx.ExecContext(ctx, `UPDATE notices SET settled = ? WHERE receiver = ? AND run = ? AND settled = '' AND told <> ''`,
		formatTime(n.At), n.Receiver, n.Run)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO notices (key, receiver, run, event, body, at, attempts, next, leased, told, settled, outcome, about)
		VALUES (?, ?, ?, ?, ?, ?, 0, '', '', '', ?, ?, ?) ON CONFLICT (receiver, key) DO NOTHING`,
		n.Key, n.Receiver, n.Run, n.Event, n.Body, formatTime(n.At), formatTime(n.Settled), readable(n.Outcome), readable(n.About))
	return err
}

// due is a notice that waits, that nobody has claimed, and before which no other one of its run waits or is on its way. What is told
// for the first time goes before what is told again. It takes the receiver, and what time it is, four times.
const due = `
	FROM notices AS n JOIN receivers AS r ON r.name = n.receiver
	WHERE n.receiver = ? AND n.settled = '' AND n.next <= ? AND n.leased <= ? AND r.quiet <= ? AND NOT EXISTS (
		SELECT 1 FROM notices AS e WHERE e.receiver = n.receiver AND e.run = n.run AND e.id < n.id
			AND (e.settled = '' AND e.told = '' OR e.leased > ?))
	ORDER BY n.told <> '', n.id LIMIT 1`

// Claim implements ledger.Notices.
func (s *Store) Claim(ctx context.Context, c ledger.Claim) (ledger.Notice, error) {
	now := formatTime(c.Now)
	args := []any{c.Receiver, now, now, now, now}
	none := fault.New(fault.NotFound, "nothing is due for receiver %s", c.Receiver)
	var id int64
	err := s.all.QueryRowContext(ctx, `SELECT n.id`+due, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Notice{}, none // a poll writes nothing
	}
	if err != nil {
		return ledger.Notice{}, failed(err, "cannot look for a notice")
	}
	var claimed ledger.Notice
	err = s.write(ctx, turnOfNotices, func(tx handle) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tellings WHERE receiver = ? AND at <= ?`, c.Receiver, formatTime(c.Now.Add(-time.Minute)))
		if err != nil {
			return err
		}
		var told int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM tellings WHERE receiver = ?`, c.Receiver).Scan(&told); err != nil {
			return err
		}
		if told >= c.PerMinute {
			return none
		}
		err = tx.QueryRowContext(ctx, `SELECT n.id`+due, args...).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return none
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO tellings (receiver, at) VALUES (?, ?)`, c.Receiver, now); err != nil {
			return err
		}
		claimed, err = scanNotice(tx.QueryRowContext(ctx, `
			UPDATE notices SET attempts = attempts + 1, leased = ? WHERE id = ? RETURNING `+noticeColumns, formatTime(c.Until), id))
		return err
	})
	return claimed, failed(err, "cannot claim a notice")
}

// Settle implements ledger.Notices.
func (s *Store) Settle(ctx context.Context, n ledger.Notice, to ledger.Settlement) error {
	settled := to.At
	if !to.Again.IsZero() {
		settled = time.Time{}
	}
	told := n.Told
	if to.Took && told.IsZero() {
		told = to.At
	}
	err := s.write(ctx, turnOfNotices, func(tx handle) error {
		if to.Took && settled.IsZero() { // it stands, unless something has come after it
			var after bool
			err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM notices WHERE receiver = ? AND run = ? AND id > ?)`,
				n.Receiver, n.Run, n.ID).Scan(&after)
			if err != nil {
				return err
			}
			if after {
				settled = to.At
			}
		}
		changed, err := tx.ExecContext(ctx, `
			UPDATE notices SET next = ?, leased = '', told = ?, settled = ?, outcome = ? WHERE id = ? AND settled = ''`,
			formatTime(to.Again), formatTime(told), formatTime(settled), readable(to.Outcome), n.ID)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE notices SET leased = '' WHERE id = ?`, n.ID); err != nil {
			return err
		}
		if !to.Quiet.IsZero() {
			_, err := tx.ExecContext(ctx, `UPDATE receivers SET quiet = ? WHERE name = ? AND quiet < ?`,
				formatTime(to.Quiet), n.Receiver, formatTime(to.Quiet))
			if err != nil {
				return err
			}
		}
		if rows, err := changed.RowsAffected(); err != nil || rows == 0 || !to.GaveUp {
			return err
		}
		return auditNotice(ctx, tx, n, to.At, to.Outcome)
	})
	return failed(err, "cannot settle a notice of run %s", n.Run)
}

func auditNotice(ctx context.Context, tx handle, n ledger.Notice, at time.Time, outcome string) error {
	return addEntry(ctx, tx, ledger.Entry{
		At: at, Who: api.BySluice, Command: "notify", Object: n.Run, Scope: n.Receiver, Reason: n.Event, Outcome: outcome,
	})
}

// GiveUp implements ledger.Notices.
func (s *Store) GiveUp(ctx context.Context, queued, settled, now time.Time) error {
	const late, old = `settled = '' AND told = '' AND at < ? AND leased <= ?`, `settled <> '' AND settled < ?`
	const over = `settled = '' AND told <> '' AND leased <= ? AND run IN (SELECT name FROM runs WHERE ended <> '')` // it stands no more
	var any bool
	err := s.all.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM notices WHERE `+late+`)
		OR EXISTS (SELECT 1 FROM notices WHERE `+old+`) OR EXISTS (SELECT 1 FROM notices WHERE `+over+`)`,
		formatTime(queued), formatTime(now), formatTime(settled), formatTime(now)).Scan(&any)
	if err != nil || !any {
		return failed(err, "cannot give up notices")
	}
	err = s.write(ctx, turnOfNotices, func(tx handle) error {
		list, err := rows(ctx, tx, scanNotice, `SELECT `+noticeColumns+` FROM notices WHERE `+late+` LIMIT 1000`,
			formatTime(queued), formatTime(now))
		if err != nil {
			return err
		}
		for _, n := range list {
			outcome := "given up: too late"
			if n.Outcome != "" {
				outcome += "; " + n.Outcome
			}
			_, err := tx.ExecContext(ctx, `UPDATE notices SET settled = ?, outcome = ? WHERE id = ?`, formatTime(now), outcome, n.ID)
			if err != nil {
				return err
			}
			if err := auditNotice(ctx, tx, n, now, outcome); err != nil {
				return err
			}
		}
		if _, err = tx.ExecContext(ctx, `UPDATE notices SET settled = ? WHERE `+over, formatTime(now), formatTime(now)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM notices WHERE `+old, formatTime(settled))
		return err
	})
	return failed(err, "cannot give up notices")
}

// ListNotices implements ledger.Notices.
func (s *Store) ListNotices(ctx context.Context, receiver string, limit int) ([]ledger.Notice, error) {
	return unmarked(s.PageNotices(ctx, receiver, ledger.Page{Limit: limit}))
}

// PageNotices implements ledger.Notices.
func (s *Store) PageNotices(ctx context.Context, receiver string, p ledger.Page) ([]ledger.Marked[ledger.Notice], error) {
	list, err := rows(ctx, s.all, marked(scanNotice), `
		SELECT id, `+noticeColumns+` FROM notices WHERE id < ? AND (? = '' OR receiver = ?)
		ORDER BY id DESC LIMIT ?`, below(p), receiver, receiver, ledger.Rows(p.Limit))
	return list, failed(err, "cannot list notices")
}

func scanNotice(row scanner) (ledger.Notice, error) {
	var n ledger.Notice
	var leased string
	err := row.Scan(&n.ID, &n.Key, &n.Receiver, &n.Run, &n.Event, &n.Body, moment{&n.At}, &n.Attempts, moment{&n.Next}, &leased,
		moment{&n.Told}, moment{&n.Settled}, &n.Outcome, &n.About)
	return n, err
}
