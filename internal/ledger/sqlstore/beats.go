package sqlstore

import (
	"context"
	"strings"

	"sluice.dev/sluice/internal/ledger"
)

// SaveBeat implements ledger.Beats.
func (s *Store) SaveBeat(ctx context.Context, b ledger.Beat) error {
	if err := b.Check(); err != nil {
		return failed(err, "cannot save beat of %s", b.Worker)
	}
	err := s.write(ctx, NoTurn, func(tx handle) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO beats (worker, build, queues, since, seen, ended) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (worker) DO UPDATE SET build = excluded.build, queues = excluded.queues, since = excluded.since,
				seen = excluded.seen, ended = excluded.ended`,
			b.Worker, b.Build, strings.Join(b.Queues, "\n"), formatTime(b.Since), formatTime(b.Seen), formatTime(b.Ended))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			DELETE FROM beats WHERE seen < ? OR worker NOT IN (SELECT worker FROM beats ORDER BY seen DESC, worker LIMIT ?)`,
			formatTime(b.Seen.Add(-ledger.BeatsKept)), ledger.MaxWorkers)
		return err
	})
	return failed(err, "cannot save beat of %s", b.Worker)
}

// ListBeats implements ledger.Beats.
func (s *Store) ListBeats(ctx context.Context) ([]ledger.Beat, error) {
	list, err := rows(ctx, s.all, scanBeat, `SELECT worker, build, queues, since, seen, ended FROM beats ORDER BY seen DESC, worker`)
	return list, failed(err, "cannot list workers")
}

func scanBeat(row scanner) (ledger.Beat, error) {
	var b ledger.Beat
	var queues string
	err := row.Scan(&b.Worker, &b.Build, &queues, moment{&b.Since}, moment{&b.Seen}, moment{&b.Ended})
	if queues != "" {
		b.Queues = strings.Split(queues, "\n")
	}
	return b, err
}
