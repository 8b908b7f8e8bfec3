package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

const deploymentColumns = `d.cluster, d.component, d.version, d.target, d.objects, d.run, d.plan, d.fence, d.since`

// presentQuery selects present deployments; a WHERE clause over d may follow.
const presentQuery = `SELECT ` + deploymentColumns + ` FROM present p JOIN deployments d ON d.seq = p.deployment`

// SaveDeployment implements ledger.Deployments.
func (s *Store) SaveDeployment(ctx context.Context, d ledger.Deployment) error {
	if err := d.Check(); err != nil {
		return failed(err, "cannot save deployment of %s in %s", d.Subject, d.Cluster)
	}
	err := s.write(ctx, turnOfUnit(d.Cluster, d.Subject), func(tx handle) error {
		if err := needBlob(ctx, tx, "the deployment's objects", d.Objects); err != nil {
			return err
		}
		was, err := presentDeployment(ctx, tx, d.Cluster, d.Subject)
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
	return failed(err, "cannot save deployment of %s in %s", d.Subject, d.Cluster)
}

// Deployment implements ledger.Deployments.
func (s *Store) Deployment(ctx context.Context, cluster string, subject api.Subject) (ledger.Deployment, error) {
	d, err := presentDeployment(ctx, s.all, cluster, subject)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Deployment{}, fault.New(fault.NotFound, "cannot find deployment of %s in %s", subject, cluster)
	}
	return d, failed(err, "cannot read deployment of %s in %s", subject, cluster)
}

// ListDeployments implements ledger.Deployments.
func (s *Store) ListDeployments(ctx context.Context, cluster string, subject api.Subject) ([]ledger.Deployment, error) {
	query, args := presentQuery+` WHERE 1 = 1`, []any{}
	if cluster != "" {
		query, args = query+` AND p.cluster = ?`, append(args, cluster)
	}
	if name := subject.String(); name != "" {
		query, args = query+` AND p.component = ?`, append(args, name)
	}
	list, err := rows(ctx, s.all, scanDeployment, query+` ORDER BY p.cluster, p.component`, args...)
	return list, failed(err, "cannot list deployments")
}

// PastDeployment implements ledger.Deployments.
func (s *Store) PastDeployment(ctx context.Context, cluster string, subject api.Subject, target string) (ledger.Deployment, error) {
	d, err := scanDeployment(s.all.QueryRowContext(ctx, `SELECT `+deploymentColumns+` FROM deployments d
		WHERE d.cluster = ? AND d.component = ? AND d.target = ? ORDER BY d.seq DESC LIMIT 1`, cluster, subject.String(), target))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Deployment{}, fault.New(fault.NotFound, "cannot find a deployment of %s in %s with target %s", subject, cluster, target)
	}
	return d, failed(err, "cannot read the deployments of %s in %s", subject, cluster)
}

// RemoveDeployment implements ledger.Deployments.
func (s *Store) RemoveDeployment(ctx context.Context, cluster string, subject api.Subject, run string) error {
	err := s.write(ctx, turnOfUnit(cluster, subject), func(tx handle) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE deployments SET removed_by = ?
			WHERE seq IN (SELECT deployment FROM present WHERE cluster = ? AND component = ?)`, run, cluster, subject.String())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM present WHERE cluster = ? AND component = ?`, cluster, subject.String())
		return err
	})
	return failed(err, "cannot remove deployment of %s in %s", subject, cluster)
}

func presentDeployment(ctx context.Context, q handle, cluster string, subject api.Subject) (ledger.Deployment, error) {
	return scanDeployment(q.QueryRowContext(ctx, presentQuery+` WHERE p.cluster = ? AND p.component = ?`, cluster, subject.String()))
}

func insertDeployment(ctx context.Context, tx handle, d ledger.Deployment) error {
	var seq int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO deployments (cluster, component, version, target, objects, run, plan, fence, since, removed_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '') RETURNING seq`,
		d.Cluster, d.Subject.String(), d.Version, d.Target, d.Objects, d.Run, d.Plan, d.Fence, formatTime(d.Since)).Scan(&seq)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO present (cluster, component, deployment) VALUES (?, ?, ?)
		ON CONFLICT (cluster, component) DO UPDATE SET deployment = excluded.deployment`, d.Cluster, d.Subject.String(), seq)
	return err
}

func scanDeployment(row scanner) (ledger.Deployment, error) {
	var d ledger.Deployment
	err := row.Scan(&d.Cluster, column{&d.Subject}, &d.Version, &d.Target, &d.Objects, &d.Run, &d.Plan, &d.Fence, moment{&d.Since})
	return d, err
}
