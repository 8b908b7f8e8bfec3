package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// badStands are the stands that are not well at a time, which it takes two times. Each half has an index of its own.
const badStands = `
	SELECT seq, cluster, probe_case, last, CASE WHEN state = 'Failing' AND (until = '' OR until >= ?) THEN 1 ELSE 0 END AS failing,
		CASE WHEN state = 'Unknown' AND last <> '' THEN 1 ELSE 0 END AS unsure
	FROM probe_stands WHERE state NOT IN ('Passing', 'Skipped')
	UNION ALL
	SELECT seq, cluster, probe_case, last, 0, 0 FROM probe_stands WHERE until <> '' AND until < ? AND state IN ('Passing', 'Skipped')`

// BadProbes implements ledger.ProbeTurns.
func (s *Store) BadProbes(ctx context.Context, now time.Time) ([]ledger.BadProbe, error) {
	at := formatTime(now)
	list, err := rows(ctx, s.all, func(row scanner) (b ledger.BadProbe, err error) {
		err = row.Scan(&b.Cluster, &b.Case, &b.Failing, &b.Unknown, &b.Looked, &b.Worst)
		return b, err
	}, `
		SELECT cluster, probe_case, SUM(failing), SUM(1 - failing), SUM(CASE WHEN last <> '' THEN 1 ELSE 0 END),
			COALESCE(MIN(CASE WHEN failing = 1 THEN seq END), MIN(CASE WHEN unsure = 1 THEN seq END),
				MIN(CASE WHEN last <> '' THEN seq END), MIN(seq))
		FROM (`+badStands+`) AS bad GROUP BY probe_case, cluster ORDER BY probe_case, cluster LIMIT ?`, at, at, ledger.MaxProbeTurns)
	return list, failed(err, "cannot list which probes are not well")
}

// StandsAt implements ledger.ProbeTurns.
func (s *Store) StandsAt(ctx context.Context, worst []int64) (map[int64]probing.Stand, error) {
	all := map[int64]probing.Stand{}
	for some := range slices.Chunk(worst, clustersAtOnce) {
		var args []any
		for _, seq := range some {
			args = append(args, seq)
		}
		_, err := rows(ctx, s.all, func(row scanner) (none struct{}, err error) {
			var seq int64
			var text string
			var stand probing.Stand
			if err = row.Scan(&seq, &text); err == nil {
				err = json.Unmarshal([]byte(text), &stand)
			}
			all[seq] = stand
			return none, err
		}, `SELECT seq, body FROM probe_stands WHERE seq IN (?`+strings.Repeat(", ?", len(some)-1)+`)`, args...)
		if err != nil {
			return nil, failed(err, "cannot read the states of probes")
		}
	}
	return all, nil
}

// BestStates implements ledger.ProbeTurns.
func (s *Store) BestStates(ctx context.Context, probeCase string, clusters []string) (map[string]probing.State, error) {
	type one struct{ cluster, state string }
	list, err := ofClusters(ctx, s, func(row scanner) (o one, err error) {
		err = row.Scan(&o.cluster, &o.state)
		return o, err
	}, `SELECT DISTINCT cluster, state FROM probe_stands WHERE probe_case = ? AND cluster IN `, ``, clusters, probeCase)
	if err != nil {
		return nil, failed(err, "cannot read the states of probe %s", probeCase)
	}
	all := map[string]probing.State{}
	best := []probing.State{probing.Unknown, probing.Failing, probing.Paused, probing.Passing}
	for _, o := range list {
		state := probing.State(o.state)
		if was, there := all[o.cluster]; !there || slices.Index(best, state) > slices.Index(best, was) {
			all[o.cluster] = state
		}
	}
	return all, nil
}

// ListProbeTurns implements ledger.ProbeTurns.
func (s *Store) ListProbeTurns(ctx context.Context) (all []ledger.ProbeTurn, revision int64, err error) {
	// The revision is read first: what is written in between makes whoever goes by it late.
	err = s.all.QueryRowContext(ctx, `SELECT revision FROM probe_turns_revision`).Scan(&revision)
	if err == nil {
		all, err = rows(ctx, s.all, func(row scanner) (t ledger.ProbeTurn, err error) {
			var text string
			if err = row.Scan(&t.Cluster, &t.Case, &text); err == nil {
				err = json.Unmarshal([]byte(text), &t)
			}
			return t, err
		}, `SELECT cluster, probe_case, body FROM probe_turns ORDER BY probe_case, cluster LIMIT ?`, ledger.MaxProbeTurns)
	}
	return all, revision, failed(err, "cannot list what was noticed of probes")
}

// TurnProbes implements ledger.ProbeTurns.
func (s *Store) TurnProbes(ctx context.Context, revision int64, turns []ledger.ProbeTurn, queue []ledger.Notice) error {
	for _, n := range queue {
		if err := n.Check(); err != nil {
			return failed(err, "cannot queue a notice")
		}
	}
	err := s.write(ctx, turnOfNotices, func(tx handle) error {
		changed, err := tx.ExecContext(ctx, `UPDATE probe_turns_revision SET revision = revision + 1 WHERE revision = ?`, revision)
		if err != nil {
			return err
		}
		if n, err := changed.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.Conflict, "somebody else has noticed something of them"))
		}
		if err := turnProbes(ctx, tx, turns); err != nil {
			return err
		}
		for _, n := range queue {
			if err := s.queue(ctx, tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	return failed(err, "cannot note what probes turned to")
}

func turnProbes(ctx context.Context, tx handle, turns []ledger.ProbeTurn) error {
	for some := range slices.Chunk(turns, rowsAtOnce) {
		var args []any
		kept := 0
		for _, t := range some {
			if t.State == "" {
				_, err := tx.ExecContext(ctx, `DELETE FROM probe_turns WHERE probe_case = ? AND cluster = ?`, t.Case, t.Cluster)
				if err != nil {
					return err
				}
				continue
			}
			t.At = t.At.UTC()
			text, err := json.Marshal(t)
			if err != nil {
				return err
			}
			args, kept = append(args, t.Cluster, t.Case, string(text)), kept+1
		}
		if kept == 0 {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO probe_turns (cluster, probe_case, body) VALUES `+values(kept, 3)+`
			ON CONFLICT (probe_case, cluster) DO UPDATE SET body = excluded.body`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}
