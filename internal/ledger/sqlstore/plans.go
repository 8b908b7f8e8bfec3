package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

const planColumns = `hash, component, version, pipeline, body, live, origin, created, made_by, policies`

// SavePlan implements ledger.Plans.
func (s *Store) SavePlan(ctx context.Context, p ledger.Plan) error {
	if err := p.Check(); err != nil {
		return failed(err, "cannot save plan %q", p.Hash)
	}
	origin, err := json.Marshal(p.Origin)
	if err != nil {
		return failed(err, "cannot save plan %s", p.Hash)
	}
	err = needBlob(ctx, s.all, "the plan's body", p.Body)
	if err == nil {
		err = s.put(ctx, `
			INSERT INTO plans (`+planColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET
				live = excluded.live, origin = excluded.origin, created = excluded.created, made_by = excluded.made_by,
				policies = excluded.policies`,
			p.Hash, p.Subject.String(), p.Version, p.Pipeline, p.Body, p.Live, string(origin), formatTime(p.Created), p.By, p.Policies)
	}
	return failed(err, "cannot save plan %s", p.Hash)
}

// Plan implements ledger.Plans.
func (s *Store) Plan(ctx context.Context, hash string) (ledger.Plan, error) {
	exact, err := scanPlan(s.all.QueryRowContext(ctx, `SELECT `+planColumns+` FROM plans WHERE hash = ?`, hash))
	if err == nil {
		return exact, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return ledger.Plan{}, failed(err, "cannot read plan %s", hash)
	}
	bare, full, err := ledger.PlanPrefix(hash)
	if err != nil {
		return ledger.Plan{}, err
	}
	found, err := rows(ctx, s.all, scanPlan, `
		SELECT `+planColumns+` FROM plans
		WHERE substr(hash, 1, ?) = ? OR substr(hash, 1, ?) = ?
		ORDER BY hash LIMIT 2`, len(bare), bare, len(full), full)
	if err != nil {
		return ledger.Plan{}, failed(err, "cannot read plan %s", hash)
	}
	return ledger.OnePlan(hash, found)
}

// ListPlans implements ledger.Plans.
func (s *Store) ListPlans(ctx context.Context, subject api.Subject, limit int) ([]ledger.Plan, error) {
	return unmarked(s.PagePlans(ctx, subject, ledger.Page{Limit: limit}))
}

// PagePlans implements ledger.Plans.
func (s *Store) PagePlans(ctx context.Context, subject api.Subject, p ledger.Page) ([]ledger.Marked[ledger.Plan], error) {
	of, made := subject.String(), formatTime(p.After.At)
	list, err := rows(ctx, s.all, scanMarkedPlan, `
		SELECT `+planColumns+` FROM plans WHERE (? = '' OR component = ?) AND (? = '' OR created < ? OR created = ? AND hash > ?)
		ORDER BY created DESC, hash LIMIT ?`, of, of, p.After.Hash, made, made, p.After.Hash, ledger.Rows(p.Limit))
	return list, failed(err, "cannot list plans")
}

func scanMarkedPlan(row scanner) (ledger.Marked[ledger.Plan], error) {
	p, err := scanPlan(row)
	return ledger.Marked[ledger.Plan]{Row: p, Mark: ledger.Mark{At: p.Created, Hash: p.Hash}}, err
}

func scanPlan(row scanner) (ledger.Plan, error) {
	var p ledger.Plan
	var origin string
	err := row.Scan(&p.Hash, column{&p.Subject}, &p.Version, &p.Pipeline, &p.Body, &p.Live, &origin, moment{&p.Created}, &p.By, &p.Policies)
	if err == nil {
		err = json.Unmarshal([]byte(origin), &p.Origin)
	}
	return p, err
}
