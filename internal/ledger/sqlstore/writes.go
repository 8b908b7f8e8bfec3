package sqlstore

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

const writeColumns = `run, cluster, component, object, step, intent, uid, resource_version, created, at`

// SaveWrite implements ledger.Writes.
func (s *Store) SaveWrite(ctx context.Context, w ledger.Write) error {
	if err := w.Check(); err != nil {
		return failed(err, "cannot save write of %s in %s", w.Object, w.Cluster)
	}
	err := s.put(ctx, `
		INSERT INTO writes (era, `+writeColumns+`) VALUES (`+presentEra+`, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run, cluster, object, step) DO UPDATE SET
			component = excluded.component, intent = excluded.intent, uid = excluded.uid,
			resource_version = excluded.resource_version, created = excluded.created, at = excluded.at`,
		w.Cluster, w.Subject.String(), w.Run, w.Cluster, w.Subject.String(), w.Object, w.Step,
		w.Intent, w.UID, w.ResourceVersion, asInt(w.Created), formatTime(w.At))
	return failed(err, "cannot save write of %s in %s", w.Object, w.Cluster)
}

// ListWrites implements ledger.Writes.
func (s *Store) ListWrites(ctx context.Context, run, cluster string) ([]ledger.Write, error) {
	list, err := rows(ctx, s.all, scanWrite, `
		SELECT `+writeColumns+` FROM writes WHERE run = ? AND cluster = ? ORDER BY seq`, run, cluster)
	return list, failed(err, "cannot list writes of %s in %s", run, cluster)
}

// ListMade implements ledger.Writes.
func (s *Store) ListMade(ctx context.Context, cluster string, subject api.Subject) ([]ledger.Write, error) {
	list, err := rows(ctx, s.all, scanWrite, `
		SELECT `+writeColumns+` FROM writes AS made
		WHERE cluster = ? AND component = ? AND created = 1 AND NOT EXISTS (
			SELECT 1 FROM writes AS later
			WHERE later.cluster = made.cluster AND later.component = made.component AND later.object = made.object
				AND later.step = 'delete' AND later.seq > made.seq)
		ORDER BY seq`, cluster, subject.String())
	return list, failed(err, "cannot list what was made of %s in %s", subject, cluster)
}

func scanWrite(row scanner) (ledger.Write, error) {
	var w ledger.Write
	err := row.Scan(&w.Run, &w.Cluster, column{&w.Subject}, &w.Object, &w.Step, &w.Intent, &w.UID, &w.ResourceVersion, &w.Created,
		moment{&w.At})
	return w, err
}
