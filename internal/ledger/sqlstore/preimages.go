package sqlstore

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

const preImageColumns = `run, cluster, component, object, uid, image, taken_back, at`

// presentEra is the era that (cluster, component) are in: the sequence of the last deployment recorded there, whether it is
// still present or not, 0 before the first.
const presentEra = `(SELECT COALESCE(MAX(seq), 0) FROM deployments WHERE cluster = ? AND component = ?)`

// eraOf is the era in which a run made its first write, the present one where it made none.
const eraOf = `COALESCE((SELECT MIN(era) FROM writes WHERE run = ? AND cluster = ? AND component = ?), ` + presentEra + `)`

// SavePreImage implements ledger.PreImages.
func (s *Store) SavePreImage(ctx context.Context, p ledger.PreImage) error {
	if err := p.Check(); err != nil {
		return failed(err, "cannot save pre-image of %s in %s", p.Object, p.Cluster)
	}
	if p.Image != "" {
		if err := needBlob(ctx, s.all, "the pre-image", p.Image); err != nil {
			return failed(err, "cannot save pre-image of %s in %s", p.Object, p.Cluster)
		}
	}
	err := s.put(ctx, `
		INSERT INTO pre_images (era, `+preImageColumns+`) VALUES (`+presentEra+`, ?, ?, ?, ?, ?, ?, '', ?)
		ON CONFLICT DO NOTHING`,
		p.Cluster, p.Subject.String(), p.Run, p.Cluster, p.Subject.String(), p.Object, p.UID, p.Image, formatTime(p.At))
	return failed(err, "cannot save pre-image of %s in %s", p.Object, p.Cluster)
}

// ListPreImages implements ledger.PreImages.
func (s *Store) ListPreImages(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.PreImage, error) {
	list, err := rows(ctx, s.all, scanPreImage, `
		SELECT `+preImageColumns+` FROM pre_images WHERE cluster = ? AND component = ? AND era = `+eraOf+` ORDER BY seq`,
		cluster, subject.String(), run, cluster, subject.String(), cluster, subject.String())
	return list, failed(err, "cannot list pre-images of %s in %s", subject, cluster)
}

// ListEraWrites implements ledger.PreImages.
func (s *Store) ListEraWrites(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.Write, error) {
	list, err := rows(ctx, s.all, scanWrite, `
		SELECT `+writeColumns+` FROM writes
		WHERE cluster = ? AND component = ? AND (run = ? OR era >= 0 AND era = `+eraOf+`) ORDER BY seq`,
		cluster, subject.String(), run, run, cluster, subject.String(), cluster, subject.String())
	return list, failed(err, "cannot list writes of %s in %s", subject, cluster)
}

// EndPreImages implements ledger.PreImages.
func (s *Store) EndPreImages(ctx context.Context, run, cluster string, subject api.Subject, by string) error {
	err := s.put(ctx, `
		UPDATE pre_images SET taken_back = ?
		WHERE cluster = ? AND component = ? AND taken_back = '' AND era >= `+eraOf,
		by, cluster, subject.String(), run, cluster, subject.String(), cluster, subject.String())
	return failed(err, "cannot end pre-images of %s in %s", subject, cluster)
}

func scanPreImage(row scanner) (ledger.PreImage, error) {
	var p ledger.PreImage
	err := row.Scan(&p.Run, &p.Cluster, column{&p.Subject}, &p.Object, &p.UID, &p.Image, &p.TakenBack, moment{&p.At})
	return p, err
}
