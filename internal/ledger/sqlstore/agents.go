package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// keptInvitations is for how long an invitation is kept that has ended: whoever comes late is told so.
const keptInvitations = 24 * time.Hour

// Invite implements ledger.Agents.
func (s *Store) Invite(ctx context.Context, i ledger.Invitation) error {
	if err := i.Check(); err != nil {
		return failed(err, "cannot keep an invitation")
	}
	body, err := json.Marshal(i)
	if err != nil {
		return failed(err, "cannot keep invitation %s", i.ID)
	}
	err = s.write(ctx, NoTurn, func(tx handle) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE expires < ?`, formatTime(i.Created.Add(-keptInvitations))); err != nil {
			return err
		}
		added, err := tx.ExecContext(ctx, `INSERT INTO invitations (id, expires, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			i.ID, formatTime(i.Expires), string(body))
		if err != nil {
			return err
		}
		if n, err := added.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.Conflict, "its ID is taken"))
		}
		return nil
	})
	return failed(err, "cannot keep invitation %s", i.ID)
}

// Enrol implements ledger.Agents.
func (s *Store) Enrol(ctx context.Context, id string, change func(*ledger.Invitation, *ledger.Agent) error) (ledger.Agent, error) {
	var a ledger.Agent
	err := s.write(ctx, turnOfAgents, func(tx handle) error {
		i, err := body[ledger.Invitation](tx.QueryRowContext(ctx, `SELECT body FROM invitations WHERE id = ?`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such invitation")
		}
		if err != nil {
			return err
		}
		a, err = body[ledger.Agent](tx.QueryRowContext(ctx, `SELECT body FROM agents WHERE name = ?`, i.Agent))
		if isNew := errors.Is(err, sql.ErrNoRows); err != nil && !isNew {
			return err
		} else if isNew {
			if err := roomForAgents(ctx, tx); err != nil {
				return err
			}
		}
		if err := change(&i, &a); err != nil {
			return err
		}
		used, err := json.Marshal(i)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE invitations SET body = ? WHERE id = ?`, string(used), id); err != nil {
			return err
		}
		a.Name = i.Agent
		return saveAgent(ctx, tx, a)
	})
	return a, failed(err, "cannot enrol an agent by invitation %s", id)
}

func roomForAgents(ctx context.Context, tx handle) error {
	var has int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM agents`).Scan(&has); err != nil {
		return err
	}
	if has >= ledger.MaxAgents {
		return fault.New(fault.Refused, "there are %d agents already, and no more may be", has)
	}
	return nil
}

// ChangeAgent implements ledger.Agents.
func (s *Store) ChangeAgent(ctx context.Context, name string, change func(*ledger.Agent) error) (ledger.Agent, error) {
	var a ledger.Agent
	err := s.write(ctx, turnOfAgents, func(tx handle) (err error) {
		a, err = body[ledger.Agent](tx.QueryRowContext(ctx, `SELECT body FROM agents WHERE name = ?`, name))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such agent")
		}
		if err != nil {
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		return saveAgent(ctx, tx, a)
	})
	return a, failed(err, "cannot change agent %s", name)
}

func saveAgent(ctx context.Context, tx handle, a ledger.Agent) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO agents (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body`,
		a.Name, readable(string(text)))
	return err
}

// ListAgents implements ledger.Agents.
func (s *Store) ListAgents(ctx context.Context) ([]ledger.Agent, error) {
	list, err := rows(ctx, s.all, body[ledger.Agent], `SELECT body FROM agents ORDER BY name`)
	return list, failed(err, "cannot list agents")
}

// body reads a row that is one document.
func body[T any](row scanner) (v T, err error) {
	var text string
	if err := row.Scan(&text); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(text), &v)
}

// Share implements ledger.Agents.
func (s *Store) Share(ctx context.Context, site string, digests ...string) error {
	if len(digests) == 0 {
		return nil
	}
	err := s.write(ctx, NoTurn, func(tx handle) error {
		for _, digest := range digests {
			_, err := tx.ExecContext(ctx, `INSERT INTO shared (site, digest) VALUES (?, ?) ON CONFLICT (site, digest) DO NOTHING`, site, digest)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return failed(err, "cannot share blobs with site %s", site)
}

// Shared implements ledger.Agents.
func (s *Store) Shared(ctx context.Context, site, digest string) (bool, error) {
	var count int
	err := s.all.QueryRowContext(ctx, `SELECT COUNT(*) FROM shared WHERE site = ? AND digest = ?`, site, digest).Scan(&count)
	return count > 0, failed(err, "cannot tell whether site %s may read blob %s", site, digest)
}
