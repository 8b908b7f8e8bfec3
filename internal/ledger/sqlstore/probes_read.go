package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
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
		SELECT cluster, probe_case, hour, verdict, CAST(SUM(runs) AS BIGINT), MAX(worst), CAST(SUM(total) AS BIGINT) FROM probe_hours
		WHERE `+where+` AND hour > ? GROUP BY cluster, probe_case, hour, verdict
		ORDER BY cluster, probe_case, hour DESC, verdict LIMIT ?`, append(args, formatTime(after), ledger.Rows(0))...)
	return list, failed(err, "cannot count what probes found")
}

// clustersAtOnce is how many clusters one query names.
const clustersAtOnce = 500

// endless is after all times.
var endless = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// CountProbeFailures implements ledger.Probes.
func (s *Store) CountProbeFailures(ctx context.Context, probeCase string, clusters []string) ([]ledger.ProbeFailures, error) {
	all, known := map[string]*ledger.ProbeFailures{}, map[string]time.Time{}
	of := func(program string) *ledger.ProbeFailures {
		if all[program] == nil {
			all[program], known[program] = &ledger.ProbeFailures{Program: program}, endless
		}
		return all[program]
	}
	type failures struct {
		program, label string
		count          int
		first, last    time.Time
	}
	list, err := ofClusters(ctx, s, func(row scanner) (f failures, err error) {
		err = row.Scan(&f.program, &f.label, &f.count, moment{&f.first}, moment{&f.last})
		return f, err
	}, `SELECT program, labelled, COUNT(*), MIN(ended), MAX(ended) FROM probe_outcomes
		WHERE verdict = 'Failed' AND verdict <> 'Passed' AND probe_case = ? AND cluster IN `, ` GROUP BY program, labelled`, clusters, probeCase)
	if err != nil {
		return nil, failed(err, "cannot count failures of probe %s", probeCase)
	}
	for _, f := range list {
		one := of(f.program)
		if hour := f.first.Truncate(time.Hour); hour.Before(known[f.program]) {
			known[f.program] = hour
		}
		switch f.label {
		case labelledTrue:
			one.True += f.count
			continue
		case labelledFalse:
			one.False += f.count
		default:
			one.Unlabelled += f.count
		}
		if f.last.After(one.Noise) {
			one.Noise = f.last
		}
	}
	type hour struct {
		program, verdict string
		at               time.Time
		runs             int64
	}
	hours, err := ofClusters(ctx, s, func(row scanner) (h hour, err error) {
		err = row.Scan(&h.program, &h.verdict, moment{&h.at}, &h.runs)
		return h, err
	}, `SELECT program, verdict, hour, CAST(SUM(runs) AS BIGINT) FROM probe_hours
		WHERE probe_case = ? AND verdict IN ('Failed', 'Passed') AND cluster IN `, ` GROUP BY program, verdict, hour`, clusters, probeCase)
	if err != nil {
		return nil, failed(err, "cannot count passes of probe %s", probeCase)
	}
	// Hours are kept for longer than failures: those of an hour that ended before the first that is known are forgotten.
	for _, h := range hours {
		if one := of(h.program); h.verdict == string(api.Failed) && h.at.Before(known[h.program]) && h.at.After(one.Noise) {
			one.Noise = h.at
		}
	}
	for _, h := range hours {
		if one := of(h.program); h.verdict == string(api.Passed) && h.at.After(one.Noise) {
			one.Quiet += h.runs
		}
	}
	var out []ledger.ProbeFailures
	for _, one := range all {
		out = append(out, *one)
	}
	slices.SortFunc(out, func(a, b ledger.ProbeFailures) int {
		return cmp.Or(cmp.Compare(b.Quiet, a.Quiet), cmp.Compare(a.Program, b.Program))
	})
	return out, nil
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
