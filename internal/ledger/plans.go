package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

const (
	planColumns   = `hash, component, version, pipeline, body, live, origin, created, made_by`
	minPlanPrefix = 6
	digestPrefix  = "sha256:"
)

// SavePlan implements Plans. The body must be stored before: Invalid otherwise.
func (s *SQLite) SavePlan(ctx context.Context, p Plan) error {
	if err := required("plan", "hash", p.Hash, "component", p.Component, "body", p.Body); err != nil {
		return failed(err, "cannot save plan %q", p.Hash)
	}
	origin, err := json.Marshal(p.Origin)
	if err != nil {
		return failed(err, "cannot save plan %s", p.Hash)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		if err := needBlob(ctx, tx, "the plan's body", p.Body); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO plans (`+planColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET
				live = excluded.live, origin = excluded.origin, created = excluded.created, made_by = excluded.made_by`,
			p.Hash, p.Component, p.Version, p.Pipeline, p.Body, p.Live, string(origin), formatTime(p.Created), p.By)
		return err
	})
	return failed(err, "cannot save plan %s", p.Hash)
}

// Plan implements Plans. The "sha256:" of a hash may be left out of a prefix, and does not count in its length.
func (s *SQLite) Plan(ctx context.Context, hash string) (Plan, error) {
	exact, err := scanPlan(s.db.QueryRowContext(ctx, `SELECT `+planColumns+` FROM plans WHERE hash = ?`, hash))
	if err == nil {
		return exact, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return Plan{}, failed(err, "cannot read plan %s", hash)
	}
	bare := strings.TrimPrefix(hash, digestPrefix)
	if len(bare) < minPlanPrefix {
		return Plan{}, fault.New(fault.NotFound, "cannot find plan %q: give its hash or at least %d characters of it", hash, minPlanPrefix)
	}
	full := digestPrefix + bare
	found, err := rows(ctx, s.db, scanPlan, `
		SELECT `+planColumns+` FROM plans
		WHERE substr(hash, 1, ?) = ? OR substr(hash, 1, ?) = ?
		ORDER BY hash LIMIT 2`, len(bare), bare, len(full), full)
	if err != nil {
		return Plan{}, failed(err, "cannot read plan %s", hash)
	}
	switch len(found) {
	case 0:
		return Plan{}, fault.New(fault.NotFound, "cannot find plan %s", hash)
	case 1:
		return found[0], nil
	default:
		return Plan{}, fault.New(fault.Conflict, "cannot tell which plan %s is: %s and %s begin with it", hash, found[0].Hash, found[1].Hash)
	}
}

// ListPlans implements Plans.
func (s *SQLite) ListPlans(ctx context.Context, component string, limit int) ([]Plan, error) {
	list, err := rows(ctx, s.db, scanPlan, `
		SELECT `+planColumns+` FROM plans WHERE (? = '' OR component = ?)
		ORDER BY created DESC, hash LIMIT ?`, component, component, bounded(limit))
	return list, failed(err, "cannot list plans")
}

func scanPlan(row scanner) (Plan, error) {
	var p Plan
	var origin, created string
	err := row.Scan(&p.Hash, &p.Component, &p.Version, &p.Pipeline, &p.Body, &p.Live, &origin, &created, &p.By)
	if err != nil {
		return Plan{}, err
	}
	if err := json.Unmarshal([]byte(origin), &p.Origin); err != nil {
		return Plan{}, err
	}
	p.Created, err = parseTime(created)
	return p, err
}
