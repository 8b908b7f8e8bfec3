package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// SaveSaid implements ledger.Probes. Rows are written many at once, and in the order of their keys, so that no two writes wait for each
// other.
func (s *Store) SaveSaid(ctx context.Context, all []probing.Said, now time.Time) error {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b probing.Said) int { return cmp.Compare(a.Cluster, b.Cluster) })
	err := s.write(ctx, NoTurn, func(tx handle) error {
		counts := counts{}
		if err := counts.news(ctx, tx, all); err != nil {
			return err
		}
		if err := saveStands(ctx, tx, all); err != nil {
			return err
		}
		if err := saveProbeOutcomes(ctx, tx, all, now, counts); err != nil {
			return err
		}
		return counts.save(ctx, tx)
	})
	return failed(err, "cannot keep what probes found")
}

// standRow is a stand as it is written.
type standRow struct {
	cluster, probeCase, target string
	last, said                 string
	args                       []any
}

// saveStands keeps stands in the order in which they were said, and has those go that have gone.
func saveStands(ctx context.Context, tx handle, all []probing.Said) error {
	waiting, clusters := map[[3]string]standRow{}, []string{}
	for _, said := range all {
		gone, err := goneBy(ctx, tx, said, waiting)
		if err != nil {
			return err
		}
		if len(gone) > 0 {
			if err := writeStands(ctx, tx, waiting); err != nil {
				return err
			}
		}
		for _, probeCase := range gone {
			_, err := tx.ExecContext(ctx, `DELETE FROM probe_stands WHERE cluster = ? AND probe_case = ? AND said <= ?`,
				said.Cluster, probeCase, formatTime(said.At))
			if err != nil {
				return err
			}
		}
		for _, stand := range said.Stands {
			row, err := rowOf(said, stand)
			if err != nil {
				return err
			}
			key := [3]string{row.cluster, row.probeCase, row.target}
			if was, there := waiting[key]; !there || row.last > was.last || row.last == was.last && row.said >= was.said {
				waiting[key] = row
			}
		}
		if len(said.Stands) > 0 && !slices.Contains(clusters, said.Cluster) {
			clusters = append(clusters, said.Cluster)
		}
	}
	if err := writeStands(ctx, tx, waiting); err != nil {
		return err
	}
	return roomForStands(ctx, tx, clusters)
}

// goneBy are the cases that a cluster has no more, as it says: by name, or as they are not in the list of all that it has.
func goneBy(ctx context.Context, tx handle, said probing.Said, waiting map[[3]string]standRow) ([]string, error) {
	if !said.Whole {
		return said.Gone, nil
	}
	known, err := rows(ctx, tx, func(row scanner) (probeCase string, err error) {
		err = row.Scan(&probeCase)
		return probeCase, err
	}, `SELECT DISTINCT probe_case FROM probe_stands WHERE cluster = ? AND said <= ?`, said.Cluster, formatTime(said.At))
	if err != nil {
		return nil, err
	}
	for key := range waiting {
		if key[0] == said.Cluster {
			known = append(known, key[1])
		}
	}
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(probeCase string) bool { return slices.Contains(said.Cases, probeCase) })
	return append(known, said.Gone...), nil
}

func rowOf(said probing.Said, stand probing.Stand) (standRow, error) {
	stand.Cluster = said.Cluster
	var last time.Time
	if stand.Last != nil {
		last = stand.Last.Ended
	}
	body, err := json.Marshal(stand)
	r := standRow{cluster: said.Cluster, probeCase: stand.Case, target: stand.Target, last: formatTime(last), said: formatTime(said.At)}
	r.args = []any{
		r.cluster, r.probeCase, r.target, string(stand.State), r.last, r.said, formatTime(stand.Until), formatTime(stand.Since), stand.Missed,
		readable(string(body)),
	}
	return r, err
}

// writeStands writes what waits, and leaves nothing waiting. Of two of one key the later counts.
func writeStands(ctx context.Context, tx handle, waiting map[[3]string]standRow) error {
	rows := slices.SortedFunc(maps.Values(waiting), func(a, b standRow) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.probeCase, b.probeCase), cmp.Compare(a.target, b.target))
	})
	clear(waiting)
	for some := range slices.Chunk(rows, rowsAtOnce) {
		var args []any
		for _, r := range some {
			args = append(args, r.args...)
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO probe_stands (cluster, probe_case, target, state, last, said, until, since, missed, body) VALUES `+values(len(some), 10)+`
			ON CONFLICT (cluster, probe_case, target) DO UPDATE SET state = excluded.state, last = excluded.last, said = excluded.said,
				until = excluded.until, since = excluded.since, missed = excluded.missed, body = excluded.body
			WHERE excluded.last > probe_stands.last OR (excluded.last = probe_stands.last AND excluded.said >= probe_stands.said)`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsAtOnce is how many rows one statement writes.
const rowsAtOnce = 100

// values are so many rows of parameters.
func values(rows, columns int) string {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	return row + strings.Repeat(", "+row, rows-1)
}

func roomForStands(ctx context.Context, tx handle, clusters []string) error {
	for some := range slices.Chunk(clusters, rowsAtOnce) {
		args := []any{}
		for _, c := range some {
			args = append(args, c)
		}
		full, err := rows(ctx, tx, func(row scanner) (cluster string, err error) {
			err = row.Scan(&cluster)
			return cluster, err
		}, `SELECT cluster FROM probe_stands WHERE cluster IN `+values(1, len(some))+` GROUP BY cluster HAVING COUNT(*) > ?`,
			append(args, ledger.MaxProbeStands)...)
		if err != nil {
			return err
		}
		if len(full) > 0 {
			return fault.New(fault.Refused, "cluster %s would have more than %d cases and targets", full[0], ledger.MaxProbeStands)
		}
	}
	return nil
}

// saveProbeOutcomes keeps outcomes, and counts those that are new.
func saveProbeOutcomes(ctx context.Context, tx handle, all []probing.Said, now time.Time, counts counts) error {
	found := map[[2]string]probing.Outcome{}
	for _, said := range all {
		for _, o := range said.Outcomes {
			o.Cluster = said.Cluster
			key, old := [2]string{o.Cluster, o.ID}, o.Verdict == api.Passed && o.Ended.Before(now.Add(-ledger.ProbePassesFor))
			if _, twice := found[key]; !twice && !old {
				found[key] = o
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(found), func(a, b [2]string) int {
		x, y := found[a], found[b]
		return cmp.Or(cmp.Compare(a[0], b[0]), x.Ended.Compare(y.Ended), cmp.Compare(a[1], b[1]))
	})
	hours := hours{}
	for some := range slices.Chunk(order, rowsAtOnce) {
		var args []any
		for _, key := range some {
			o := found[key]
			body, err := json.Marshal(o)
			if err != nil {
				return err
			}
			args = append(args, o.Cluster, o.ID, o.Case, o.Target, string(o.Verdict), formatTime(o.Ended), o.Program, readable(string(body)))
		}
		added, err := rows(ctx, tx, func(row scanner) (key [2]string, err error) {
			err = row.Scan(&key[0], &key[1])
			return key, err
		}, `INSERT INTO probe_outcomes (cluster, id, probe_case, target, verdict, ended, program, body) VALUES `+values(len(some), 8)+`
			ON CONFLICT (cluster, id) DO NOTHING RETURNING cluster, id`, args...)
		if err != nil {
			return err
		}
		for _, key := range added {
			hours.add(found[key])
			counts.after(found[key])
		}
	}
	return hours.save(ctx, tx)
}

// hourOf is which count a run belongs to.
type hourOf struct{ probeCase, cluster, hour, verdict, program string }

// hours are counts that are to be added.
type hours map[hourOf]ledger.ProbeHour

// hourAt is the hour of a time, as it is written.
func hourAt(t time.Time) string { return formatTime(t.UTC().Truncate(time.Hour)) }

func (h hours) add(o probing.Outcome) {
	of := hourOf{o.Case, o.Cluster, hourAt(o.Ended), string(o.Verdict), o.Program}
	took := max(o.Ended.Sub(o.Started), 0)
	count := h[of]
	count.Runs, count.Worst, count.Total = count.Runs+1, max(count.Worst, took), count.Total+took
	h[of] = count
}

func (h hours) save(ctx context.Context, tx handle) error {
	order := slices.SortedFunc(maps.Keys(h), func(a, b hourOf) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.probeCase, b.probeCase), cmp.Compare(a.hour, b.hour),
			cmp.Compare(a.verdict, b.verdict), cmp.Compare(a.program, b.program))
	})
	for some := range slices.Chunk(order, rowsAtOnce) {
		var args []any
		for _, of := range some {
			args = append(args, of.probeCase, of.cluster, of.hour, of.verdict, of.program, h[of].Runs, int64(h[of].Worst), int64(h[of].Total))
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO probe_hours (probe_case, cluster, hour, verdict, program, runs, worst, total) VALUES `+values(len(some), 8)+`
			ON CONFLICT (probe_case, cluster, hour, verdict, program) DO UPDATE SET runs = probe_hours.runs + excluded.runs,
				worst = CASE WHEN excluded.worst > probe_hours.worst THEN excluded.worst ELSE probe_hours.worst END,
				total = probe_hours.total + excluded.total`, args...)
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
	for _, table := range []string{"probe_hours", "probe_counts"} {
		if err = s.put(ctx, `DELETE FROM `+table+` WHERE hour < ?`, before(ledger.ProbeHoursFor)); err != nil {
			break
		}
	}
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
