package sqlstore

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

const observationColumns = `cluster, component, run, version, node_set, batch, updated, desired, armed, unreachable, seen, behind`

// asBefore is whether nothing has got on since what was seen before.
const asBefore = `observations.run = excluded.run AND observations.version = excluded.version
	AND observations.node_set = excluded.node_set AND observations.batch = excluded.batch AND observations.updated = excluded.updated`

// SaveObservation implements ledger.Observations.
func (s *Store) SaveObservation(ctx context.Context, o ledger.Observation) error {
	if err := o.Check(); err != nil {
		return failed(err, "cannot save observation of %s in %s", o.Subject, o.Cluster)
	}
	replace := `run = excluded.run, version = excluded.version, node_set = excluded.node_set, batch = excluded.batch,
		updated = excluded.updated, desired = excluded.desired, armed = excluded.armed, unreachable = 0, seen = excluded.seen,
		behind = excluded.behind,
		moved = CASE WHEN ` + asBefore + ` THEN observations.moved ELSE excluded.moved END`
	if o.Unreachable {
		replace = `unreachable = 1`
	}
	err := s.put(ctx, `
		INSERT INTO observations (`+observationColumns+`, moved) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (cluster, component) DO UPDATE SET `+replace,
		o.Cluster, o.Subject.String(), o.Run, o.Version, o.NodeSet, o.Batch, o.Updated, o.Desired,
		asInt(o.Armed), asInt(o.Unreachable), formatTime(o.Seen), o.Behind, formatTime(o.Seen))
	return failed(err, "cannot save observation of %s in %s", o.Subject, o.Cluster)
}

// ListObservations implements ledger.Observations.
func (s *Store) ListObservations(ctx context.Context, subject api.Subject) ([]ledger.Observation, error) {
	list, err := rows(ctx, s.all, scanObservation, `
		SELECT `+observationColumns+` FROM observations WHERE (? = '' OR component = ?)
		ORDER BY cluster, component`, subject.String(), subject.String())
	return list, failed(err, "cannot list observations")
}

func scanObservation(row scanner) (ledger.Observation, error) {
	var o ledger.Observation
	err := row.Scan(&o.Cluster, column{&o.Subject}, &o.Run, &o.Version, &o.NodeSet, &o.Batch, &o.Updated, &o.Desired,
		&o.Armed, &o.Unreachable, moment{&o.Seen}, &o.Behind)
	return o, err
}
