package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// narrowed is a condition on a cluster, a case and a target, with its arguments.
func narrowed(of ledger.ProbesOf) (string, []any) {
	where, args := "1 = 1", []any{}
	for column, value := range map[string]string{"cluster": of.Cluster, "probe_case": of.Case} {
		if value != "" {
			where, args = where+" AND "+column+" = ?", append(args, value)
		}
	}
	if of.Target != nil {
		where, args = where+" AND target = ?", append(args, *of.Target)
	}
	return where, args
}

// PageStands implements ledger.Probes.
func (s *Store) PageStands(ctx context.Context, of ledger.ProbesOf, p ledger.Page) ([]ledger.Marked[probing.Stand], error) {
	where, args := narrowed(of)
	if of.Bad {
		where += ` AND (state NOT IN ('Passing', 'Skipped') OR (until <> '' AND until < ?))`
		args = append(args, formatTime(of.Now))
	}
	list, err := rows(ctx, s.all, marked(body[probing.Stand]),
		`SELECT seq, body FROM probe_stands WHERE `+where+` AND seq < ? ORDER BY seq DESC LIMIT ?`,
		append(args, below(p), ledger.Rows(p.Limit))...)
	return list, failed(err, "cannot list the states of probes")
}

// CountStands implements ledger.Probes.
func (s *Store) CountStands(ctx context.Context, now time.Time) ([]ledger.ProbeCount, error) {
	list, err := rows(ctx, s.all, func(row scanner) (c ledger.ProbeCount, err error) {
		err = row.Scan(&c.Case, &c.State, &c.Count)
		return c, err
	}, `
		SELECT probe_case, CASE WHEN until <> '' AND until < ? THEN 'Unknown' ELSE state END AS known, COUNT(*) FROM probe_stands
		GROUP BY 1, 2 ORDER BY 1, 2`, formatTime(now))
	return list, failed(err, "cannot count the states of probes")
}

// PageProbeOutcomes implements ledger.Probes.
func (s *Store) PageProbeOutcomes(ctx context.Context, of ledger.ProbesOf, p ledger.Page) ([]ledger.Marked[ledger.ProbeOutcome], error) {
	where, args := narrowed(of)
	if of.Bad {
		where += ` AND verdict <> 'Passed'`
	}
	list, err := rows(ctx, s.all, marked(scanProbeOutcome),
		`SELECT seq, body, label FROM probe_outcomes WHERE `+where+` AND seq < ? ORDER BY seq DESC LIMIT ?`,
		append(args, below(p), ledger.Rows(p.Limit))...)
	return list, failed(err, "cannot list what probes found")
}

func scanProbeOutcome(row scanner) (o ledger.ProbeOutcome, err error) {
	var text, label string
	if err := row.Scan(&text, &label); err != nil {
		return o, err
	}
	if err := json.Unmarshal([]byte(text), &o.Outcome); err != nil || label == "" {
		return o, err
	}
	o.Label = &ledger.ProbeLabel{}
	return o, json.Unmarshal([]byte(label), o.Label)
}

// ListProbeHours implements ledger.Probes.
func (s *Store) ListProbeHours(ctx context.Context, of ledger.ProbesOf, after time.Time) ([]ledger.ProbeHour, error) {
	of.Target = nil
	where, args := narrowed(of)
	list, err := rows(ctx, s.all, func(row scanner) (h ledger.ProbeHour, err error) {
		err = row.Scan(&h.Cluster, &h.Case, moment{&h.Hour}, &h.Verdict, &h.Runs, &h.Worst, &h.Total)
		return h, err
	}, `
		SELECT cluster, probe_case, hour, verdict, runs, worst, total FROM probe_hours WHERE `+where+` AND hour > ?
		ORDER BY cluster, probe_case, hour DESC, verdict LIMIT ?`, append(args, formatTime(after), ledger.Rows(0))...)
	return list, failed(err, "cannot count what probes found")
}

// clustersAtOnce is how many clusters one query names.
const clustersAtOnce = 500

// endless is after all times.
var endless = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// CountProbeFailures implements ledger.Probes.
func (s *Store) CountProbeFailures(ctx context.Context, probeCase string, clusters []string) (all ledger.ProbeFailures, err error) {
	type failures struct {
		label       string
		count       int
		first, last time.Time
	}
	list, err := ofClusters(ctx, s, func(row scanner) (f failures, err error) {
		err = row.Scan(&f.label, &f.count, moment{&f.first}, moment{&f.last})
		return f, err
	}, `SELECT labelled, COUNT(*), MIN(ended), MAX(ended) FROM probe_outcomes
		WHERE verdict = 'Failed' AND verdict <> 'Passed' AND probe_case = ? AND cluster IN `, ` GROUP BY labelled`, clusters, probeCase)
	if err != nil {
		return all, failed(err, "cannot count failures of probe %s", probeCase)
	}
	known := endless
	for _, f := range list {
		if hour := f.first.Truncate(time.Hour); hour.Before(known) {
			known = hour
		}
		switch f.label {
		case labelledTrue:
			all.True += f.count
			continue
		case labelledFalse:
			all.False += f.count
		default:
			all.Unlabelled += f.count
		}
		if f.last.After(all.Noise) {
			all.Noise = f.last
		}
	}
	// Hours are kept for longer than failures: those of an hour that ended before the first that is known are forgotten.
	forgotten, err := ofClusters(ctx, s, func(row scanner) (hour time.Time, err error) {
		err = row.Scan(moment{&hour})
		return hour, err
	}, `SELECT hour FROM probe_hours WHERE verdict = 'Failed' AND probe_case = ? AND hour < ? AND cluster IN `,
		` ORDER BY hour DESC LIMIT 1`, clusters, probeCase, formatTime(known))
	if err != nil {
		return all, failed(err, "cannot count failures of probe %s", probeCase)
	}
	for _, hour := range forgotten {
		if hour.After(all.Noise) {
			all.Noise = hour
		}
	}
	passes, err := ofClusters(ctx, s, func(row scanner) (n int64, err error) {
		err = row.Scan(&n)
		return n, err
	}, `SELECT CAST(COALESCE(SUM(runs), 0) AS BIGINT) FROM probe_hours WHERE probe_case = ? AND verdict = 'Passed' AND hour > ?
		AND cluster IN `, ``, clusters, probeCase, formatTime(all.Noise))
	for _, n := range passes {
		all.Quiet += n
	}
	return all, failed(err, "cannot count passes of probe %s", probeCase)
}

// ofClusters runs a query with a list of clusters in its middle, as often as that takes.
func ofClusters[T any](
	ctx context.Context, s *Store, scan func(scanner) (T, error), query, end string, clusters []string, args ...any,
) (all []T, err error) {
	for some := range slices.Chunk(clusters, clustersAtOnce) {
		args := slices.Clone(args)
		for _, c := range some {
			args = append(args, c)
		}
		list, err := rows(ctx, s.all, scan, query+`(?`+strings.Repeat(", ?", len(some)-1)+`)`+end, args...)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}
