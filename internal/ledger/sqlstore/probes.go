package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// SaveSaid implements ledger.Probes. Clusters are written in the order of their names, so that no two writes wait for each other.
func (s *Store) SaveSaid(ctx context.Context, all []probing.Said, now time.Time) error {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b probing.Said) int { return cmp.Compare(a.Cluster, b.Cluster) })
	err := s.write(ctx, NoTurn, func(tx handle) error {
		hours := hours{}
		for _, said := range all {
			if err := saveSaid(ctx, tx, said, now, hours); err != nil {
				return failed(err, "of cluster %s", said.Cluster)
			}
		}
		return hours.save(ctx, tx)
	})
	return failed(err, "cannot keep what probes found")
}

func saveSaid(ctx context.Context, tx handle, said probing.Said, now time.Time, hours hours) error {
	for _, probeCase := range said.Gone {
		_, err := tx.ExecContext(ctx, `DELETE FROM probe_stands WHERE cluster = ? AND probe_case = ? AND said <= ?`,
			said.Cluster, probeCase, formatTime(said.At))
		if err != nil {
			return err
		}
	}
	for _, stand := range said.Stands {
		if err := saveStand(ctx, tx, said, stand); err != nil {
			return err
		}
	}
	if len(said.Stands) > 0 {
		if err := roomForStands(ctx, tx, said.Cluster); err != nil {
			return err
		}
	}
	for _, o := range said.Outcomes {
		if o.Verdict == api.Passed && o.Ended.Before(now.Add(-ledger.ProbePassesFor)) {
			continue
		}
		o.Cluster = said.Cluster
		isNew, err := saveProbeOutcome(ctx, tx, o)
		if err != nil {
			return err
		}
		if isNew {
			hours.add(o)
		}
	}
	return nil
}

func saveStand(ctx context.Context, tx handle, said probing.Said, stand probing.Stand) error {
	stand.Cluster = said.Cluster
	var last time.Time
	if stand.Last != nil {
		last = stand.Last.Ended
	}
	body, err := json.Marshal(stand)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO probe_stands (cluster, probe_case, target, state, last, said, until, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (cluster, probe_case, target) DO UPDATE SET state = excluded.state, last = excluded.last, said = excluded.said,
			until = excluded.until, body = excluded.body
		WHERE excluded.last > probe_stands.last OR (excluded.last = probe_stands.last AND excluded.said >= probe_stands.said)`,
		said.Cluster, stand.Case, stand.Target, string(stand.State), formatTime(last), formatTime(said.At), formatTime(stand.Until),
		readable(string(body)))
	return err
}

func roomForStands(ctx context.Context, tx handle, cluster string) error {
	var has int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM probe_stands WHERE cluster = ?`, cluster).Scan(&has); err != nil {
		return err
	}
	if has > ledger.MaxProbeStands {
		return fault.New(fault.Refused, "it would have %d cases and targets, and may have %d", has, ledger.MaxProbeStands)
	}
	return nil
}

func saveProbeOutcome(ctx context.Context, tx handle, o probing.Outcome) (isNew bool, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return false, err
	}
	added, err := tx.ExecContext(ctx, `
		INSERT INTO probe_outcomes (cluster, id, probe_case, target, verdict, ended, body) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (cluster, id) DO NOTHING`,
		o.Cluster, o.ID, o.Case, o.Target, string(o.Verdict), formatTime(o.Ended), readable(string(body)))
	if err != nil {
		return false, err
	}
	n, err := added.RowsAffected()
	return n > 0, err
}

// hourOf is which count a run belongs to.
type hourOf struct{ probeCase, cluster, hour, verdict string }

// hours are counts that are to be added.
type hours map[hourOf]ledger.ProbeHour

func (h hours) add(o probing.Outcome) {
	of := hourOf{o.Case, o.Cluster, formatTime(o.Ended.UTC().Truncate(time.Hour)), string(o.Verdict)}
	took := max(o.Ended.Sub(o.Started), 0)
	count := h[of]
	count.Runs, count.Worst, count.Total = count.Runs+1, max(count.Worst, took), count.Total+took
	h[of] = count
}

func (h hours) save(ctx context.Context, tx handle) error {
	order := slices.SortedFunc(maps.Keys(h), func(a, b hourOf) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.probeCase, b.probeCase), cmp.Compare(a.hour, b.hour),
			cmp.Compare(a.verdict, b.verdict))
	})
	for _, of := range order {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO probe_hours (probe_case, cluster, hour, verdict, runs, worst, total) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (probe_case, cluster, hour, verdict) DO UPDATE SET runs = probe_hours.runs + excluded.runs,
				worst = CASE WHEN excluded.worst > probe_hours.worst THEN excluded.worst ELSE probe_hours.worst END,
				total = probe_hours.total + excluded.total`,
			of.probeCase, of.cluster, of.hour, of.verdict, h[of].Runs, int64(h[of].Worst), int64(h[of].Total))
		if err != nil {
			return err
		}
	}
	return nil
}

// LabelProbeOutcome implements ledger.Probes.
func (s *Store) LabelProbeOutcome(ctx context.Context, cluster, id string, l ledger.ProbeLabel) (ledger.ProbeOutcome, error) {
	if err := l.Check(); err != nil {
		return ledger.ProbeOutcome{}, failed(err, "cannot label run %s", id)
	}
	var out ledger.ProbeOutcome
	err := s.write(ctx, NoTurn, func(tx handle) error {
		found, err := rows(ctx, tx, scanProbeOutcome, `
			SELECT body, label FROM probe_outcomes WHERE id = ? AND (? = '' OR cluster = ?) ORDER BY cluster LIMIT 2`, id, cluster, cluster)
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return fault.New(fault.NotFound, "nothing is known of it, or not any more")
		case len(found) > 1:
			return fault.New(fault.Conflict, "clusters %s and %s have one of that name; name the cluster", found[0].Cluster, found[1].Cluster)
		case found[0].Verdict != api.Failed:
			return fault.New(fault.Invalid, "it has not failed: its verdict is %s", found[0].Verdict)
		}
		out = found[0]
		out.Label = &l
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE probe_outcomes SET label = ?, labelled = ? WHERE cluster = ? AND id = ?`,
			readable(string(text)), labelled(l), out.Cluster, id)
		return err
	})
	return out, failed(err, "cannot label run %s", id)
}

// What the column labelled has.
const (
	labelledFalse = "false"
	labelledTrue  = "true"
)

func labelled(l ledger.ProbeLabel) string {
	if l.FalsePositive {
		return labelledFalse
	}
	return labelledTrue
}

// sweptAtOnce is how many rows one write forgets: others wait for it.
const sweptAtOnce = 2000

// SweepProbes implements ledger.Probes.
func (s *Store) SweepProbes(ctx context.Context, now time.Time) (all int64, err error) {
	before := func(d time.Duration) string { return formatTime(now.Add(-d)) }
	for _, of := range []struct {
		table, key, where string
		args              []any
	}{
		{"probe_stands", "seq", `said < ? AND EXISTS (SELECT 1 FROM probe_stands o WHERE o.cluster = probe_stands.cluster AND o.said >= ?)`,
			[]any{before(ledger.ProbeUnsaid), before(ledger.ProbeUnsaid / 2)}},
		{"probe_outcomes", "seq", `ended < ? AND verdict = 'Passed'`, []any{before(ledger.ProbePassesFor)}},
		{"probe_outcomes", "seq", `ended < ?`, []any{before(ledger.ProbeFailuresFor)}},
		{"probe_outcomes", "seq", `verdict = 'Passed' AND seq <= (SELECT COALESCE(MAX(seq), 0) FROM probe_outcomes) - ?`,
			[]any{ledger.MaxProbePasses}},
		{"probe_outcomes", "seq", `verdict <> 'Passed' AND seq <= COALESCE((SELECT seq FROM probe_outcomes WHERE verdict <> 'Passed'
			ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)`, []any{ledger.MaxProbeFailures}},
	} {
		n, err := s.sweep(ctx, of.table, of.key, of.where, of.args...)
		if all += n; err != nil {
			return all, failed(err, "cannot forget what probes found")
		}
	}
	err = s.put(ctx, `DELETE FROM probe_hours WHERE hour < ?`, before(ledger.ProbeHoursFor))
	return all, failed(err, "cannot forget what probes found")
}

// sweep deletes rows some at a time.
func (s *Store) sweep(ctx context.Context, table, key, where string, args ...any) (all int64, err error) {
	query := `DELETE FROM ` + table + ` WHERE ` + key + ` IN (SELECT ` + key + ` FROM ` + table + ` WHERE ` + where + ` LIMIT ?)`
	for {
		var n int64
		err := s.once(ctx, func(h handle) error {
			deleted, err := h.ExecContext(ctx, query, append(slices.Clone(args), sweptAtOnce)...)
			if err == nil {
				n, err = deleted.RowsAffected()
			}
			return err
		})
		if all += n; err != nil || n < sweptAtOnce {
			return all, err
		}
	}
}
