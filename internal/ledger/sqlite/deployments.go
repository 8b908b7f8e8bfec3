package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const deploymentColumns = `d.cluster, d.component, d.version, d.target, d.objects, d.run, d.plan, d.fence, d.since`

// presentQuery selects present deployments; a WHERE clause over d may follow.
const presentQuery = `SELECT ` + deploymentColumns + ` FROM present p JOIN deployments d ON d.seq = p.deployment`

// SaveDeployment implements ledger.Deployments.
func (s *Store) SaveDeployment(ctx context.Context, d ledger.Deployment) error {
	if err := d.Check(); err != nil {
		return failed(err, "cannot save deployment of %s in %s", d.Component, d.Cluster)
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		if err := needBlob(ctx, tx, "the deployment's objects", d.Objects); err != nil {
			return err
		}
		was, err := presentDeployment(ctx, tx, d.Cluster, d.Component)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil {
			if next, err := d.Follows(was); err != nil || !next {
				return err
			}
		}
		return insertDeployment(ctx, tx, d)
	})
	return failed(err, "cannot save deployment of %s in %s", d.Component, d.Cluster)
}

// Deployment implements ledger.Deployments.
func (s *Store) Deployment(ctx context.Context, cluster, component string) (ledger.Deployment, error) {
	d, err := presentDeployment(ctx, s.db, cluster, component)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Deployment{}, fault.New(fault.NotFound, "cannot find deployment of %s in %s", component, cluster)
	}
	return d, failed(err, "cannot read deployment of %s in %s", component, cluster)
}

// ListDeployments implements ledger.Deployments.
func (s *Store) ListDeployments(ctx context.Context, cluster, component string) ([]ledger.Deployment, error) {
	query, args := presentQuery+` WHERE 1 = 1`, []any{}
	if cluster != "" {
		query, args = query+` AND p.cluster = ?`, append(args, cluster)
	}
	if component != "" {
		query, args = query+` AND p.component = ?`, append(args, component)
	}
	list, err := rows(ctx, s.db, scanDeployment, query+` ORDER BY p.cluster, p.component`, args...)
	return list, failed(err, "cannot list deployments")
}

// RemoveDeployment implements ledger.Deployments.
func (s *Store) RemoveDeployment(ctx context.Context, cluster, component, run string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE deployments SET removed_by = ?
			WHERE seq IN (SELECT deployment FROM present WHERE cluster = ? AND component = ?)`, run, cluster, component)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM present WHERE cluster = ? AND component = ?`, cluster, component)
		return err
	})
	return failed(err, "cannot remove deployment of %s in %s", component, cluster)
}

func presentDeployment(ctx context.Context, q queryer, cluster, component string) (ledger.Deployment, error) {
	return scanDeployment(q.QueryRowContext(ctx, presentQuery+` WHERE p.cluster = ? AND p.component = ?`, cluster, component))
}

func insertDeployment(ctx context.Context, tx *sql.Tx, d ledger.Deployment) error {
	var seq int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO deployments (cluster, component, version, target, objects, run, plan, fence, since, removed_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '') RETURNING seq`,
		d.Cluster, d.Component, d.Version, d.Target, d.Objects, d.Run, d.Plan, d.Fence, formatTime(d.Since)).Scan(&seq)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO present (cluster, component, deployment) VALUES (?, ?, ?)
		ON CONFLICT (cluster, component) DO UPDATE SET deployment = excluded.deployment`, d.Cluster, d.Component, seq)
	return err
}

func scanDeployment(row scanner) (ledger.Deployment, error) {
	var d ledger.Deployment
	var since string
	err := row.Scan(&d.Cluster, &d.Component, &d.Version, &d.Target, &d.Objects, &d.Run, &d.Plan, &d.Fence, &since)
	if err != nil {
		return ledger.Deployment{}, err
	}
	d.Since, err = parseTime(since)
	return d, err
}
